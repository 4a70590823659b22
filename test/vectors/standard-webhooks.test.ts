import { fc, test } from '@fast-check/vitest';
import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import { isSignedWith, webhookKey } from '../../shared/signing/standard-webhooks.ts';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const keyOf = (secret: string) => {
  const key = webhookKey(secret);
  if (key === undefined) throw new Error('no key');
  return key;
};

const message = fc.record({
  secret: fc.uint8Array({ minLength: 24, maxLength: 64 }),
  id: fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
  seconds: fc.integer({ min: 0, max: 4_102_444_800 }),
  body: fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
});

test.prop([message, fc.nat()])('agrees with the library of the specification', ({ secret, id, seconds, body }, at) => {
  const signature = new Webhook(base64(secret)).sign(id, new Date(seconds * 1_000), body);
  const sent = { id, timestamp: String(seconds), body: Buffer.from(body) };
  const key = keyOf(`whsec_${base64(secret)}`);
  expect(isSignedWith(key, sent, signature)).toBe(true);
  expect(isSignedWith(key, sent, `v1,AAAA v1a,${signature.slice(3)} ${signature}`)).toBe(true);
  expect(isSignedWith(key, sent, `v1a,${signature.slice(3)}`)).toBe(false);
  expect(isSignedWith(key, { ...sent, timestamp: String(seconds + 1) }, signature)).toBe(false);
  expect(isSignedWith(key, { ...sent, id: `${id}.` }, signature)).toBe(false);
  const changed = Buffer.from(`${body} `);
  changed[at % changed.length] = (changed[at % changed.length] as number) ^ 1;
  expect(isSignedWith(key, { ...sent, body: changed }, signature)).toBe(false);
});

it('takes the bytes as they are, not as text', () => {
  const key = Buffer.alloc(32, 1);
  const sent = { id: 'msg_1', timestamp: '1', body: Buffer.from([0xff]) };
  const asText = new Webhook(key.toString('base64')).sign('msg_1', new Date(1_000), '\ufffd');
  expect(isSignedWith(key, sent, asText)).toBe(false);
});

it('knows a secret that is none, or too short', () => {
  expect(webhookKey(`whsec_${base64(new Uint8Array(24))}`)).toHaveLength(24);
  expect(webhookKey(base64(new Uint8Array(24)))).toHaveLength(24);
  for (const secret of [
    `whsec_${base64(new Uint8Array(23))}`,
    'whsec_',
    'whsec_not base64 at all, but long enough',
    '',
  ])
    expect(webhookKey(secret)).toBeUndefined();
});
