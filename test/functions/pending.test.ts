import { describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { ledgerBudget } from '../../shared/ledger/budget.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { convergence } from './convergence.ts';
import { manifest, pairs } from './local.ts';

const OWNER = 'manifests/a.json';
const done = { receipt: 'r', ambiguous: false };

describe('what cannot begin now is pending, not failed', () => {
  it('waits for the next day when the day is spent, and says so', async () => {
    const ledger = memoryLedger();
    let writes = 0;
    let calls = 0;
    const counted = {
      ...ledger,
      write: (...given: Parameters<typeof ledger.write>) => {
        writes += 1;
        return ledger.write(...given);
      },
    };
    const here = convergence(
      {
        async register(_call, { deadlineMs }) {
          await permit(deadlineMs);
          calls += 1;
          return done;
        },
      },
      { ledger: counted },
    );
    const { permit } = ledgerBudget({
      ledger,
      account: 'a',
      budget: { callsPerDay: 30 },
      now: () => here.state.now,
      sleep: async () => {},
      id: here.deps.id,
    });
    await here.put(OWNER, manifest(pairs('t', 200)));
    expect(await here.run(OWNER)).toMatchObject({ kind: 'unfinished' });
    const status = await here.status(OWNER);
    expect(status.state).toBe('pending');
    expect(status.counts).toEqual({ registered: 30, pending: 170 });
    expect(status.edges[0]?.reason).toMatch(/30 calls a day are spent.*goes on by itself at 2026-11-22T00:00:00/);
    // A message can wait for a quarter of an hour at most; looking then costs next to nothing.
    expect(here.sent.at(-1)?.delayMs).toBe(900_000);
    writes = 0;
    here.state.now += 900_000;
    await here.run(OWNER);
    expect(calls).toBe(30);
    expect(writes).toBeLessThan(15);
    for (let day = 0; day < 6; day += 1) {
      here.state.now += 86_400_000;
      await here.run(OWNER);
    }
    expect((await here.status(OWNER)).counts).toMatchObject({ registered: 200 });
    expect(calls).toBe(200);
  });

  it('comes back when the budget of a second has a call again', async () => {
    const ledger = memoryLedger();
    const here = convergence(
      {
        async register(_call, { deadlineMs }) {
          await permit(deadlineMs);
          return done;
        },
      },
      { ledger, settings: { concurrency: 1 } },
    );
    const budget = { callsPerSecond: 0.05 };
    const now = () => here.state.now;
    const sleep = async (ms: number) => {
      here.state.now += ms;
    };
    const { permit } = ledgerBudget({ ledger, account: 'a', budget, now, sleep, id: here.deps.id });
    await here.put(OWNER, manifest(pairs('t', 2)));
    await here.run(OWNER);
    const { counts, edges } = await here.status(OWNER);
    expect(counts).toEqual({ registered: 1, pending: 1 });
    expect(edges[0]?.reason).toContain(new Date(Date.UTC(2026, 10, 21, 12, 0, 20)).toISOString());
    expect(here.sent.at(-1)?.delayMs).toBe(20_000);
  });

  it('keeps the last real answer in sight while its turn has not come', async () => {
    let answer: Failure | undefined = new Failure('unavailable', 'Dataphin says 503.');
    const here = convergence({
      async register() {
        if (answer) throw answer;
        return done;
      },
    });
    await here.put(OWNER, manifest(pairs('t', 1)));
    await here.run(OWNER);
    expect((await here.status(OWNER)).edges[0]).toMatchObject({ outcome: 'pending', reason: 'Dataphin says 503.' });
    await here.run(OWNER, 1_000);
    const waiting = (await here.status(OWNER)).edges[0];
    expect(waiting?.outcome).toBe('pending');
    expect(waiting?.reason).toMatch(/turn has not come.*The last answer was: Dataphin says 503\./);
    answer = undefined;
    await here.run(OWNER);
    expect((await here.status(OWNER)).edges[0]).toMatchObject({ outcome: 'registered' });
    expect(JSON.stringify((await here.ledger.get(await unitKey(here.ledger)))?.body)).not.toContain('503');
  });

  it('comes back no sooner than the vendor asked', async () => {
    const here = convergence({
      register: () => Promise.reject(new Failure('throttled', 'Slow down.', { retryAfterMs: 77_000 })),
    });
    await here.put(OWNER, manifest(pairs('t', 1)));
    await here.run(OWNER);
    expect(here.sent.at(-1)?.delayMs).toBe(77_000);
  });
});

async function unitKey(ledger: { find(index: string): Promise<{ items: readonly string[] }> }): Promise<string> {
  return (await ledger.find('units')).items[0] ?? '';
}
