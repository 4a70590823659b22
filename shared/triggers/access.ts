import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '../core/failure.ts';
import { matchGlob } from '../core/glob.ts';
import type { Services } from '../wiring.ts';
import { type Attempt, slowDown } from './attempts.ts';
import { type Client, readClients, type Scope } from './clients.ts';
import type { Answer } from './http.ts';
import { problem } from './problem.ts';

export { slowDown } from './attempts.ts';
export type { Scope } from './clients.ts';

/** Who is asking. Without globs: not confined. */
export interface Caller {
  readonly name: string;
  /** Globs of owner keys it may write, or read the manifest and status of; `*` stands for any text, slashes included. */
  readonly owners?: readonly string[];
  /** Globs of job and dataset namespaces it may send lineage for. */
  readonly namespaces?: readonly string[];
}

/** Whoever gets here without a key: on this machine, or let in by the platform. */
export const TRUSTED: Caller = { name: 'trusted' };

export function mayOwn(caller: Caller, owner: string): boolean {
  return caller.owners === undefined || caller.owners.some((glob) => matchGlob(glob, owner));
}

export function mayName(caller: Caller, namespace: string): boolean {
  return caller.namespaces === undefined || caller.namespaces.some((glob) => matchGlob(glob, namespace));
}

/** Throws `Failure` `denied` when the caller is confined to other owners. */
export function checkOwner(caller: Caller, owner: string): void {
  if (!mayOwn(caller, owner))
    throw new Failure(
      'denied',
      `the key of ${caller.name} has no access to ${owner}; its owners are ${(caller.owners ?? []).join(', ')}`,
      { status: 403 },
    );
}

/**
 * Throws `Failure` `denied` when the caller is confined to other namespaces than a manifest names: of its job, and of the datasets
 * that it gives an OpenLineage identity. Names of vendors have no namespace: they are another matter (functions/register/confined.ts).
 */
export function checkNamespaces(caller: Caller, named: Iterable<string>): void {
  if (caller.namespaces === undefined) return;
  const foreign = [...new Set(named)].filter((namespace) => !mayName(caller, namespace));
  if (foreign.length > 0)
    throw new Failure(
      'denied',
      `the key of ${caller.name} may not speak of ${foreign.slice(0, 5).join(', ')}; its namespaces are ${caller.namespaces.join(', ')}`,
      { status: 403 },
    );
}

/**
 * Whether a request may use what needs `scope`: the caller, or the answer that turns it away. A key is needed locally with
 * `AUTH=required`, and in AWS wherever the platform lets everybody in (`url` `public`). A key that nobody has makes the secret be read
 * again, because it may be newer than what is remembered.
 */
export async function admit(
  authorization: string | undefined,
  scope: Scope | undefined,
  url: 'iam' | 'public',
  services: Services,
  address?: string,
): Promise<{ readonly caller: Caller } | { readonly refused: Answer }> {
  const { settings } = services;
  const needed = settings.aws ? url === 'public' : settings.auth === 'required';
  if (!needed) return { caller: TRUSTED };
  const key = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) return { refused: unauthorized('send a key as Authorization: Bearer <key>', '') };
  const client = await holder(key, services);
  if (client === undefined) {
    const attempt: Attempt = { address, tried: key };
    await slowDown(services, attempt);
    return {
      refused: unauthorized('no client has this key; make one with npm run keys -- create', ', error="invalid_token"'),
    };
  }
  return admitClient(client, scope, services);
}

/** Whether a client that has proved who it is may do this. Without a scope nobody may. */
export function admitClient(
  client: Client,
  scope: Scope | undefined,
  services: Services,
): { readonly caller: Caller } | { readonly refused: Answer } {
  const { name, scopes, owners, namespaces } = client;
  if (scope === undefined || !scopes.includes(scope)) {
    services.log.warn('a key was refused for want of a scope', { client: name, scope: scope ?? '' });
    const detail = `the key of ${name} has no scope ${scope ?? ''}; add it to its scopes in the secret lineage/clients`;
    return { refused: problem(403, detail) };
  }
  return { caller: { name, ...(owners ? { owners } : {}), ...(namespaces ? { namespaces } : {}) } };
}

function unauthorized(detail: string, error: string): Answer {
  const answer = problem(401, detail);
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': `Bearer realm="lineage"${error}` } };
}

/** Clients that sign what they send; `again` as of `readClients`. Throws `Failure` `unavailable` when the secret cannot be read. */
export async function clientsWithSecrets(
  services: Services,
  options: { readonly again?: boolean } = {},
): Promise<readonly Client[]> {
  return (await readClients(services, options)).filter((client) => client.webhook_secrets !== undefined);
}

async function holder(key: string, services: Services): Promise<Client | undefined> {
  const found = holderOf(key, await readClients(services));
  if (found !== undefined || services.secrets.refresh === undefined) return found;
  return holderOf(key, await readClients(services, { again: true }));
}

/** Compares with every client, always: how long it takes says nothing about which. */
function holderOf(key: string, list: readonly Client[]): Client | undefined {
  const given = createHash('sha256').update(key).digest();
  let found: Client | undefined;
  for (const client of list) {
    const known = Buffer.from(client.key_sha256 ?? '0'.repeat(64), 'hex');
    const same = timingSafeEqual(given, known);
    if (same && client.key_sha256 !== undefined) found ??= client;
  }
  return found;
}
