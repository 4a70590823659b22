import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Admission, admission, type Lane } from '../../local/admission.ts';
import { entries } from '../../local/entries.ts';
import { startHost } from '../../local/host.ts';
import { until } from '../functions/local.ts';
import { holdQueue } from '../hardening/held-queue.ts';
import { hardened } from '../hardening/machine.ts';

function event(bytes = 0): string {
  const json = JSON.stringify({
    eventType: 'COMPLETE',
    eventTime: '2026-11-21T00:00:00Z',
    run: { runId: 'r' },
    job: { namespace: 'n', name: 'j' },
    producer: 'p',
  });
  return json.padEnd(bytes);
}

/** A host whose store waits while it is told to. */
async function hosted(environment: Readonly<Record<string, string>>) {
  const here = await hardened(environment);
  const queue = holdQueue(here.services);
  const served = { 'register-webhook': entries['register-webhook'], 'fetch-http': entries['fetch-http'] };
  const host = await startHost(served, here.services, 0);
  onTestFinished(() => host.close());
  return {
    ...host,
    log: here.log,
    ...queue,
    post: (body: string) => fetch(`${host.url}/api/v1/lineage`, { method: 'POST', body }),
  };
}

/** A client of one connection; gives each answer as it came, head and body. */
function raw(url: string) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let failed = '';
  socket.on('error', (error) => {
    failed = String(error);
  });
  onTestFinished(() => void socket.destroy());
  return {
    failed: () => failed,
    /** Resolves when the system has taken it. */
    async begin(body: string, bytes = body.length): Promise<void> {
      socket.write(`POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1:${new URL(url).port}\r\n`);
      await new Promise((done) => socket.write(`Content-Length: ${bytes}\r\n\r\n${body}`, done));
    },
    more: (text: string) => void socket.write(text),
    async answer(): Promise<string> {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      return chunk.toString();
    },
  };
}

test('more than there is room for is asked to come again on the same connection, its body read; pages answer meanwhile', async () => {
  const host = await hosted({ REQUESTS_AT_ONCE: '2' });
  host.hold();
  const taken = [host.post(event()), host.post(event())];
  await until(async () => host.storing() === 2);
  const client = raw(host.url);
  void client.begin(event(3_000_000));
  const refusal = await client.answer();
  expect(refusal).toMatch(/^HTTP\/1\.1 503 /);
  expect(refusal).toMatch(/\r\nretry-after: 1\r\n/);
  expect(refusal).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/);
  expect(JSON.parse(refusal.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 503 });
  expect((await fetch(`${host.url}/lineage?dataset=a:b`)).status).not.toBe(503);
  host.release();
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([201, 201]);
  void client.begin(event());
  expect(await client.answer()).toMatch(/^HTTP\/1\.1 201 /);
  expect(client.failed()).toBe('');
  expect(
    host.log.lines.filter(({ level }) => level === 'warn').map(({ message, fields }) => [message, fields['count']]),
  ).toEqual([['requests were turned away to come again', 1]]);
});

test('bodies have so much room together, whoever sends slowly takes no other, and one alone may be larger', async () => {
  const host = await hosted({ REQUESTS_AT_ONCE: '1', REQUEST_MB_AT_ONCE: '1' });
  const slow = raw(host.url);
  await slow.begin(event().padEnd(900_000), 1_000_000);
  // A turn of the loop reads 64 KB of it.
  for (let count = 0; count < 40; count += 1) expect((await host.post(event())).status).toBe(201);
  expect((await host.post(event(400_000))).status).toBe(503);
  slow.more(' '.repeat(100_000));
  expect(await slow.answer()).toMatch(/^HTTP\/1\.1 201 /);
  expect((await host.post(event(400_000))).status).toBe(201);
  expect((await host.post(event(3_000_000))).status).toBe(201);
});

const ROOM = { requests: 1_000, bytes: 1_000_000 };

/** `count` requests of one turn, and what each has heard. */
function several(admitted: Admission, count: number, lane: Lane = 'write'): string[] {
  const heard = Array.from({ length: count }, () => 'nothing');
  heard.forEach((_, at) => {
    void admitted
      .enter(lane)
      ?.begin()
      .then((inTime) => {
        heard[at] = inTime ? 'begun' : 'late';
      });
  });
  return heard;
}

const counts = (heard: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(heard, (each) => each)].map(([each, all]) => [each, all.length]));

test('some begin in each turn of the loop, in order; who has waited too long is not begun any more', async () => {
  let now = 0;
  const admitted = admission(
    ROOM,
    () => {},
    () => now,
  );
  const heard = several(admitted, 200);
  await Promise.resolve();
  expect(counts(heard)).toEqual({ begun: 64, nothing: 136 });
  now = 399;
  await turn();
  expect(counts(heard)).toEqual({ begun: 128, nothing: 72 });
  now = 401;
  await turn();
  expect(counts(heard)).toEqual({ begun: 128, late: 64, nothing: 8 });
  expect(heard.slice(0, 128)).toEqual(Array.from({ length: 128 }, () => 'begun'));
  await turn();
  expect(counts(heard)).toEqual({ begun: 128, late: 72 });
});

test('reading waits for the next turn at the most, however much is to be written; of many reads writing has half', async () => {
  const admitted = admission(
    ROOM,
    () => {},
    () => 0,
  );
  const writes = several(admitted, 300);
  const reads = several(admitted, 10, 'read');
  await turn();
  expect([counts(reads), counts(writes)]).toEqual([{ begun: 10 }, { begun: 118, nothing: 182 }]);
  const more = several(admitted, 300, 'read');
  await turn();
  expect([counts(more), counts(writes)]).toEqual([
    { begun: 32, nothing: 268 },
    { begun: 150, nothing: 150 },
  ]);
});

test('only so many hear in one turn that there is no room, and the log says it once in ten seconds', async () => {
  let now = 0;
  const told: number[] = [];
  const admitted = admission(
    ROOM,
    (count) => told.push(count),
    () => now,
  );
  let answered = 0;
  const response = { writeHead: () => {}, end: () => (answered += 1) } as unknown as ServerResponse;
  const all = Promise.all(Array.from({ length: 300 }, () => admitted.turnAway(response)));
  expect(answered).toBe(0);
  await turn();
  expect(answered).toBe(128);
  await all;
  expect([answered, told]).toEqual([300, [1]]);
  now = 10_001;
  await admitted.turnAway(response);
  expect(told).toEqual([1, 300]);
});

test('a turn ends, however fast its requests are answered', async () => {
  const admitted = admission(
    { ...ROOM, requests: 3 },
    () => {},
    () => 0,
  );
  const enter = () => {
    const place = admitted.enter('read');
    place?.leave();
    return place !== undefined;
  };
  expect([enter(), enter(), enter(), enter()]).toEqual([true, true, true, false]);
  expect(admitted.enter('write')).toBeDefined();
  await turn();
  expect(enter()).toBe(true);
});
