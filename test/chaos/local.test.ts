import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Local, local, manifest, until } from '../functions/local.ts';

const KINDS = [
  'throttle',
  'unavailable',
  'internal',
  'denied',
  'not-found',
  'invalid',
  'reset',
  'lost-answer',
  'late-apply',
  'success-false',
  'bad-json',
];
/** After these nobody knows whether it was done. */
const DOUBTFUL = ['internal', 'unavailable', 'reset', 'lost-answer', 'late-apply', 'success-false', 'bad-json'];

afterEach(() => {
  vi.restoreAllMocks();
});

const owner = (vendor: string, at: number | string) => `manifests/${vendor}-${at}.json`;
const declared = (vendor: string, at: number | string) =>
  manifest([[`${vendor}${at}`, `${vendor}t${at}`]], { targets: [vendor] });

/** As whoever runs it would: asks for a pass until nothing is open any more. */
async function settled(
  at: Local,
  owners: readonly string[],
  done: (state: string | undefined) => boolean,
): Promise<void> {
  let open: string[] = [];
  await until(
    async () => {
      await at.request('POST', '/reconcile', '{}');
      const states = await Promise.all(owners.map(async (each) => [each, (await at.status(each))?.state] as const));
      open = states.filter(([, state]) => !done(state)).map(([each, state]) => `${each} ${state}`);
      return open.length === 0;
    },
    25_000,
    () => open.join(', '),
  );
}

describe('each vendor fails in each way, one after the other:', () => {
  test('Dataphin shows all of it in the end, once', { timeout: 60_000 }, async () => {
    const at = await local();
    const owners = KINDS.map((_, index) => owner('dataphin', index));
    for (const [index, kind] of KINDS.entries()) {
      await at.fault('dataphin', { kind, times: 2, operation: 'AddRegisterLineage', delayMs: 50 });
      await at.drop(owner('dataphin', index), declared('dataphin', index));
    }
    await until(async () => (await at.calls('dataphin')).length > KINDS.length);
    await at.clearFaults('dataphin');
    await settled(at, owners, (state) => state === 'converged' || state === 'failed');
    // What the vendor called wrong is not sent again until somebody has changed it.
    const failed = await Promise.all(owners.map(async (each) => (await at.status(each))?.state === 'failed'));
    expect(failed.filter((each) => each).length).toBeLessThanOrEqual(4);
    for (const [index] of [...failed.entries()].filter(([, each]) => each))
      await at.request(
        'PUT',
        `/${owner('dataphin', index)}`,
        manifest([[`dataphin${index}`, `dataphint${index}`]], { columns: ['other'] }),
      );
    await settled(at, owners, (state) => state === 'converged');
    expect((await at.dataphin()).map((each) => each.target).sort()).toEqual(
      KINDS.map((_, index) => `odps.300000001.p.dataphint${index}`).sort(),
    );
  });

  test('DataArts never has anything twice, and what nobody knows is said', { timeout: 60_000 }, async () => {
    const at = await local();
    const owners = KINDS.map((_, index) => owner('dataarts', index));
    for (const [index, kind] of KINDS.entries()) {
      await at.fault('dataarts', { kind, times: 1, operation: 'CreateLineageInfo', delayMs: 50 });
      await at.drop(owner('dataarts', index), declared('dataarts', index));
    }
    await until(async () => (await at.calls('dataarts')).length > KINDS.length / 2);
    await at.clearFaults('dataarts');
    // `failed`: somebody has to say what is there, or to change what the vendor called wrong.
    const told = async () => {
      await at.request('POST', '/reconcile', '{}');
      const statuses = await Promise.all(owners.map((each) => at.status(each)));
      return statuses.every((each) => each?.edges.every(({ outcome }) => outcome !== 'pending'));
    };
    await until(told, 20_000, () => 'every edge to be told about');
    const held = await at.dataarts();
    let unknown = 0;
    for (const [index, each] of owners.entries()) {
      const nodes = held.filter(({ outputs }) => outputs.some((output) => output.endsWith(`.dataartst${index}`)));
      const [edge] = (await at.status(each))?.edges ?? [];
      if (edge?.outcome === 'unknown') unknown += 1;
      if (edge?.outcome === 'unknown' || edge?.outcome === 'failed') expect(nodes.length).toBeLessThanOrEqual(1);
      else expect([edge?.outcome, nodes.length]).toEqual([expect.stringMatching(/registered|unchanged/), 1]);
    }
    expect(unknown).toBeLessThanOrEqual(DOUBTFUL.length);
  });

  test('Flink withdraws nothing by not answering', { timeout: 60_000 }, async () => {
    const at = await local({ FLINK_SOURCE: 'on' });
    const seed = JSON.parse(
      await readFile(join(import.meta.dirname, '../../events/flink-seed.json'), 'utf8'),
    ) as object;
    await at.sandbox('flink', 'PUT', 'seed', seed);
    const found = async () =>
      (await readdir(join(at.runtime.bucket, 'flink'), { recursive: true }))
        .filter((each) => each.endsWith('.json'))
        .sort();
    // A pass that is under way has looked before the jobs were there, and another one leaves the work to it.
    const afterAPass = async () => {
      await at.runtime.reconcile();
      return (await found()).length;
    };
    await expect.poll(afterAPass, { timeout: 20_000 }).toBe(2);
    const before = await found();
    for (const kind of KINDS) {
      await at.fault('flink', { kind, times: 4 });
      await at.runtime.reconcile();
      await at.clearFaults('flink');
      expect([kind, await found()]).toEqual([kind, before]);
    }
    await at.runtime.reconcile();
    expect(await found()).toEqual(before);
  });
});

test('the disk is full for a while: whoever writes is asked to come again, and nothing is lost', {
  timeout: 60_000,
}, async () => {
  const at = await local();
  await at.request('PUT', '/manifests/before.json', declared('dataphin', 'before'));
  // It is due when nothing can be written.
  await at.runtime.services.queue.send({ kind: 'converge', owner: 'manifests/before.json' }, { delayMs: 200 });
  let full = true;
  // What SQLite says when its file cannot grow (sqlite.org, "Result and Error Codes": SQLITE_FULL).
  const run = StatementSync.prototype.run;
  vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...given: unknown[]) {
    if (full && /insert|update|replace|delete/i.test(this.sourceSQL)) {
      throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
    }
    return (run as (...all: unknown[]) => ReturnType<StatementSync['run']>).apply(this, given);
  });
  const answers = await Promise.all([
    at.request('PUT', '/manifests/during.json', declared('dataphin', 'during')),
    at.request('DELETE', '/manifests/before.json'),
    at.request(
      'POST',
      '/api/v1/lineage',
      JSON.stringify({
        eventType: 'COMPLETE',
        eventTime: '2026-11-21T00:00:00Z',
        producer: 'p',
        run: { runId: 'r' },
        job: { namespace: 'n', name: 'j' },
        inputs: [],
        outputs: [],
      }),
    ),
  ]);
  expect(answers.map((each) => [each.status, each.headers.get('retry-after') !== null])).toEqual(
    answers.map(() => [503, true]),
  );
  expect(await answers[0]?.text()).toContain('free some space');
  // Reading goes on.
  expect((await at.request('GET', '/status/manifests/before.json')).status).toBe(200);
  const stood = () => at.log.lines.filter((line) => line.message === 'the queue stands still; it is tried again');
  await until(async () => stood().length > 0);
  full = false;
  await settled(at, [owner('dataphin', 'during').replace('dataphin-', '')], (state) => state === 'converged');
  const shown = async () =>
    (await at.dataphin()).map((each) => each.target.replace('odps.300000001.p.dataphint', '')).sort();
  // What was refused was not done in part either: it is still there to be removed.
  expect(await shown()).toEqual(['before', 'during']);
  expect((await at.request('DELETE', '/manifests/before.json')).status).toBe(200);
  expect(await shown()).toEqual(['during']);
  // What waits in the queue is taken again.
  await at.fault('dataphin', { kind: 'unavailable', times: 9, operation: 'AddRegisterLineage' });
  expect((await at.request('PUT', '/manifests/after.json', declared('dataphin', 'after'))).status).toBe(202);
  await at.clearFaults('dataphin');
  await at.statusWhen('manifests/after.json', ({ state }) => state === 'converged', 20_000);
});

test('the clock jumps forth and back: everything is done, once', { timeout: 60_000 }, async () => {
  const real = Date.now.bind(Date);
  let aheadMs = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + aheadMs);
  const at = await local();
  const jumps = [0, 600_000, -600_000, 300_000, -300_000, 0];
  const owners = jumps.flatMap((_, index) => [owner('dataphin', index), owner('dataarts', index)]);
  for (const [index, jump] of jumps.entries()) {
    aheadMs = jump;
    await at.fault('dataphin', { kind: 'unavailable', times: 1 });
    await at.request('PUT', `/${owner('dataphin', index)}`, declared('dataphin', index));
    await at.drop(owner('dataarts', index), declared('dataarts', index));
    await until(async () => (await at.status(owner('dataarts', index))) !== undefined, 10_000);
  }
  aheadMs = 0;
  await at.clearFaults('dataphin');
  await settled(at, owners, (state) => state === 'converged');
  expect(await at.dataphin()).toHaveLength(jumps.length);
  expect(await at.dataarts()).toHaveLength(jumps.length);
});
