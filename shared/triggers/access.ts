import { createHash, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { asFailure, Failure } from '../core/failure.ts';
import { matchGlob } from '../core/glob.ts';
import type { Services } from '../wiring.ts';
import type { Answer } from './http.ts';
import { problem } from './problem.ts';

/** What a key of the secret `lineage/clients` may be used for. */
export type Scope = 'ingest' | 'register' | 'delete' | 'fetch' | 'reconcile';

/** Who is asking. Without globs: not confined. */
export interface Caller {
  readonly name: string;
  /** Globs of owner keys it may write; `*` stands for any text, slashes included. */
  readonly owners?: readonly string[];
  /** Globs of job and dataset namespaces it may send lineage for. */
  readonly namespaces?: readonly string[];
}

/** Whoever gets here without a key: on this machine, or let in by the platform. */
export const TRUSTED: Caller = { name: 'trusted' };

const CLIENTS_SECRET = 'lineage/clients';
const SCOPES = ['ingest', 'register', 'delete', 'fetch', 'reconcile'] as const;
const globs = z.array(z.string().min(1).max(1_000)).max(1_000);

/** Unknown keys are left alone: other ways to sign in keep theirs in the same entries. */
const clientSchema = z.object({
  name: z.string().min(1).max(200),
  scopes: z.array(z.enum(SCOPES)),
  key_sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/)
    .optional(),
  owners: globs.optional(),
  namespaces: globs.optional(),
});
type Client = z.output<typeof clientSchema>;

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
      `the key of ${caller.name} may not write ${owner}; its owners are ${(caller.owners ?? []).join(', ')}`,
    );
}

/**
 * Whether a request may use what needs `scope`: the caller, or the answer that turns it away. A key is needed locally with
 * `AUTH=required`, and in AWS wherever the platform lets everybody in (`url` `public`).
 */
export async function admit(
  authorization: string | undefined,
  scope: Scope | undefined,
  url: 'iam' | 'public',
  services: Services,
): Promise<{ readonly caller: Caller } | { readonly refused: Answer }> {
  const { settings } = services;
  const needed = settings.aws ? url === 'public' : settings.auth === 'required';
  if (!needed) return { caller: TRUSTED };
  const key = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) return { refused: unauthorized('send a key as Authorization: Bearer <key>', '') };
  const client = holderOf(key, await clients(services));
  if (client === undefined) {
    await slowDown(services);
    return {
      refused: unauthorized(
        'no client has this key; its SHA-256 belongs into the secret lineage/clients',
        ', error="invalid_token"',
      ),
    };
  }
  if (scope === undefined || !client.scopes.includes(scope)) {
    services.log.warn('a key was refused for want of a scope', { client: client.name, scope: scope ?? '' });
    const detail = `the key of ${client.name} has no scope ${scope ?? ''}; add it to its scopes in the secret lineage/clients`;
    return { refused: problem(403, detail) };
  }
  const { name, owners, namespaces } = client;
  return { caller: { name, ...(owners ? { owners } : {}), ...(namespaces ? { namespaces } : {}) } };
}

function unauthorized(detail: string, error: string): Answer {
  const answer = problem(401, detail);
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': `Bearer realm="lineage"${error}` } };
}

/** The clients of the secret. One that is wrong is left out and logged; it must not lock out the others. */
async function clients(services: Services): Promise<readonly Client[]> {
  const secret = await readClients(services);
  const list = secret?.['clients'];
  if (!Array.isArray(list)) {
    services.log.warn('no client can sign in; put { "clients": [ … ] } into the secret', {
      secret_name: CLIENTS_SECRET,
    });
    return [];
  }
  return (list as readonly unknown[]).flatMap((each, at) => {
    const parsed = clientSchema.safeParse(each);
    if (parsed.success) return [parsed.data];
    const reason = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join('; ');
    services.log.warn('a client in the secret is not usable', { position: at, reason });
    return [];
  });
}

async function readClients(services: Services) {
  try {
    return await services.secrets.get(CLIENTS_SECRET);
  } catch (thrown) {
    services.log.error('the clients could not be read', { reason: asFailure(thrown).message });
    throw new Failure('unavailable', `the secret ${CLIENTS_SECRET} cannot be read now; the log says why`);
  }
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

interface Failures {
  count: number;
  lastAt: number;
  waiting: number;
}

const FORGET_MS = 60_000;
const MAX_PAUSE_MS = 1_000;
const MAX_WAITING = 50;
const failures = new WeakMap<Services, Failures>();

/** Whoever guesses waits, a little longer each time; not so many at once that waiting becomes the attack. */
async function slowDown(services: Services): Promise<void> {
  const now = services.deps.now();
  const known = failures.get(services) ?? { count: 0, lastAt: now, waiting: 0 };
  failures.set(services, known);
  known.count = now - known.lastAt > FORGET_MS ? 1 : known.count + 1;
  known.lastAt = now;
  services.log.warn('access refused: unknown key', { failures: known.count });
  if (known.waiting >= MAX_WAITING) return;
  known.waiting += 1;
  await new Promise((done) => setTimeout(done, Math.min(MAX_PAUSE_MS, 25 * 2 ** Math.min(10, known.count))));
  known.waiting -= 1;
}
