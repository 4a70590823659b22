import { describe, expect, it } from 'vitest';
import { objectChange } from '../../functions/register/register.ts';
import { simulatedDataphinCredentials } from '../../local/simulators/dataphin/index.ts';
import { Failure, type FailureKind } from '../../shared/core/failure.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import { targetsOf } from '../../shared/targets.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { manifest } from './local.ts';
import { Place } from './passes.ts';

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

describe('something of ours that is denied', () => {
  const denied = (what: string) => (touched: string) => {
    if (touched === what) throw new Failure('denied', `${what} is denied`);
  };
  const change = (place: Place, touch?: (what: string) => void) =>
    objectChange({ key: OWNER }, place.services(touch ? { touch } : {}), place.now + 60_000);
  const status = async (place: Place) => {
    const object = await place.manifests.get(`status/${OWNER}.json`);
    return JSON.parse(Buffer.from(object?.bytes ?? []).toString('utf8')) as { state: string; problems?: object[] };
  };

  it('is no fault of a manifest, whose status stays', async () => {
    const place = new Place();
    await place.put(OWNER, [['a', 'b']]);
    await change(place);
    await expect(change(place, denied('ledger.get'))).rejects.toThrow('ledger.get is denied');
    expect(await status(place)).toMatchObject({ state: 'converged' });
  });

  it('is told in the status when it is the manifest itself, until it can be read', async () => {
    const place = new Place();
    await place.put(OWNER, [['a', 'b']]);
    await change(place);
    const unreadable = (what: string) => {
      denied('manifests.get')(what);
      denied('manifests.head')(what);
    };
    await expect(change(place, unreadable)).rejects.toThrow('is denied');
    expect(await status(place)).toMatchObject({ state: 'invalid', problems: [{ message: 'manifests.get is denied' }] });
    await change(place);
    expect(await status(place)).toMatchObject({ state: 'converged' });
  });
});

describe('secrets that cannot be read for a moment', () => {
  it('are read again in a minute for an owner that is waiting, not only by the next pass', async () => {
    const here = convergence({ register: async () => ({ receipt: 'r', ambiguous: false }) });
    const { targets } = here.deps;
    const problem = { target: 'dataphin', message: 'slow down', registers: true, passing: true };
    Object.assign(here.deps, { targets: async () => ({ list: [], problems: [problem] }) });
    await here.put(OWNER, manifest([['a', 'b']], { columns: [] }));
    await here.run(OWNER);
    expect((await here.status(OWNER)).state).toBe('pending');
    expect(here.sent).toEqual([{ message: { kind: 'converge', owner: OWNER }, delayMs: 60_000 }]);
    // It goes on: no message follows another while nothing changes but the words.
    problem.message = 'slow down, please';
    await here.run(OWNER);
    expect(here.sent).toHaveLength(1);
    Object.assign(here.deps, { targets });
    await here.run(OWNER);
    expect((await here.status(OWNER)).state).toBe('converged');
  });

  it('do not take away a target that could be used a moment ago', async () => {
    let failing: Failure | undefined;
    const secret = { ...simulatedDataphinCredentials, endpoint: 'https://dataphin.example.com' };
    const targets = targetsOf(
      {
        list: async () => ['lineage/dataphin'],
        get: async () => {
          if (failing) throw failing;
          return secret;
        },
      },
      { ledger: memoryLedger(), id: () => 'id', log: silentLog },
    );
    const before = await targets();
    expect(before).toMatchObject({ list: [{ name: 'dataphin' }], problems: [] });
    failing = new Failure('throttled', 'slow down');
    expect((await targets()).list).toEqual(before.list);
    failing = new Failure('missing', 'it was removed');
    expect(await targets()).toMatchObject({ list: [], problems: [{ target: 'dataphin' }] });
  });
});
