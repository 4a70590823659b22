import { describe, expect, it } from 'vitest';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { Failure } from '../../shared/core/failure.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { BUDGET_UNREAD } from '../../shared/http/budget.ts';
import { ledgerCircuit } from '../../shared/ledger/circuit.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import { guarded } from '../../shared/vendors/guarded.ts';
import { bucket } from './bucket.ts';
import { manifest, pairs } from './local.ts';
import { SETTINGS, vendorOf } from './steady.ts';

const OWNERS = Array.from({ length: 50 }, (_, index) => `manifests/team-${index}.json`);

/** Processes on one ledger, all with an account that refuses their credentials until it does not. */
async function world(processes: number) {
  const inner = memoryLedger();
  const manifests = bucket();
  const state = { now: Date.UTC(2026, 10, 21), denied: true, calls: 0, ids: 0, ledgerDown: false };
  const ledger: Ledger = {
    ...inner,
    get: (key) =>
      state.ledgerDown && key.startsWith('circuit/')
        ? Promise.reject(new Failure('unavailable', 'the store is away'))
        : inner.get(key),
  };
  const id = () => `id-${state.ids++}`;
  const vendor = vendorOf('dataphin');
  const call = async () => {
    state.calls += 1;
    const { denied } = state;
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    if (denied) throw new Failure('denied', 'Grant the right "Register External Lineage".');
    return { receipt: 'r', ambiguous: false };
  };
  const start = (secret = 'aa'): ConvergeDeps => {
    const circuit = ledgerCircuit({ ledger, account: 'a', target: 'dataphin', secret, now: () => state.now, id });
    const client = guarded({ register: call, withdraw: call }, circuit);
    const target: Target = { name: 'dataphin', vendor, account: 'a', secret: {}, client, circuit };
    return {
      ledger,
      manifests,
      log: silentLog,
      queue: { send: async () => {} },
      targets: async () => ({ list: [target], problems: [] }),
      naming: async () => ({ etag: 'none', naming: NO_NAMING }),
      now: () => state.now,
      id,
      alive: (lease) => lease.until > state.now,
      settings: { ...SETTINGS, lateBoundMs: 1_000, callBudgetMs: 10_000 },
    };
  };
  const running = Array.from({ length: processes }, () => start());
  for (const [index, owner] of OWNERS.entries()) {
    await manifests.put(owner, Buffer.from(manifest(pairs(`t${index}_`, 5))), 'application/json');
  }
  /** All owners at once, spread over the processes; gives the calls they made. */
  const run = async (askedAt?: number, among: readonly ConvergeDeps[] = running) => {
    const before = state.calls;
    await Promise.all(
      OWNERS.map((owner, index) =>
        converge(
          { owner, deadlineMs: state.now + 60_000, ...(askedAt === undefined ? {} : { askedAt }) },
          among[index % among.length] as ConvergeDeps,
        ),
      ),
    );
    return state.calls - before;
  };
  const status = async (owner: string) =>
    JSON.parse(
      Buffer.from((await manifests.get(`status/${owner}.json`))?.bytes ?? []).toString('utf8'),
    ) as StatusDocument;
  const states = async () => new Set(await Promise.all(OWNERS.map(async (owner) => (await status(owner)).state)));
  return { state, run, start, status, states };
}

describe('an account that refuses our credentials', () => {
  it('is called once by each process when fifty owners converge at once, and then not at all', async () => {
    const { state, run, status } = await world(4);
    expect(await run()).toBeLessThanOrEqual(4);
    state.now += 5_000;
    expect(await run()).toBe(0);
    const { edges } = await status(OWNERS[7] ?? '');
    expect(edges).toHaveLength(5);
    for (const { outcome, reason } of edges) {
      expect(outcome).toBe('failed');
      expect(reason).toContain('Grant the right "Register External Lineage".');
      expect(reason).toMatch(/One call is tried at 2026-.*secret lineage\/dataphin.*POST \/reconcile/);
    }
  });

  it('is tried by one call of all processes after a pause, which doubles', async () => {
    const { state, run } = await world(4);
    await run();
    for (const pause of [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]) {
      state.now += pause - 1_000;
      expect(await run()).toBe(0);
      state.now += 1_001;
      expect(await run()).toBe(1);
    }
  });

  it('goes on by itself once a try is taken', async () => {
    const { state, run, states } = await world(4);
    await run();
    state.denied = false;
    state.now += 30_001;
    // The process that tries goes on at once, the others when they come back.
    expect(await run()).toBeGreaterThan(0);
    state.now += 40_001;
    await run();
    expect(await states()).toEqual(new Set(['converged']));
    expect(state.calls).toBeLessThanOrEqual(4 + 50 * 5);
  });

  it('is tried at once, by one call, when a person asks', async () => {
    const { state, run, states } = await world(1);
    await run();
    state.now += 1_000;
    expect(await run(state.now)).toBe(1);
    state.now += 1_000;
    state.denied = false;
    expect(await run()).toBe(0);
    expect(await run(state.now)).toBe(250);
    expect(await states()).toEqual(new Set(['converged']));
  });

  it('is another account as soon as the secret changes', async () => {
    const { state, run, start, states } = await world(2);
    await run();
    state.now += 1_000;
    state.denied = false;
    expect(await run()).toBe(0);
    expect(await run(undefined, [start('bb'), start('bb')])).toBe(250);
    expect(await states()).toEqual(new Set(['converged']));
  });

  it('stops the calls of a process even when its store cannot be read', async () => {
    const { state, run } = await world(2);
    state.ledgerDown = true;
    expect(await run()).toBeLessThanOrEqual(2);
    expect(await run()).toBeLessThanOrEqual(2);
  });

  const circuitOf = (sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>) => {
    const ledger = memoryLedger();
    return ledgerCircuit({
      ...{ ledger, account: 'a', target: 'dataarts', secret: 'aa', now: Date.now, id: () => String(Math.random()) },
      ...(sleep ? { sleep } : {}),
    });
  };
  const soon = () => Date.now() + 60_000;

  it('is not known to take us by a call that was never sent', async () => {
    const circuit = circuitOf();
    const unread = async () => Promise.reject(new Failure('unavailable', 'no budget', { code: BUDGET_UNREAD }));
    await expect(circuit.run(soon(), unread)).rejects.toThrow('no budget');
    let calls = 0;
    const denied = async () => {
      calls += 1;
      await new Promise((done) => setImmediate(done));
      throw new Failure('denied', 'wrong keys');
    };
    await Promise.allSettled(Array.from({ length: 8 }, () => circuit.run(soon(), denied)));
    expect(calls).toBe(1);
  });

  it('keeps nobody waiting for the first call beyond its deadline, nor for one that goes on and on', async () => {
    const slept: number[] = [];
    const circuit = circuitOf(async (ms) => void slept.push(ms));
    let end = () => {};
    const first = circuit.run(
      soon(),
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await expect(circuit.run(Date.now(), async () => 'too late')).rejects.toMatchObject({
      kind: 'unavailable',
      maybeApplied: false,
    });
    expect(await circuit.run(soon(), async () => 'went on')).toBe('went on');
    expect(slept).toEqual([0, 5_000]);
    end();
    await first;
  });
});
