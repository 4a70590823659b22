import { isSignedWith, type SignedMessage, webhookKey } from '../signing/standard-webhooks.ts';
import type { Services } from '../wiring.ts';
import { admitClient, type Caller, clientsWithSecrets, type Scope, slowDown, TRUSTED } from './access.ts';
import type { Client } from './clients.ts';
import type { Answer, Request } from './http.ts';
import { problem } from './problem.ts';

/** Of the Standard Webhooks specification (1.0.0, read 2026-11). */
const HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
/** Either way, as its libraries have it. */
const TOLERANCE_S = 5 * 60;

export interface Signed {
  readonly caller: Caller;
  /** `webhook-id`: the same for every attempt at one message. Absent where nobody has to sign. */
  readonly id?: string;
}

/**
 * Who signed a request, over its raw bytes and before anybody reads them: the client one of whose `webhook_secrets` fits. A timestamp
 * may be five minutes off. Locally an unsigned request is let in unless `AUTH=required`; a signature that is there must be right.
 */
export async function admitSigned(
  request: Pick<Request, 'headers' | 'body' | 'address'>,
  scope: Scope,
  services: Services,
): Promise<Signed | { readonly refused: Answer }> {
  const { settings } = services;
  const missing = HEADERS.filter((name) => !request.headers[name]);
  if (missing.length === HEADERS.length && settings.aws === undefined && settings.auth !== 'required')
    return { caller: TRUSTED };
  if (missing.length > 0)
    return { refused: refused(`sign the request as Standard Webhooks has it; it lacks ${missing.join(', ')}`) };
  const [id = '', timestamp = '', signatures = ''] = HEADERS.map((name) => request.headers[name]);
  if (!/^[\x21-\x7e]{1,256}$/.test(id) || !/^\d{1,11}$/.test(timestamp))
    return { refused: refused('webhook-id is up to 256 characters of ASCII, webhook-timestamp seconds since 1970') };
  if (Math.abs(services.deps.now() / 1_000 - Number(timestamp)) > TOLERANCE_S)
    return { refused: refused('webhook-timestamp is more than five minutes off; check the clock of the sender') };

  const signer = await signerOf({ id, timestamp, body: request.body }, signatures, services);
  if (signer !== undefined) {
    const admitted = admitClient(signer, scope, services);
    return 'refused' in admitted ? admitted : { id, caller: admitted.caller };
  }
  await slowDown(services, { address: request.address, tried: signatures });
  const detail =
    'no client has a secret that this signature was made with; webhook_secrets of a client in the secret lineage/clients holds them';
  return { refused: refused(detail) };
}

/** A signature that no secret fits makes the secrets be read again, because its own may be newer than what is remembered. */
async function signerOf(message: SignedMessage, signatures: string, services: Services): Promise<Client | undefined> {
  const found = fitting(await clientsWithSecrets(services), message, signatures, services);
  if (found !== undefined || services.secrets.refresh === undefined) return found;
  return fitting(await clientsWithSecrets(services, { again: true }), message, signatures, services);
}

function fitting(
  clients: readonly Client[],
  message: SignedMessage,
  signatures: string,
  services: Services,
): Client | undefined {
  for (const client of clients) {
    for (const [at, secret] of (client.webhook_secrets ?? []).entries()) {
      const key = webhookKey(secret);
      if (key === undefined) services.log.warn('a webhook secret is not usable', { client: client.name, position: at });
      else if (isSignedWith(key, message, signatures)) return client;
    }
  }
  return undefined;
}

function refused(detail: string): Answer {
  return problem(401, detail);
}
