import { describe, expect, it } from 'vitest';
import { verifyPass } from '../../shared/converge/verify-pass.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import type { Call, VendorClient, WithdrawCall } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { local, manifest, outcomes, until } from './local.ts';

const OWNER = 'manifests/wide.json';
const wide = (count: number) =>
  manifest([['a', 'b']], { columns: Array.from({ length: count }, (_, index) => `c${index}`) });

describe('a change of several calls is read back at Dataphin', () => {
  it('once, with explicit flags, and nothing else is read', async () => {
    const here = await local();
    await here.drop(OWNER, wide(250));
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    const calls = await here.calls('dataphin');
    expect(calls.map((call) => call.operation)).toEqual([
      'GetTableLineages', // was it there before us?
      'AddRegisterLineage',
      'AddRegisterLineage',
      'AddRegisterLineage',
      'GetTableColumnLineages',
    ]);
    expect(JSON.stringify(calls.at(-1)?.request)).toMatch(
      /"NeedUpstream.{1,5}true.*NeedDownstream.{1,5}false.*NeedNotExistObject.{1,5}true/,
    );
    expect((await here.dataphin())[0]?.columns).toHaveLength(250);
    await here.forgetCalls();
    await here.drop(OWNER, wide(251));
    await here.statusWhen(OWNER, (each) => outcomes(each).includes('registered') && each.state === 'converged');
    expect((await here.calls('dataphin')).filter((call) => call.operation.startsWith('Get'))).toEqual([]);
  });

  it('says so when Dataphin keeps only the columns of the last call', async () => {
    const here = await local({ DRIFT_DETECT: '0' });
    await here.sandbox('dataphin', 'PUT', 'modes', { repeatAdd: 'replace' });
    await here.drop(OWNER, wide(250));
    const status = await here.statusWhen(OWNER, (each) => outcomes(each).includes('failed'));
    expect(status.edges[0]?.reason).toMatch(/took all columns, twice, and does not show \d+ of them/);
    const calls = (await here.calls('dataphin')).length;
    expect(calls).toBeLessThan(12);
    await here.runtime.reconcile();
    expect(await here.calls('dataphin')).toHaveLength(calls);
  });

  it('sends again what got lost on the way', async () => {
    const shown = new Map<string, ColumnEdge>();
    let calls = 0;
    const here = convergence({
      async register({ columns }: Call) {
        calls += 1;
        for (const each of columns) if (calls !== 2) shown.set(each.to.column, each);
        return { receipt: `r${calls}`, ambiguous: false };
      },
      async verify(units: readonly Call[]) {
        return units.map(() => ({ readable: true, edge: true, columns: [...shown.values()], others: [] }));
      },
    });
    await here.put(OWNER, wide(250));
    expect(await here.run(OWNER)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect(shown.size).toBe(250);
    expect(calls).toBe(4);
  });

  it('goes on where it was interrupted, and still reads back', async () => {
    let reads = 0;
    let calls = 0;
    const shown = new Map<string, ColumnEdge>();
    const here = convergence({
      async register({ columns }: Call) {
        calls += 1;
        here.state.now += 11_000;
        for (const each of columns) shown.set(each.to.column, each);
        return { receipt: 'r', ambiguous: false };
      },
      async verify(units: readonly Call[]) {
        reads += 1;
        return units.map(() => ({ readable: true, edge: true, columns: [...shown.values()], others: [] }));
      },
    });
    await here.put(OWNER, wide(250));
    expect(await here.run(OWNER, 15_000)).toMatchObject({ kind: 'unfinished' });
    expect(await here.run(OWNER, 15_000)).toMatchObject({ kind: 'unfinished' });
    expect(reads).toBe(0);
    expect(await here.run(OWNER, 90_000)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect({ reads, calls }).toEqual({ reads: 1, calls: 3 });
  });
});

const column = (name: string): ColumnEdge => ({
  from: { table: 0, column: name },
  to: { table: 0, column: name },
  direct: true,
});

/** Dataphin in a few lines, for one edge; what `neglects` names it says is done, and does not do. */
function dataphin(neglects: (call: string, times: number) => boolean = () => false) {
  const columns = new Map<string, ColumnEdge>();
  const at = { edge: false, columns, calls: [] as string[], unreadable: undefined as Failure | undefined };
  const times = new Map<string, number>();
  const did = (call: string): boolean => {
    at.calls.push(call);
    times.set(call, (times.get(call) ?? 0) + 1);
    return !neglects(call, times.get(call) ?? 0);
  };
  const read = (kind: string) => {
    at.calls.push(kind);
    if (at.unreadable) throw at.unreadable;
    return { edge: at.edge, columns: [...columns.values()] };
  };
  const client: VendorClient = {
    async register(call: Call) {
      at.edge = true;
      if (did(`add ${call.columns.length}`)) for (const each of call.columns) columns.set(each.to.column, each);
      return { receipt: 'r', ambiguous: false };
    },
    async withdraw(call: WithdrawCall) {
      const before = columns.size;
      if (did(`delete ${call.columns.length}${call.cascade ? ' cascade' : ''}`)) {
        for (const each of call.columns) columns.delete(each.to.column);
        const tookLast = columns.size < before && columns.size === 0;
        if (call.columns.length === 0 || (call.cascade && tookLast)) at.edge = false;
        if (call.columns.length === 0) columns.clear();
      }
      return { receipt: 'r', ambiguous: false };
    },
    present: async () => read('present'),
    verify: async (units) => units.map(() => ({ readable: true, ...read('verify'), others: [] })),
  };
  const here = convergence(client);
  const unit = async () => {
    const row = await here.ledger.get((await here.ledger.find('units')).items[0] ?? '');
    return row && decodeUnit(row.body);
  };
  const dropEdge = () => here.put(OWNER, manifest([]));
  const declared = async (text: string) => {
    await here.put(OWNER, text);
    const outcome = await here.run(OWNER);
    at.calls.length = 0;
    return outcome;
  };
  return { ...here, at, unit, dropEdge, declared };
}

const some = (...columns: string[]) => manifest([['a', 'b']], { columns });

describe('a removal of several calls is read back at Dataphin', () => {
  it('once; one of a single call is not', async () => {
    const here = await local();
    await here.drop(OWNER, wide(250));
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    await here.forgetCalls();
    await here.drop(OWNER, wide(40));
    await until(async () => (await here.dataphin())[0]?.columns.length === 40);
    await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
    expect((await here.calls('dataphin')).map((call) => call.operation)).toEqual([
      'DeleteRegisterLineage',
      'DeleteRegisterLineage',
      'DeleteRegisterLineage',
      'GetTableColumnLineages',
    ]);
    await here.forgetCalls();
    await here.drop(OWNER, wide(39));
    await until(async () => (await here.dataphin())[0]?.columns.length === 39);
    await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
    expect((await here.calls('dataphin')).map((call) => call.operation)).toEqual(['DeleteRegisterLineage']);
  });

  it('and what is still shown is deleted once more', async () => {
    const here = dataphin((call, times) => call === 'delete 100' && times === 2);
    await here.declared(wide(250));
    expect(await here.declared(wide(1))).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect([...here.at.columns.keys()]).toEqual(['c0']);
  });

  it('and with what is added at the same time, in both directions', async () => {
    const neglected = new Set<string>();
    const here = dataphin((call) => neglected.delete(call));
    await here.declared(some('a'));
    neglected.add('add 1').add('delete 1');
    await here.put(OWNER, some('b'));
    expect(await here.run(OWNER)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect([...here.at.columns.keys()]).toEqual(['b']);
    expect(here.at.calls).toEqual(['add 1', 'delete 1', 'verify', 'add 1', 'delete 1', 'verify']);
  });

  it('fails when it is shown for good, with the edge and how many columns, and is not tried for ever', async () => {
    const here = dataphin((call) => call === 'delete 100');
    await here.declared(wide(250));
    expect(await here.declared(wide(1))).toMatchObject({ kind: 'done', status: { state: 'failed' } });
    expect((await here.status(OWNER)).edges[0]?.reason).toMatch(
      /p\.a -> .*p\.b: the vendor answered that it deleted what was withdrawn, twice, and still shows 200 column/,
    );
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    expect(here.at.calls).toEqual([]);
    expect(here.at.columns.size).toBe(201);
  });

  it('and what was there before us is not touched, although it is shown', async () => {
    const here = dataphin();
    here.at.edge = true;
    here.at.columns.set('c120', column('c120'));
    await here.declared(wide(250));
    expect(await here.declared(wide(1))).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect([...here.at.columns.keys()].sort()).toEqual(['c0', 'c120']);
  });
});

describe('what was read back in vain', () => {
  const compare = (here: ReturnType<typeof dataphin>) =>
    verifyPass(here.deps, { deadlineMs: here.state.now + 60_000, deep: true, heal: true, prune: true });

  it('is not sent again whenever it is compared, but when it is its time, and is over as soon as it is shown', async () => {
    const here = dataphin((call) => call.startsWith('add'));
    expect(await here.declared(wide(101))).toMatchObject({ kind: 'done', status: { state: 'failed' } });
    expect(await compare(here)).toMatchObject({ healed: 0, drifted: [{ kind: 'columns' }] });
    expect(here.at.calls).toEqual(['verify']);
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    for (let index = 0; index < 101; index += 1) here.at.columns.set(`c${index}`, column(`c${index}`));
    await compare(here);
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'converged' } });
  });

  it('of a withdrawal is deleted once more a day later, and gone when it is not shown any more', async () => {
    const here = dataphin((call) => call.startsWith('delete'));
    await here.declared(some('x'));
    await here.declared(manifest([]));
    expect((await here.status(OWNER)).state).toBe('failed');
    await compare(here);
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    expect(here.at.calls).toEqual(['verify']);
    here.at.calls.length = 0;
    here.state.now += 86_400_000;
    await here.run(OWNER);
    expect(here.at.calls.filter((call) => call.startsWith('delete'))).toHaveLength(2);
    here.at.edge = false;
    here.at.columns.clear();
    await compare(here);
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'converged', counts: { deleted: 1 } } });
    expect(await here.unit()).toBeUndefined();
  });
});

describe('an edge that is withdrawn is read back at Dataphin', () => {
  const edges = manifest(
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
    { columns: ['x'] },
  );

  it('with one read when it had columns, and with none when it had not', async () => {
    const here = await local();
    await here.drop(OWNER, edges);
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    await here.forgetCalls();
    await here.drop(OWNER, manifest([['a', 'b']], { columns: ['x'] }));
    await until(async () => (await here.dataphin()).length === 1);
    await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
    const operations = async () => (await here.calls('dataphin')).map((call) => call.operation);
    expect(await operations()).toEqual(['DeleteRegisterLineage', 'GetTableLineages']);
    const bare = 'manifests/bare.json';
    await here.drop(
      bare,
      manifest(
        [
          ['e', 'f'],
          ['g', 'h'],
        ],
        { columns: [] },
      ),
    );
    await here.statusWhen(bare, (each) => each.state === 'converged');
    await here.forgetCalls();
    await here.drop(bare, manifest([['e', 'f']], { columns: [] }));
    await until(async () => (await here.dataphin()).length === 2);
    await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
    expect(await operations()).toEqual(['DeleteRegisterLineage']);
  });

  it.each(['pair', 'nothing', 'error'])(
    'and goes when others took its columns before us, where a delete without details means %s',
    async (deleteWithoutDetails) => {
      const here = await local();
      await here.sandbox('dataphin', 'PUT', 'modes', { deleteWithoutDetails });
      await here.drop(OWNER, edges);
      await here.statusWhen(OWNER, (each) => each.state === 'converged');
      const client = (await here.runtime.services.deps.targets()).list.find((each) => each.name === 'dataphin')?.client;
      const row = await here.runtime.services.deps.ledger.find('units');
      for (const key of row.items) {
        const unit = decodeUnit((await here.runtime.services.deps.ledger.get(key))?.body ?? {});
        const call = { ...unit, columns: unit.parts, options: {}, cascade: false };
        await client?.withdraw?.(call, { deadlineMs: Date.now() + 5_000 });
      }
      expect((await here.dataphin()).map((each) => each.columns)).toEqual([[], []]);
      await here.drop(OWNER, manifest([['a', 'b']], { columns: ['x'] }));
      const refused = deleteWithoutDetails === 'error';
      await here.statusWhen(OWNER, (each) => outcomes(each).includes(refused ? 'failed' : 'deleted'));
      expect(await here.dataphin()).toHaveLength(refused ? 2 : 1);
    },
  );

  it('and deleted once more when it is still there with our columns; then it failed', async () => {
    const once = dataphin((call, times) => call === 'delete 1 cascade' && times === 1);
    await once.declared(some('x'));
    await once.dropEdge();
    await once.run(OWNER);
    expect(once.at).toMatchObject({
      edge: false,
      calls: ['delete 1 cascade', 'present', 'delete 1 cascade', 'present'],
    });
    const never = dataphin((call) => call.startsWith('delete'));
    await never.declared(some('x'));
    await never.dropEdge();
    await never.run(OWNER);
    expect((await never.status(OWNER)).edges.find((each) => each.outcome === 'failed')?.reason).toMatch(
      /p\.a -> .*p\.b: the vendor answered that it deleted what was withdrawn, twice, and still shows 1 column.*by hand/,
    );
    expect(never.at.calls.filter((call) => call.startsWith('delete'))).toHaveLength(2);
  });

  it('and without columns, when others took these before our second try; not for ever', async () => {
    const here = dataphin((call, times) => {
      if (times === 2) here.at.columns.clear();
      return call === 'delete 1 cascade';
    });
    await here.declared(some('x'));
    await here.dropEdge();
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'converged' } });
    const tries = ['delete 1 cascade', 'present', 'delete 1 cascade', 'present'];
    expect(here.at).toMatchObject({ edge: false, calls: [...tries, 'delete 0 cascade', 'present'] });

    const never = dataphin((call) => call.startsWith('delete'));
    await never.declared(some('x'));
    never.at.columns.clear();
    await never.dropEdge();
    await never.run(OWNER);
    expect((await never.status(OWNER)).edges[0]?.reason).toMatch(/still shows the edge/);
    expect(never.at.calls.filter((call) => call.startsWith('delete'))).toEqual([
      'delete 1 cascade',
      'delete 0 cascade',
      'delete 0 cascade',
    ]);
  });

  it('and stays with the columns of others', async () => {
    const here = dataphin();
    await here.declared(some('x'));
    here.at.columns.delete('x');
    here.at.columns.set('theirs', column('theirs'));
    await here.dropEdge();
    await here.run(OWNER);
    expect([...here.at.columns.keys()]).toEqual(['theirs']);
    expect(here.at.calls.filter((call) => call.startsWith('delete'))).toEqual(['delete 1 cascade']);
  });

  it('by whoever comes next, when the one that deleted it got no further', async () => {
    const here = dataphin();
    await here.declared(some('x'));
    here.at.columns.delete('x');
    await here.dropEdge();
    here.at.unreadable = new Failure('unavailable', 'Dataphin does not answer');
    expect(await here.run(OWNER)).toMatchObject({ kind: 'unfinished', status: { state: 'pending' } });
    expect((await here.status(OWNER)).edges.find((each) => each.outcome === 'pending')?.reason).toBe(
      'what came of it could not be read: Dataphin does not answer',
    );
    expect(here.at.calls).toContain('delete 1 cascade');
    here.at.unreadable = undefined;
    here.at.calls.length = 0;
    await here.run(OWNER);
    expect(here.at.calls).toEqual(['present', 'delete 0 cascade', 'present']);
  });

  it.each([
    ['at once when reading is refused', 'rejected', 1],
    ['after ten tries when the vendor never answers a read', 'unavailable', 10],
  ] as const)('and believed %s, with the reason', async (_when, kind, tries) => {
    const here = dataphin();
    await here.declared(some('x'));
    await here.dropEdge();
    here.at.unreadable = new Failure(kind, 'no reading today');
    for (let run = 1; run < tries; run += 1) {
      expect(await here.run(OWNER)).toMatchObject({ kind: 'unfinished' });
      here.state.now += 600_000;
    }
    expect(await here.run(OWNER)).toMatchObject({ kind: 'done' });
    expect((await here.status(OWNER)).edges[0]).toMatchObject({
      outcome: 'deleted',
      reason: expect.stringMatching(/could not be read back, so its answers are believed: no reading today/),
    });
    expect(await here.unit()).toBeUndefined();
  });
});
