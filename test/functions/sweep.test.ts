import { expect, it } from 'vitest';
import { sweepLedger } from '../../functions/scheduled-reconcile/sweep.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { silentLog } from '../../shared/log.ts';
import type { Services } from '../../shared/wiring.ts';

const DAY_MS = 86_400_000;
const SIZES = { row: 300, field: 20, piece: 400 };

it('takes away once a day what writers that died left in the ledger, a part at a time', async () => {
  const store = memoryLedger();
  const clock = { now: Date.UTC(2026, 10, 21), ids: 0, looks: 0 };
  const now = () => clock.now;
  const dies = spilling(
    {
      ...store,
      write: (row, expected) => {
        if (row.key.startsWith('row/')) throw new Error('killed');
        return store.write(row, expected);
      },
    },
    SIZES,
    now,
  );
  for (let at = 0; at < 60; at += 1) {
    await expect(
      dies.write({ key: `row/${at}`, rev: `r${at}`, body: { text: 'x'.repeat(350) } }, null),
    ).rejects.toThrow();
  }
  const ledger = spilling(store, SIZES, now);
  const collect: typeof ledger.collect = async (options) => {
    clock.looks += 1;
    clock.now += 1_000;
    return ledger.collect(options);
  };
  const deps = { ledger: { ...ledger, collect }, now, id: () => `id-${clock.ids++}` };
  const services = { deps, log: silentLog } as Partial<Services> as Services;
  const left = () => store.rows().filter((row) => row.key.startsWith('piece/')).length;

  await sweepLedger(services, clock.now + 60_000);
  expect([left(), clock.looks]).toEqual([60, 3]);
  await sweepLedger(services, clock.now + 60_000);
  expect(clock.looks).toBe(3);

  clock.now += DAY_MS + 1;
  // Time for one part, and none for the next.
  await sweepLedger(services, clock.now + 10_500);
  expect([left(), clock.looks]).toEqual([35, 4]);
  await sweepLedger(services, clock.now + 9_000);
  expect(clock.looks).toBe(4);
  await sweepLedger(services, clock.now + 60_000);
  expect([left(), clock.looks]).toEqual([0, 6]);
});
