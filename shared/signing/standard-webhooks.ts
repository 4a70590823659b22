import { createHmac } from 'node:crypto';
import { sameText } from './canonical.ts';

/** What the specification asks of a secret, in bytes (Standard Webhooks 1.0.0, "Signature scheme", read 2026-11). */
const SHORTEST_SECRET_BYTES = 24;

/** What a message is signed over: its id and time as their headers have them, and its bytes as they came. */
export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: string;
  readonly body: Uint8Array;
}

/** The key in a secret `whsec_<base64>`; undefined when it is none, or too short. */
export function webhookKey(secret: string): Buffer | undefined {
  const base64 = secret.replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const key = Buffer.from(base64, 'base64');
  return key.length < SHORTEST_SECRET_BYTES ? undefined : key;
}

/**
 * Whether one of the signatures in `webhook-signature` (`v1,<base64> v1,<base64> …`; a sender that changes its secret sends several) was
 * made with this key: HMAC-SHA256 over `<id>.<timestamp>.<body>`. Those of other versions do not count.
 */
export function isSignedWith(key: Buffer, { id, timestamp, body }: SignedMessage, signatures: string): boolean {
  const expected = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  return signatures.split(' ').some((each) => sameText(each, expected));
}
