import * as z from 'zod';
import { asFailure, Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import type { Services } from '../wiring.ts';

/** What a key of the secret `lineage/clients` may be used for. */
export const SCOPES = ['ingest', 'register', 'delete', 'fetch', 'reconcile'] as const;
export type Scope = (typeof SCOPES)[number];

export const CLIENTS_SECRET = 'lineage/clients';

const globs = z.array(z.string().min(1).max(1_000)).max(1_000);
const sha256 = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/)
  .optional();

/**
 * One entry of `{ "clients": [ … ] }`. Several entries of one name are one client that changes its key. Unknown keys are left alone: other
 * ways to sign in keep theirs in the same entries.
 */
export const clientSchema = z.object({
  name: z.string().min(1).max(200),
  scopes: z.array(z.enum(SCOPES)),
  /** Of a key that is sent as `Authorization: Bearer …`. */
  key_sha256: sha256,
  /** Of a fixed token that is sent in a vendor's own header. */
  token_sha256: sha256,
  /** Of callers that sign in a vendor's way; the secret is needed to check what they sign. */
  access_key_id: z.string().min(1).max(200).optional(),
  access_key_secret: z.string().min(1).max(1_000).optional(),
  /** Of the security token that temporary keys are sent with; a key pair that has it is good for nothing without the token. */
  security_token_sha256: sha256,
  owners: globs.optional(),
  namespaces: globs.optional(),
  /** Of Standard Webhooks, `whsec_…`; several while they are being rotated. What is wrong with one is said where it is used. */
  webhook_secrets: z.array(z.string().max(1_000)).max(20).optional(),
});
export type Client = z.output<typeof clientSchema>;

/** What is wrong with an entry, without its values; empty for a good one. */
export function clientProblems(entry: unknown): readonly string[] {
  const parsed = clientSchema.safeParse(entry);
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.') || 'entry'}: ${issue.code}`);
}

/** Of each secret as it was read; a store that remembers gives the same object until it reads anew. */
const known = new WeakMap<JsonObject, readonly Client[]>();

/**
 * The clients of the secret. One that is wrong is left out and logged; it must not lock out the others. `again`: the secret is read
 * anew, if it was not just now. Throws `Failure` `unavailable` when it cannot be read.
 */
export async function readClients(
  services: Services,
  options: { readonly again?: boolean } = {},
): Promise<readonly Client[]> {
  const secret = await secretOf(services, options.again === true);
  const list = secret?.['clients'];
  if (!secret || !Array.isArray(list)) {
    services.log.warn('no client can sign in; put { "clients": [ … ] } into the secret', {
      secret_name: CLIENTS_SECRET,
    });
    return [];
  }
  const clients = known.get(secret) ?? usable(list, services);
  known.set(secret, clients);
  return clients;
}

function usable(list: readonly unknown[], { log }: Services): readonly Client[] {
  return list.flatMap((each, at) => {
    const parsed = clientSchema.safeParse(each);
    if (parsed.success) return [parsed.data];
    log.warn('a client in the secret is not usable', {
      position: at,
      reason: clientProblems(each).join('; '),
    });
    return [];
  });
}

async function secretOf({ secrets, log }: Services, again: boolean): Promise<JsonObject | undefined> {
  try {
    return await (again && secrets.refresh ? secrets.refresh(CLIENTS_SECRET) : secrets.get(CLIENTS_SECRET));
  } catch (thrown) {
    log.error('the clients could not be read', { reason: asFailure(thrown).message });
    throw new Failure('unavailable', `the secret ${CLIENTS_SECRET} cannot be read now; the log says why`);
  }
}
