import { expect, it } from 'vitest';
import type { Decision } from '../../shared/converge/decide.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import { atOnce, settleUnits } from '../../shared/converge/settle.ts';
import type { Work } from '../../shared/converge/work.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import { SETTINGS, vendorOf } from './steady.ts';

function targetOf(vendor: string, client: Target['client'] = {}): Target {
  return { name: vendor, vendor: vendorOf(vendor), account: 'a', secret: {}, client, budget: {} };
}

function workOf(ledger: Ledger): Work {
  let ids = 0;
  const deps = {
    ledger,
    log: silentLog,
    now: Date.now,
    id: () => `id-${ids++}`,
    alive: () => false,
    settings: { ...SETTINGS, callBudgetMs: 10_000 },
  } as Partial<ConvergeDeps> as ConvergeDeps;
  const deadlineMs = Date.now() + 100_000;
  return {
    request: { owner: 'o', deadlineMs },
    deps,
    token: 't',
    leaseUntil: deadlineMs + 1,
    startedAt: 0,
    chunks: new Map(),
    doubtful: false,
  };
}

function decided(target: Target, count: number): Decision {
  const unit = (at: number) => ({ id: `u${at}`, from: [], to: [], spec: {}, columns: [], options: {}, paths: [] });
  const claims = new Map(Array.from({ length: count }, (_, at) => [`u${at}`, { target, unit: unit(at) }]));
  return { claims, withdraw: [], settle: [] } as Partial<Decision> as Decision;
}

it('works on more units at once where the budget lets their calls through, and on no more where nothing can be taken back', () => {
  const target = targetOf('dataphin');
  const of = (callsPerSecond: number) => atOnce({ ...target, budget: { callsPerSecond } }, { concurrency: 8 });
  expect(atOnce(target, { concurrency: 8 })).toBe(32);
  expect([of(1), of(5), of(12), of(1_000)]).toEqual([8, 10, 24, 32]);
  expect(atOnce(targetOf('dataarts'), { concurrency: 8 })).toBe(8);
  expect(atOnce({ ...target, budget: { callsPerDay: 1_000_000 } }, { concurrency: 8 })).toBe(8);
});

it('keeps as many under way as it may, also from one batch of rows to the next', async () => {
  const waiting: (() => void)[] = [];
  let most = 0;
  const register = async () => {
    await new Promise<void>((go) => {
      waiting.push(go);
      most = Math.max(most, waiting.length);
      // Only when as many wait as may be under way at this point of the 180 units, the first of them goes on.
      if (waiting.length === 32) waiting.shift()?.();
    });
    return { receipt: 'r', ambiguous: false };
  };
  const target = targetOf('dataphin', { register });
  const all = settleUnits(decided(target, 180), workOf(memoryLedger()));
  // The last ones have nobody to make up the number.
  const rest = setInterval(() => waiting.length < 32 && waiting.shift()?.(), 1);
  const results = await all;
  clearInterval(rest);
  expect(most).toBe(32);
  expect(results.map((each) => each.id)).toEqual(Array.from({ length: 180 }, (_, at) => `u${at}`));
});

it('lets what is under way come to its end when rows cannot be read, and only then gives up', async () => {
  const store = memoryLedger();
  let reads = 0;
  let underWay = 0;
  const ledger: Ledger = {
    ...store,
    getMany: (keys) => {
      reads += 1;
      return reads === 1 ? store.getMany(keys) : Promise.reject(new Error('no rows'));
    },
  };
  const register = async () => {
    underWay += 1;
    await new Promise((go) => setTimeout(go, 5));
    underWay -= 1;
    return { receipt: 'r', ambiguous: false };
  };
  const target = targetOf('dataphin', { register });
  await expect(settleUnits(decided(target, 500), workOf(ledger))).rejects.toThrow('no rows');
  expect(underWay).toBe(0);
  expect(reads).toBe(2);
  const rows = store.rows().map((row) => row.body['intent']);
  expect(rows).toEqual(Array.from({ length: 100 }, () => undefined));
});
