import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { functionUrl } from '../../shared/triggers/http.ts';
import { until } from '../functions/local.ts';
import { holdQueue } from './held-queue.ts';
import { hardened } from './machine.ts';

const MB = 1_048_576;

/** An event of so many bytes, nearly all of them the same. */
function event(n: number, bytes: number): string {
  return JSON.stringify({
    eventType: 'COMPLETE',
    eventTime: '2026-11-21T00:00:00Z',
    run: { runId: `r${n}`, facets: { stats: { note: 'A'.repeat(bytes) } } },
    job: { namespace: 'n', name: 'j' },
    producer: 'p',
  });
}

const payload = (rawPath: string, bytes: Uint8Array, method = 'POST') =>
  ({
    rawPath,
    rawQueryString: '',
    headers: { 'content-encoding': 'gzip' },
    body: Buffer.from(bytes).toString('base64'),
    isBase64Encoded: true,
    requestContext: { http: { method, sourceIp: '' } },
  }) as never;

/** A webhook whose store waits while it is told to. */
async function webhook(environment: Readonly<Record<string, string>> = {}) {
  const here = await hardened(environment);
  const handler = entries['register-webhook'].open(here.services);
  const queue = holdQueue(here.services);
  return {
    ...queue,
    async post(bytes: Uint8Array) {
      const answer = await handler(payload('/api/v1/lineage', bytes), invocation('register-webhook', 60_000, 'r'));
      return `${answer.statusCode} ${answer.headers?.['retry-after'] ?? '-'}`;
    },
  };
}

const counted = (all: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(all, (each) => each)].map(([each, list]) => [each, list.length]));

test('what bodies inflate to has so much room together; the others are asked to come again before they are inflated', async () => {
  const at = await webhook({ REQUEST_MB_AT_ONCE: '16' });
  const zipped = gzipSync(event(0, 3 * MB));
  expect(zipped.byteLength).toBeLessThan(10_000);
  at.hold();
  const all = Promise.all(Array.from({ length: 40 }, () => at.post(zipped)));
  await until(async () => at.storing() > 0);
  at.release();
  // Each is counted twice, as bytes and as what is read from them.
  expect(counted(await all)).toEqual({ '201 -': 2, '503 1': 38 });
  expect(await at.post(zipped)).toBe('201 -');
});

test('the largest goes alone of its kind, and small ones go beside it', async () => {
  const at = await webhook({ REQUEST_MB_AT_ONCE: '4' });
  const large = gzipSync(event(0, 10 * MB));
  const small = gzipSync(event(1, 50_000));
  at.hold();
  const first = at.post(large);
  await until(async () => at.storing() === 1);
  const second = at.post(large);
  const beside = at.post(small);
  expect(await second).toBe('503 1');
  await until(async () => at.storing() === 2);
  at.release();
  expect([await first, await beside, await at.post(large)]).toEqual(['201 -', '201 -', '201 -']);
});

test('a request has its room until it is stored, however long after its answer', async () => {
  const at = await webhook({ REQUEST_MB_AT_ONCE: '4' });
  const large = gzipSync(event(0, 3 * MB));
  at.hold();
  expect(await at.post(large)).toBe('503 1');
  expect(at.storing()).toBe(1);
  expect(await at.post(large)).toBe('503 1');
  expect(at.storing()).toBe(1);
  at.release();
  await until(async () => at.storing() === 0);
  expect(await at.post(large)).toBe('201 -');
});

test('small ones are not turned away for what they might have inflated to', async () => {
  const at = await webhook();
  const zipped = gzipSync(event(0, 50_000));
  at.hold();
  const all = Promise.all(Array.from({ length: 400 }, () => at.post(zipped)));
  await until(async () => at.storing() === 400);
  at.release();
  expect(counted(await all)).toEqual({ '201 -': 400 });
});

test('one that says less than it inflates to is read all the same, in room for as much as it can', async () => {
  const at = await webhook({ REQUEST_MB_AT_ONCE: '4' });
  const text = event(0, 2 * MB);
  const parts = Buffer.concat([gzipSync(text.slice(0, -20)), gzipSync(text.slice(-20))]);
  const lying = Buffer.from(gzipSync(text));
  expect(await at.post(parts)).toBe('201 -');
  // The checksum of the size is the last thing that is looked at.
  lying.writeUInt32LE(1, lying.byteLength - 4);
  expect(await at.post(lying)).toBe('400 -');
  at.hold();
  const first = at.post(gzipSync(event(0, MB)));
  await until(async () => at.storing() === 1);
  expect(await at.post(parts)).toBe('503 1');
  at.release();
  expect(await first).toBe('201 -');
});

test('who was not done in the time there is is asked to come again', async () => {
  const { services } = await hardened();
  const slow = functionUrl([{ method: 'POST', path: '/slow', handle: () => sleep(2_000, { status: 200 }) }], {
    url: 'public',
  });
  const answer = await slow.open(services)(payload('/slow', new Uint8Array()), invocation('slow', 50, 'r'));
  expect([answer.statusCode, answer.headers?.['retry-after']]).toEqual([503, '1']);
});
