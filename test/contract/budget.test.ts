import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { BUDGET_UNREAD } from '../../shared/http/budget.ts';
import { ledgerBudget } from '../../shared/ledger/budget.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';

/** A process of its own: its clock runs `skewMs` ahead of the world's. */
function world(skews: readonly number[], budget: { callsPerSecond?: number; callsPerDay?: number }) {
  let time = Date.UTC(2026, 10, 21, 12);
  let writes = 0;
  let count = 0;
  const sleepers: { at: number; wake: () => void }[] = [];
  const inner = memoryLedger();
  const ledger: Ledger = {
    ...inner,
    write: (row, expected) => {
      writes += 1;
      return inner.write(row, expected);
    },
  };
  const processes = skews.map((skewMs) =>
    ledgerBudget({
      ledger,
      account: 'a',
      budget,
      now: () => time + skewMs,
      sleep: (ms) => new Promise((wake) => sleepers.push({ at: time + ms, wake })),
      id: () => `r${count++}`,
    }),
  );
  const settle = async () => {
    for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
  };
  return {
    processes,
    now: () => time,
    writes: () => writes,
    /** Lets time pass to the next sleeper's end, at most to `until`. */
    async advance(until: number) {
      await settle();
      while (time < until) {
        const next = Math.min(until, ...sleepers.map((each) => each.at));
        time = Math.max(time, next);
        for (const each of sleepers.splice(0).sort((a, b) => a.at - b.at)) {
          if (each.at <= time) each.wake();
          else sleepers.push(each);
        }
        await settle();
      }
    },
  };
}

/** How many of the times fall into the fullest window. */
function fullest(times: readonly number[], windowMs: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.max(...sorted.map((start) => sorted.filter((time) => time >= start && time < start + windowMs).length));
}

async function load(skews: readonly number[], callsPerSecond: number, seconds: number) {
  const here = world(skews, { callsPerSecond });
  const made: number[] = [];
  const end = here.now() + seconds * 1_000;
  for (const { permit } of here.processes) {
    for (let caller = 0; caller < 4; caller += 1) {
      void (async () => {
        for (;;) {
          await permit(Number.POSITIVE_INFINITY);
          made.push(here.now());
        }
      })();
    }
  }
  await here.advance(end);
  return { made, writes: here.writes() };
}

it.each([5, 20, 50])('keeps %i calls a second over four processes, and uses them', async (perSecond) => {
  const { made, writes } = await load([0, 0, 0, 0], perSecond, 30);
  expect(fullest(made, 1_000)).toBeLessThanOrEqual(perSecond * 1.2);
  expect(made.length).toBeGreaterThan(perSecond * 30 * 0.9);
  expect(writes).toBeLessThan(made.length * 0.6);
});

it('is right on the long average when clocks differ by five seconds', async () => {
  const { made } = await load([-5_000, 0, 5_000], 20, 60);
  expect(made.length).toBeLessThanOrEqual(20 * 66);
  expect(made.length).toBeGreaterThan(20 * 60 * 0.5);
});

it('gives verification a fifth of the budget, and the rest to work', async () => {
  const here = world([0, 0], { callsPerSecond: 20 });
  const made = { verify: 0, work: 0 };
  const end = here.now() + 30_000;
  for (const { permit } of here.processes) {
    for (const lane of ['verify', 'work'] as const) {
      for (let caller = 0; caller < 3; caller += 1) {
        void (async () => {
          for (;;) {
            await permit(Number.POSITIVE_INFINITY, lane === 'verify' ? lane : undefined);
            made[lane] += 1;
          }
        })();
      }
    }
  }
  await here.advance(end);
  expect(made.verify).toBeLessThanOrEqual(0.2 * 20 * 30 + 4);
  expect(made.verify).toBeGreaterThan(0.12 * 20 * 30);
  expect(made.work + made.verify).toBeLessThanOrEqual(20 * 30 * 1.05);
  expect(made.work).toBeGreaterThan(0.7 * 20 * 30);
});

it('counts verification against the day, of which it may take a fifth', async () => {
  const here = world([0], { callsPerDay: 10 });
  const [only] = here.processes;
  await only?.permit(Number.POSITIVE_INFINITY, 'verify');
  await only?.permit(Number.POSITIVE_INFINITY, 'verify');
  await expect(only?.permit(Number.POSITIVE_INFINITY, 'verify')).rejects.toThrow('2 calls a day are spent');
  for (let call = 0; call < 8; call += 1) await only?.permit(Number.POSITIVE_INFINITY);
  await expect(only?.permit(Number.POSITIVE_INFINITY)).rejects.toThrow('10 calls a day are spent');
});

it('says when a spent day begins anew, and counts across processes', async () => {
  const here = world([0, 0], { callsPerDay: 3 });
  const [first, second] = here.processes;
  await first?.permit(Number.POSITIVE_INFINITY);
  await second?.permit(Number.POSITIVE_INFINITY);
  await first?.permit(Number.POSITIVE_INFINITY);
  const refused = second?.permit(Number.POSITIVE_INFINITY);
  await expect(refused).rejects.toMatchObject({
    kind: 'throttled',
    code: 'budget-spent',
    retryAfterMs: 12 * 3_600_000,
  });
  await expect(second?.permit(Number.POSITIVE_INFINITY)).rejects.toThrow('2026-11-22T00:00:00.000Z');
  await here.advance(here.now() + 12 * 3_600_000 + 1);
  await expect(second?.permit(Number.POSITIVE_INFINITY)).resolves.toBeUndefined();
});

it('spaces the calls of one process evenly', async () => {
  const here = world([0], { callsPerSecond: 5 });
  const [only] = here.processes;
  const start = here.now();
  const at: number[] = [];
  void (async () => {
    for (;;) {
      await only?.permit(Number.POSITIVE_INFINITY);
      at.push(here.now() - start);
    }
  })();
  await here.advance(start + 1_000);
  expect(at.slice(0, 5)).toEqual([0, 200, 400, 600, 800]);
});

it('limits nothing, and writes nothing, without a number', async () => {
  const here = world([0], {});
  for (let call = 0; call < 1_000; call += 1) await here.processes[0]?.permit(0);
  expect(here.writes()).toBe(0);
});

it('refuses at once what could not start before its deadline', async () => {
  const here = world([0], { callsPerSecond: 1 });
  const [only] = here.processes;
  const [, late] = [only?.permit(here.now() + 10), only?.permit(here.now() + 10)];
  await expect(late).rejects.toMatchObject({ code: 'budget-spent' });
});

it('holds between real processes on one sqlite ledger', { timeout: 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-budget-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const child = new URL('./budget-child.ts', import.meta.url).pathname;
  const run = () =>
    promisify(execFile)(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      child,
      join(folder, 'l.db'),
      '20',
      '4000',
    ]);
  const outputs = await Promise.all([run(), run(), run()]);
  const times = outputs.flatMap(({ stdout }) => stdout.trim().split('\n').filter(Boolean).map(Number));
  // Timers of a busy machine may be late by some milliseconds, which moves calls between windows.
  expect(fullest(times, 1_000)).toBeLessThanOrEqual(24);
  expect(times.length).toBeGreaterThan(40);
});

it('says that nothing was sent when the ledger is in doubt about the slots, and gives them when it answers again', async () => {
  const inner = memoryLedger();
  let lost: 'read' | 'write' | undefined = 'write';
  const failing = (kind: 'denied' | 'unknown-outcome') =>
    Promise.reject(new Failure(kind, 'the ledger hung up', { code: 'Cut' }));
  const { permit } = ledgerBudget({
    ledger: {
      ...inner,
      get: (key) => (lost === 'read' ? failing('denied') : inner.get(key)),
      write: async (row, expected) => {
        const done = await inner.write(row, expected);
        return lost === 'write' ? failing('unknown-outcome') : done;
      },
    },
    account: 'a',
    budget: { callsPerSecond: 5 },
    now: () => 0,
    sleep: async () => {},
    id: () => Math.random().toString(36),
  });
  const refused = { kind: 'unavailable', code: BUDGET_UNREAD, maybeApplied: false, status: undefined };
  await expect(permit(60_000)).rejects.toMatchObject({
    ...refused,
    message: expect.stringContaining('Nothing was sent'),
  });
  lost = 'read';
  await expect(permit(60_000, 'verify')).rejects.toMatchObject(refused);
  lost = undefined;
  await permit(60_000);
});
