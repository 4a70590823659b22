import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { decodeUtf8 } from '../core/utf8.ts';
import type { Services } from '../wiring.ts';
import { admitClient, type Caller, clientsWithSecrets, type Scope, slowDown, TRUSTED } from './access.ts';
import type { Client } from './clients.ts';
import type { Answer, Request } from './http.ts';
import { problem } from './problem.ts';

/** Of the Standard Webhooks specification (1.0.0, read 2026-11). */
const HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
/** What the specification asks for, written in base64. */
const SHORTEST_SECRET_BYTES = 24;

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
  const id = request.headers['webhook-id'] ?? '';
  if (!/^[\x21-\x7e]{1,256}$/.test(id) || !/^\d{1,11}$/.test(request.headers['webhook-timestamp'] ?? ''))
    return { refused: refused('webhook-id is up to 256 characters of ASCII, webhook-timestamp seconds since 1970') };
  // What is not UTF-8 would be signed with other characters in its place, and several bodies would have one signature.
  if (decodeUtf8(request.body) === undefined) return { refused: problem(400, 'the body is not UTF-8') };
  const text = Buffer.from(request.body).toString('utf8');

  const signer = await signerOf(text, request.headers, services);
  if (signer === 'late')
    return { refused: refused('webhook-timestamp is more than five minutes off; check the clock of the sender') };
  if (signer !== undefined) {
    const admitted = admitClient(signer, scope, services);
    return 'refused' in admitted ? admitted : { id, caller: admitted.caller };
  }
  await slowDown(services, { address: request.address, tried: request.headers['webhook-signature'] });
  const detail =
    'no client has a secret that this signature was made with; webhook_secrets of a client in the secret lineage/clients holds them';
  return { refused: refused(detail) };
}

/** A signature that no secret fits makes the secrets be read again, because its own may be newer than what is remembered. */
async function signerOf(
  text: string,
  headers: Request['headers'],
  services: Services,
): Promise<Client | 'late' | undefined> {
  const found = fitting(await clientsWithSecrets(services), text, headers, services);
  if (found !== undefined || services.secrets.refresh === undefined) return found;
  return fitting(await clientsWithSecrets(services, { again: true }), text, headers, services);
}

function fitting(
  clients: readonly Client[],
  text: string,
  headers: Request['headers'],
  services: Services,
): Client | 'late' | undefined {
  for (const client of clients) {
    for (const [at, secret] of (client.webhook_secrets ?? []).entries()) {
      const fits = verify(secret, text, headers);
      if (fits === 'yes') return client;
      if (fits === 'late') return 'late';
      if (fits === 'unusable')
        services.log.warn('a webhook secret is not usable', { client: client.name, position: at });
    }
  }
  return undefined;
}

function verify(
  secret: string,
  text: string,
  headers: Readonly<Record<string, string>>,
): 'yes' | 'no' | 'late' | 'unusable' {
  const base64 = secret.replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || Buffer.from(base64, 'base64').length < SHORTEST_SECRET_BYTES)
    return 'unusable';
  let webhook: Webhook;
  try {
    webhook = new Webhook(base64);
  } catch {
    return 'unusable';
  }
  try {
    webhook.verify(text, { ...headers }, { jsonParse: false });
    return 'yes';
  } catch (thrown) {
    return thrown instanceof WebhookVerificationError && /timestamp/.test(thrown.message) ? 'late' : 'no';
  }
}

function refused(detail: string): Answer {
  return problem(401, detail);
}
