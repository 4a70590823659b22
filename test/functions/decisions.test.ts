import { describe, expect, it } from 'vitest';
import { converge } from '../../shared/converge/converge.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { judge } from '../../shared/converge/vanish.ts';
import { verifyPass } from '../../shared/converge/verify-pass.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import type { Call, VendorClient, WithdrawCall } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { manifest, pairs } from './local.ts';

/** What the protocol leaves open is decided here, one test a decision (shared/converge/README.md). */
const A = 'manifests/a.json';
const B = 'manifests/b.json';

/** Dataphin as its page describes it, in a few lines: pairs with columns, cascade with the last of them. */
function vendor() {
  const edges = new Map<string, Map<string, ColumnEdge>>();
  const state = { calls: 0, tags: new Map<string, unknown>() };
  const keyOf = ({ from, to }: Pick<Call, 'from' | 'to'>) =>
    `${from[0]?.name}>${to[0]?.name}`.replaceAll('odps.300000001.p.', '');
  const add = (call: Call) => {
    const edge = edges.get(keyOf(call)) ?? new Map<string, ColumnEdge>();
    for (const each of call.columns) edge.set(each.to.column, each);
    edges.set(keyOf(call), edge);
    state.tags.set(keyOf(call), call.options['relationProperties']);
  };
  const remove = (call: WithdrawCall) => {
    const edge = edges.get(keyOf(call));
    if (!edge) return;
    let took = 0;
    for (const each of call.columns) if (edge.delete(each.to.column)) took += 1;
    if (call.columns.length === 0 || (call.cascade && took > 0 && edge.size === 0)) edges.delete(keyOf(call));
  };
  const client: VendorClient = {
    async register(call) {
      state.calls += 1;
      add(call);
      return { receipt: 'r', ambiguous: false };
    },
    async withdraw(call) {
      state.calls += 1;
      remove(call);
      return { receipt: 'r', ambiguous: false };
    },
    async present(call) {
      const edge = edges.get(keyOf(call));
      return { edge: edge !== undefined, columns: [...(edge?.values() ?? [])] };
    },
    async verify(units) {
      return units.map((unit) => {
        const edge = edges.get(keyOf(unit));
        const others = [...edges.keys()]
          .filter((key) => key.endsWith(`>${keyOf(unit).split('>')[1]}`) && key !== keyOf(unit))
          .map((key) => ({ from: key.split('>')[0] ?? '', to: key.split('>')[1] ?? '' }));
        return { readable: true, edge: edge !== undefined, columns: [...(edge?.values() ?? [])], others };
      });
    },
  };
  return { client, edges, state };
}

function world(settings = {}) {
  const at = vendor();
  const here = convergence(at.client, { settings });
  /** The object goes, and time passes until it is judged. */
  const vanish = async (...owners: string[]) => {
    for (const owner of owners) await here.deps.manifests.delete(owner);
    for (const owner of owners) await here.run(owner);
    here.state.now += here.deps.settings.graceMs + 1_000;
    const message = here.sent.map((each) => each.message).findLast((each) => each.kind === 'judge');
    if (message?.kind === 'judge') await judge(message.target, message.ticket, here.deps);
    for (const owner of owners) await here.run(owner);
  };
  const verify = (prune: boolean) =>
    verifyPass(here.deps, { deadlineMs: here.state.now + 60_000, deep: true, heal: true, prune });
  return { ...here, at, vanish, verify };
}

const column = (name: string): ColumnEdge => ({
  from: { table: 0, column: name },
  to: { table: 0, column: name },
  direct: true,
});

describe('what a vendor refuses for good', () => {
  it('is settled as failed for that content, and tried again only when the content changes', async () => {
    let calls = 0;
    const here = convergence({
      async register() {
        calls += 1;
        throw new Failure('rejected', 'not like this');
      },
    });
    await here.put(A, manifest([['a', 'b']]));
    expect(await here.run(A)).toMatchObject({ kind: 'done', status: { state: 'failed' } });
    expect(await here.run(A)).toEqual({ kind: 'unchanged' });
    await here.put(A, manifest([['a', 'b']], { columns: ['other'] }));
    await here.run(A);
    expect(calls).toBe(2);
  });
});

describe('owners that disagree on an option', () => {
  const tagged = (tag: string, pair: readonly [string, string] = ['a', 'b']) => {
    const written = JSON.parse(manifest([pair])) as { lineage: { dataphin?: object }[] };
    for (const entry of written.lineage) entry.dataphin = { relationProperties: { tag } };
    return JSON.stringify(written);
  };

  it('get the one of the smallest key, are told, and cause no call by being looked at', async () => {
    const { put, run, status, at } = world();
    await put(B, tagged('of-b'));
    await run(B);
    await put(A, tagged('of-a'));
    await run(A);
    expect(at.state.tags.get('a>b')).toEqual({ tag: 'of-a' });
    const { calls } = at.state;
    for (const owner of [A, B, A, B]) await run(owner);
    expect(at.state.calls).toBe(calls);
    expect((await status(A)).edges[0]).toMatchObject({ outcome: 'conflict', reason: expect.stringContaining(A) });
  });

  it('are all told, those as well that were there first, and again when they agree; whatever dies on the way', async () => {
    const { put, run, status, sent, deps, ledger, state } = world();
    const deliver = async () => {
      for (let round = 0; round < 3; round += 1)
        for (const { message } of sent.splice(0))
          if (message.kind === 'converge') await converge({ ...message, deadlineMs: state.now + 60_000 }, deps);
      expect(sent).toEqual([]);
    };
    const outcome = async (owner: string) => (await status(owner)).edges[0]?.outcome;
    await put(B, tagged('of-b'));
    await run(B);
    expect(await outcome(B)).toBe('registered');
    await put(A, tagged('of-a'));
    let dies = true;
    const write: typeof ledger.write = async (row, expected) => {
      if (dies && row.body['told'] !== undefined) throw new Failure('unavailable', 'the ledger is away');
      return ledger.write(row, expected);
    };
    Object.assign(deps, { ledger: { ...ledger, write } });
    await expect(run(A)).rejects.toThrow('away');
    dies = false;
    // Until its lease is over, nobody knows that it died.
    state.now += 120_000;
    await run(A);
    await deliver();
    expect(await outcome(A)).toBe('conflict');
    expect((await status(B)).edges[0]).toMatchObject({ outcome: 'conflict', reason: expect.stringContaining(A) });
    await put(A, tagged('of-a', ['c', 'd']));
    await run(A);
    await deliver();
    expect(await outcome(B)).toBe('registered');
  });
});

describe('the first contact with a newly configured target', () => {
  it('waits for a person, once for all owners, and holds up nothing else', async () => {
    const { put, run, status, deps, at, ledger, state } = world();
    await put(A, manifest([['a', 'b']]));
    await run(A);
    state.now += 1_000;
    const { list } = await deps.targets();
    const second = list.map((target) => ({ ...target, name: 'dataphin/other', account: 'other' }));
    const both = { ...deps, targets: async () => ({ list: [...list, ...second], problems: [] }) };
    Object.assign(deps, both);
    await put(
      A,
      manifest(
        [
          ['a', 'b'],
          ['a', 'c'],
        ],
        { targets: ['dataphin', 'dataphin/other'] },
      ),
    );
    const { calls } = at.state;
    await run(A);
    const { state: outcome, edges, held } = await status(A);
    expect(outcome).toBe('held');
    expect(edges.map((edge) => `${edge.target} ${edge.outcome}`).sort()).toEqual([
      'dataphin registered',
      'dataphin unchanged',
      'dataphin/other held',
      'dataphin/other held',
    ]);
    expect(at.state.calls).toBe(calls + 1);
    expect((await ledger.find('held')).items).toHaveLength(1);
    expect(await releaseHold(String((held as { id: string }).id), deps)).toEqual([A]);
    await run(A);
    expect((await status(A)).state).toBe('converged');
  });
});

describe('a target that cannot be used for a while', () => {
  const gone = { target: 'dataphin', message: 'no host', registers: true };
  const two = { targets: ['dataphin', 'dataphin/other'] };

  it('comes back under its name with another account: that is a first contact all the same', async () => {
    const { put, run, status, deps, at } = world();
    const { list } = await deps.targets();
    await put(A, manifest([['a', 'b']]));
    await run(A);
    Object.assign(deps, { targets: async () => ({ list: [], problems: [gone] }) });
    await run(A);
    expect((await status(A)).state).toBe('pending');
    const { calls } = at.state;
    Object.assign(deps, {
      targets: async () => ({ list: list.map((each) => ({ ...each, account: 'another' })), problems: [] }),
    });
    await run(A);
    expect([(await status(A)).state, at.state.calls]).toEqual(['held', calls]);
    Object.assign(deps, { targets: async () => ({ list, problems: [] }) });
    await run(A);
    expect((await status(A)).state).toBe('converged');
  });

  it('is none for an owner that was new while it could not be used', async () => {
    const { put, run, status, deps } = world();
    const { list } = await deps.targets();
    const late = { ...gone, target: 'dataphin/other' };
    Object.assign(deps, { targets: async () => ({ list, problems: [late] }) });
    await put(A, manifest([['a', 'b']], two));
    await run(A);
    await put(A, manifest([['a', 'c']], two));
    await run(A);
    const second = list.map((target) => ({ ...target, name: 'dataphin/other', account: 'other' }));
    Object.assign(deps, { targets: async () => ({ list: [...list, ...second], problems: [] }) });
    await run(A);
    expect((await status(A)).state).toBe('converged');
  });
});

describe('what the threshold of withdrawals does not see', () => {
  it('manifests that vanish one after another, further apart than the grace time, each go alone', async () => {
    const { put, run, vanish, at } = world({ graceMs: 10_000 });
    const owners = Array.from({ length: 6 }, (_, index) => `manifests/${index}.json`);
    for (const [index, owner] of owners.entries()) {
      await put(owner, manifest(pairs(`o${index}_`, 4)));
      await run(owner);
    }
    for (const owner of owners) await vanish(owner);
    expect(at.edges.size).toBe(0);
  });

  it('together they are held', async () => {
    const { put, run, vanish, at, status } = world({ graceMs: 10_000 });
    const owners = Array.from({ length: 6 }, (_, index) => `manifests/${index}.json`);
    for (const [index, owner] of owners.entries()) {
      await put(owner, manifest(pairs(`o${index}_`, 4)));
      await run(owner);
    }
    await vanish(...owners);
    expect(at.edges.size).toBe(24);
    expect((await status(owners[3] ?? '')).state).toBe('held');
  });

  it('edits that each withdraw a little go on', async () => {
    const { put, run, at } = world();
    for (const left of [20, 15, 11, 8, 6]) {
      await put(A, manifest(pairs('t', left)));
      await run(A);
      expect(at.edges.size).toBe(left);
    }
  });
});

describe('a tombstone', () => {
  it('that the store has not dropped long after its end still says what was there before us', async () => {
    const { put, run, vanish, at, state, ledger } = world();
    at.edges.set('a>b', new Map([['theirs', column('theirs')]]));
    await put(A, manifest([['a', 'b']], { columns: ['id'] }));
    await run(A);
    await vanish(A);
    expect([...(at.edges.get('a>b')?.keys() ?? [])]).toEqual(['theirs']);
    state.now += 3 * 86_400_000;
    await put(A, manifest([['a', 'b']], { columns: ['id', 'theirs'] }));
    await run(A);
    const rows = await ledger.find('units');
    const unit = decodeUnit((await ledger.get(rows.items[0] ?? ''))?.body ?? {});
    expect(unit.foreign).not.toBe(0n);
    await vanish(A);
    expect([...(at.edges.get('a>b')?.keys() ?? [])]).toEqual(['theirs']);
  });
});

describe('columns that others add to an edge of ours', () => {
  it('stay when our columns go, and the edge with them', async () => {
    const { put, run, vanish, at, verify } = world();
    await put(A, manifest([['a', 'b']], { columns: ['id'] }));
    await run(A);
    at.edges.get('a>b')?.set('theirs', column('theirs'));
    expect((await verify(true)).foreign).toMatchObject([{ columns: [['theirs', 'theirs']] }]);
    await vanish(A);
    expect([...(at.edges.get('a>b')?.keys() ?? [])]).toEqual(['theirs']);
  });

  it('go with an edge that we registered without columns: there is no call that takes the edge alone', async () => {
    const { put, run, vanish, at } = world();
    await put(A, manifest([['a', 'b']], { columns: [] }));
    await run(A);
    at.edges.get('a>b')?.set('theirs', column('theirs'));
    await vanish(A);
    expect(at.edges.size).toBe(0);
  });
});

describe('a call that is later than anybody waits for', () => {
  it('shows up as lineage that is not ours, when what it brings was never known to be there', async () => {
    const { put, run, vanish, at, verify } = world();
    await put(
      A,
      manifest(
        [
          ['a', 'b'],
          ['c', 'b'],
        ],
        { columns: [] },
      ),
    );
    await run(A);
    await vanish(A);
    await put(A, manifest([['c', 'b']], { columns: [] }));
    await run(A);
    at.edges.set('a>b', new Map());
    const found = await verify(true);
    expect(found.foreign).toEqual([{ target: 'dataphin', from: 'a', to: 'b' }]);
    expect(at.edges.has('a>b')).toBe(true);
  });

  it('is withdrawn again, with pruning, when it brings back columns that we took away', async () => {
    const { put, run, at, verify } = world();
    await put(A, manifest([['a', 'b']], { columns: ['id', 'old'] }));
    await run(A);
    await put(A, manifest([['a', 'b']], { columns: ['id'] }));
    await run(A);
    at.edges.get('a>b')?.set('old', column('old'));
    expect(await verify(true)).toMatchObject({ healed: 1, drifted: [{ kind: 'returned' }] });
    await run(A);
    expect([...(at.edges.get('a>b')?.keys() ?? [])]).toEqual(['id']);
  });
});

describe('what others take from an edge of ours', () => {
  it('does not leave its bare edge behind, when we withdraw the rest before anybody compares', async () => {
    const { put, run, vanish, at } = world();
    await put(A, manifest([['a', 'b']], { columns: ['id'] }));
    await run(A);
    at.edges.get('a>b')?.delete('id');
    await vanish(A);
    expect([...at.edges]).toEqual([]);
  });
});
