import { describe, expect, it } from 'vitest';
import { Failure, type FailureKind } from '../../shared/core/failure.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { manifest } from './local.ts';

const OWNER = 'manifests/a.json';
const text = manifest([['a', 'b']], { targets: ['dataarts'], columns: [] });

/** A vendor that takes nothing back, and a ledger whose writes of units fail `times` times once the vendor has answered. */
function answered(kind: FailureKind, times: number, answer: () => Promise<{ receipt: string; ambiguous: boolean }>) {
  let [calls, failures] = [0, 0];
  const inner = memoryLedger();
  const ledger: Ledger = {
    ...inner,
    write: async (row, expected) => {
      if (calls > 0 && failures < times && row.key.startsWith('unit/')) {
        failures += 1;
        throw new Failure(kind, 'the ledger cannot', { code: 'Ledger' });
      }
      return inner.write(row, expected);
    },
  };
  const client: VendorClient = {
    register: async () => {
      calls += 1;
      return answer();
    },
  };
  return { here: convergence(client, { vendor: 'dataarts', ledger }), calls: () => calls };
}

describe('a ledger that fails when the vendor has answered', () => {
  const done = async () => ({ receipt: 'node-1', ambiguous: false });

  it.each(['throttled', 'unavailable', 'unknown-outcome', 'denied'] as const)(
    '%s for a while: the answer is kept, and nobody has to look',
    async (kind) => {
      const { here, calls } = answered(kind, 3, done);
      await here.put(OWNER, text);
      await here.run(OWNER);
      expect(await here.status(OWNER)).toMatchObject({
        state: 'converged',
        edges: [{ outcome: 'registered', receipt: 'node-1' }],
      });
      expect(calls()).toBe(1);
    },
  );

  it('for a while, when nothing was sent: it is sent later, not looked for', async () => {
    let down = true;
    const { here, calls } = answered('throttled', 3, async () => {
      if (down) throw new Failure('unavailable', 'no way there', { maybeApplied: false });
      return done();
    });
    await here.put(OWNER, text);
    await here.run(OWNER);
    expect((await here.status(OWNER)).edges[0]).toMatchObject({ outcome: 'pending' });
    down = false;
    here.state.now += 60_000;
    await here.run(OWNER);
    expect([(await here.status(OWNER)).state, calls()]).toEqual(['converged', 2]);
  });

  it('for good: the status still names the edge, and why', async () => {
    const { here } = answered('throttled', Number.POSITIVE_INFINITY, done);
    await here.put(OWNER, text);
    await here.run(OWNER);
    expect(await here.status(OWNER)).toMatchObject({
      state: 'pending',
      counts: { pending: 1 },
      edges: [{ to: 'dataarts:db.b', outcome: 'pending', reason: 'the ledger cannot' }],
    });
  });
});

describe('presence that is refused to be read', () => {
  it.each(['rejected', 'invalid', 'conflict', 'missing'] as const)(
    '%s: it is asked once a day, or when somebody asks',
    async (kind) => {
      const pairs = Array.from({ length: 10 }, (_, at) => [`s${at}`, `t${at}`] as const);
      let [reads, registers, refuses] = [0, 0, true];
      const here = convergence({
        present: async () => {
          reads += 1;
          if (refuses) throw new Failure(kind, 'not this one');
          return { readable: true, edge: false, columns: [] };
        },
        register: async () => {
          registers += 1;
          return { receipt: 'r', ambiguous: false };
        },
      });
      await here.put(OWNER, manifest(pairs, { columns: [] }));
      const end = here.state.now + 12 * 3_600_000;
      await here.run(OWNER);
      // Whatever it sends itself, and a pass every quarter of an hour.
      for (; here.state.now < end; here.state.now += 900_000) await here.run(OWNER);
      expect(registers).toBe(0);
      // What somebody may grant meanwhile is tried some more often.
      expect(reads).toBeLessThanOrEqual(kind === 'missing' ? 10 * 20 : 10);
      expect((await here.status(OWNER)).edges[0]).toMatchObject({
        outcome: 'failed',
        reason: expect.stringContaining('presence could not be read: not this one'),
      });
      refuses = false;
      here.state.now += 12 * 3_600_000;
      await here.run(OWNER);
      expect([(await here.status(OWNER)).state, registers]).toEqual(['converged', 10]);
    },
  );
});
