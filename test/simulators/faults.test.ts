import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import {
  add,
  callDataArts,
  callDataphin,
  command,
  lineageInfo,
  pluck,
  type Reply,
  remove,
  sandbox,
} from './callers.ts';

const open: Simulator[] = [];
afterEach(async () => {
  for (const simulator of open.splice(0)) await simulator.close();
});

interface Bench {
  readonly call: () => Promise<Reply>;
  readonly code: (reply: Reply) => unknown;
  readonly expected: Readonly<Record<string, readonly [number, unknown]>>;
}

const benches: Readonly<Record<string, () => Promise<Simulator>>> = {
  dataphin: startDataphin,
  dataarts: startDataArts,
};
const vendors: Readonly<Record<string, (url: string) => Bench>> = {
  dataphin: (url) => ({
    call: () => add(url, command([['x', 'y']])),
    code: ({ body }) => body.Code,
    expected: {
      throttle: [400, 'Throttling.User'],
      unavailable: [503, 'ServiceUnavailable'],
      internal: [500, 'InternalError'],
      denied: [403, 'Forbidden.RAM'],
      'not-found': [404, 'Simulated.NotFound'],
      invalid: [400, 'InvalidParameter.Format'],
      'success-false': [200, 'Simulated.BackendFailure'],
    },
  }),
  dataarts: (url) => ({
    call: () => callDataArts(url, { body: lineageInfo() }),
    code: ({ body }) => body.error_code,
    expected: {
      throttle: [429, 'APIGW.0308'],
      unavailable: [503, 'APIGW.0613'],
      internal: [500, 'APIGW.0601'],
      denied: [403, 'APIGW.0306'],
      'not-found': [404, 'DLG.SIMULATED'],
      invalid: [400, 'APIGW.0201'],
      'success-false': [200, undefined],
    },
  }),
};

describe.each(Object.keys(vendors))('%s', (name) => {
  let url: string;
  let bench: Bench;
  beforeEach(async () => {
    const simulator = await (benches[name] as () => Promise<Simulator>)();
    open.push(simulator);
    url = simulator.url;
    bench = (vendors[name] as (url: string) => Bench)(url);
  });
  const held = async () => pluck((await sandbox(url, 'GET', 'lineage')).body, 'columns').length;
  const outcomes = async () => pluck((await sandbox(url, 'GET', 'calls')).body, 'outcome');
  const fault = (value: object) => sandbox(url, 'POST', 'faults', { times: 1, ...value });

  test.each(['throttle', 'unavailable', 'internal', 'denied', 'not-found', 'invalid', 'success-false'])(
    '%s: the answer of the vendor, nothing applied, gone after its times',
    async (kind) => {
      expect((await fault({ kind, times: 2 })).status).toBe(201);
      for (let n = 0; n < 2; n += 1) {
        const reply = await bench.call();
        expect([reply.status, bench.code(reply)]).toEqual(bench.expected[kind]);
      }
      expect(await held()).toBe(0);
      expect((await bench.call()).status).toBe(200);
      expect(await held()).toBe(1);
      expect(await outcomes()).toEqual([kind, kind, 'ok']);
    },
  );

  test('reset: the connection breaks, nothing applied', async () => {
    await fault({ kind: 'reset' });
    await expect(bench.call()).rejects.toThrow();
    expect(await held()).toBe(0);
  });

  test('lost-answer: the connection breaks, applied', async () => {
    await fault({ kind: 'lost-answer' });
    await expect(bench.call()).rejects.toThrow();
    expect(await held()).toBe(1);
  });

  test('late-apply: the connection breaks, applied later', async () => {
    await fault({ kind: 'late-apply', delayMs: 150 });
    await expect(bench.call()).rejects.toThrow();
    expect(await held()).toBe(0);
    await sleep(250);
    expect(await held()).toBe(1);
  });

  test('bad-json: HTTP 200 with half of the JSON, applied', async () => {
    await fault({ kind: 'bad-json' });
    const reply = await bench.call();
    expect(reply.status).toBe(200);
    expect(typeof reply.body).toBe('string');
    expect(await held()).toBe(1);
  });

  test('hang: no answer, nothing applied, and closing does not wait for it', async () => {
    await fault({ kind: 'hang' });
    const call = bench.call().then(
      () => 'answered',
      () => 'cut',
    );
    expect(await Promise.race([call, sleep(200, 'waiting')])).toBe('waiting');
    expect(await held()).toBe(0);
    await open.pop()?.close();
    expect(await call).toBe('cut');
  });

  test('delayMs delays an answer', async () => {
    await fault({ kind: 'throttle', delayMs: 120 });
    const start = Date.now();
    await bench.call();
    expect(Date.now() - start).toBeGreaterThanOrEqual(115);
  });

  test('callsPerSecond: what is more is throttled as the vendor does it, and an empty setting lifts it', async () => {
    await sandbox(url, 'PUT', 'limits', { callsPerSecond: 3 });
    const codes: unknown[] = [];
    for (let n = 0; n < 4; n += 1) codes.push((await bench.call()).status);
    expect(codes).toEqual([200, 200, 200, bench.expected['throttle']?.[0]]);
    await sleep(400);
    expect((await bench.call()).status).toBe(200);
    await sandbox(url, 'PUT', 'limits', {});
    for (let n = 0; n < 5; n += 1) expect((await bench.call()).status).toBe(200);
  });

  test('callsPerDay', async () => {
    await sandbox(url, 'PUT', 'limits', { callsPerDay: 2 });
    const statuses = [(await bench.call()).status, (await bench.call()).status, (await bench.call()).status];
    expect(statuses).toEqual([200, 200, bench.expected['throttle']?.[0]]);
  });
});

describe('choosing calls', () => {
  let url: string;
  beforeEach(async () => {
    const simulator = await startDataphin();
    open.push(simulator);
    url = simulator.url;
  });

  test('a fault may wait for one operation', async () => {
    await sandbox(url, 'POST', 'faults', { kind: 'internal', operation: 'DeleteRegisterLineage', times: 1 });
    expect((await add(url, command())).status).toBe(200);
    expect((await remove(url, command())).status).toBe(500);
    expect((await remove(url, command())).status).toBe(200);
  });

  test('faults hit only calls that are authenticated', async () => {
    await sandbox(url, 'POST', 'faults', { kind: 'internal', times: 1 });
    expect((await add(url, command(), { key: 'wrong' })).status).toBe(400);
    expect((await add(url, command())).status).toBe(500);
  });

  test('waiting faults can be seen and taken back', async () => {
    await sandbox(url, 'POST', 'faults', { kind: 'hang', times: 3 });
    expect((await sandbox(url, 'GET', 'faults')).body).toEqual([{ kind: 'hang', times: 3 }]);
    expect((await sandbox(url, 'DELETE', 'faults')).status).toBe(204);
    expect((await add(url, command())).status).toBe(200);
  });

  test.each([
    { kind: 'fire', times: 1 },
    { kind: 'hang', times: 0 },
    { kind: 'hang', times: 1, operation: 'addRegisterLineage' },
  ])('refused: %j', async (fault) => {
    expect((await sandbox(url, 'POST', 'faults', fault)).status).toBe(400);
  });

  test('an unknown action is no reason to fall over', async () => {
    expect((await callDataphin(url, 'Nonsense')).status).toBe(404);
    expect((await sandbox(url, 'GET', 'calls')).body).toMatchObject([
      { operation: 'Nonsense', outcome: 'InvalidApi.NotFound' },
    ]);
  });
});
