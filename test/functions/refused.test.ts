import { describe, expect, it } from 'vitest';
import { converge } from '../../shared/converge/converge.ts';
import { dueOf } from '../../shared/converge/due.ts';
import { decodeOwner } from '../../shared/converge/owner.ts';
import { judge } from '../../shared/converge/vanish.ts';
import { verifyPass } from '../../shared/converge/verify-pass.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Call, VendorClient, WithdrawCall } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { local, manifest, until } from './local.ts';

const OWNER = 'manifests/a.json';
const DAY = 86_400_000;
const bare = (...pairs: [string, string][]) => manifest(pairs, { columns: [] });
const post = { 'content-type': 'application/json' };

describe('what Dataphin refuses to take back', () => {
  const refusing = { deleteWithoutDetails: 'error' };
  const willing = { deleteWithoutDetails: 'pair' };

  it('is shown in status, plan, report, metrics and lineage, costs nothing, and goes with POST /reconcile', async () => {
    const at = await local();
    await at.sandbox('dataphin', 'PUT', 'modes', refusing);
    await at.drop(OWNER, bare(['a', 'b'], ['c', 'd']));
    await at.statusWhen(OWNER, ({ state }) => state === 'converged');
    await at.drop(OWNER, bare(['a', 'b']));
    const failed = await at.statusWhen(OWNER, ({ state }) => state === 'failed');
    expect(failed.counts).toMatchObject({ failed: 1 });
    expect(failed.edges[0]).toMatchObject({
      from: 'dataphin:odps.300000001.p.c',
      outcome: 'failed',
      reason: expect.stringMatching(
        /Nobody declares it any more.*may still show it.*once a day.*POST \/reconcile.*by hand/,
      ),
    });
    await until(async () => (await at.runtime.services.deps.ledger.find('unsettled')).items.length === 0);

    await at.forgetCalls();
    await at.runtime.reconcile();
    expect(await at.calls('dataphin')).toEqual([]);
    const latest = await at.runtime.services.deps.manifests.get('status/reconcile/latest.json');
    expect(JSON.parse(Buffer.from(latest?.bytes ?? []).toString('utf8'))).toMatchObject({
      edges: { failed: 1 },
      attention: [{ owner: OWNER, state: 'failed' }],
    });
    expect(at.told.findLast(({ name }) => name === 'EdgesRefused')?.values.at(-1)).toBe(1);
    const plan = await at.request('POST', '/reconcile', JSON.stringify({ dryRun: true }), post);
    expect(await plan.json()).toMatchObject({
      changes: [{ verdict: 'failed', standing: true, reason: expect.stringContaining('once a day') }],
    });
    const graph = await at.request(
      'GET',
      `/lineage?${new URLSearchParams({ dataset: 'dataphin:odps.300000001.p.d' })}`,
    );
    expect(JSON.stringify(await graph.json())).toMatch(/"outcome":"failed".*refuses to take it back/);

    const again = () => at.request('POST', '/reconcile', JSON.stringify({ owners: [OWNER] }), post);
    expect((await again()).status).toBe(200);
    expect((await at.calls('dataphin')).map((call) => call.operation)).toEqual([
      'GetTableLineages',
      'GetTableColumnLineages',
      'DeleteRegisterLineage',
    ]);
    expect((await at.status(OWNER))?.state).toBe('failed');
    await at.sandbox('dataphin', 'PUT', 'modes', willing);
    expect((await again()).status).toBe(200);
    expect(await at.status(OWNER)).toMatchObject({ state: 'converged', counts: { deleted: 1, unchanged: 1 } });
    expect((await at.dataphin()).map(({ source }) => source)).toEqual(['odps.300000001.p.a']);
    await at.forgetCalls();
    await again();
    expect(await at.calls('dataphin')).toEqual([]);
  });

  it('stays in sight when its manifest is removed, until it is gone', async () => {
    const at = await local();
    await at.sandbox('dataphin', 'PUT', 'modes', refusing);
    await at.request('PUT', `/${OWNER}`, bare(['a', 'b']));
    expect((await at.request('DELETE', `/${OWNER}`)).status).toBe(200);
    expect(await at.status(OWNER)).toMatchObject({ state: 'failed', counts: { failed: 1 } });
    const owners = async () => (await at.runtime.services.deps.ledger.find('owners')).items;
    expect(await owners()).toEqual([`owner/${OWNER}`]);
    await at.forgetCalls();
    await at.runtime.reconcile();
    expect(await at.calls('dataphin')).toEqual([]);
    await at.sandbox('dataphin', 'PUT', 'modes', willing);
    // Everything, as a person asks for it.
    await at.request('POST', '/reconcile', '{}', post);
    expect(await at.status(OWNER)).toMatchObject({ state: 'withdrawn', counts: { deleted: 1 } });
    expect(await owners()).toEqual([]);
    expect(await at.dataphin()).toEqual([]);
  });
});

/** Dataphin in a few lines, which refuses whatever `refuses` says. */
function world() {
  const edges = new Map<string, Map<string, ColumnEdge>>();
  const at = { edges, calls: [] as string[], refuses: new Set<'add' | 'delete'>() };
  const keyOf = ({ from, to }: Pick<Call, 'from' | 'to'>) =>
    `${from[0]?.name}>${to[0]?.name}`.replaceAll('odps.300000001.p.', '');
  const said = (what: 'add' | 'delete', call: Call) => {
    at.calls.push(`${what} ${keyOf(call)}`);
    if (at.refuses.has(what)) throw new Failure('rejected', 'not today');
    return { receipt: 'r', ambiguous: false };
  };
  const seen = (call: Call) => {
    const edge = edges.get(keyOf(call));
    return { edge: edge !== undefined, columns: [...(edge?.values() ?? [])] };
  };
  const client: VendorClient = {
    async register(call: Call) {
      const done = said('add', call);
      const edge = edges.get(keyOf(call)) ?? new Map<string, ColumnEdge>();
      for (const each of call.columns) edge.set(each.to.column, each);
      edges.set(keyOf(call), edge);
      return done;
    },
    async withdraw(call: WithdrawCall) {
      const done = said('delete', call);
      const edge = edges.get(keyOf(call));
      for (const each of call.columns) edge?.delete(each.to.column);
      if (call.columns.length === 0 || (call.cascade && edge?.size === 0)) edges.delete(keyOf(call));
      return done;
    },
    async present(call) {
      at.calls.push(`look ${keyOf(call)}`);
      return seen(call);
    },
    verify: async (calls) => calls.map((call) => ({ readable: true, ...seen(call), others: [] })),
  };
  const here = convergence(client);
  const row = async () => {
    const found = await here.ledger.get(`owner/${OWNER}`);
    return found && decodeOwner(found);
  };
  /** What a pass makes of it. */
  const due = async () => {
    const state = await row();
    return dueOf(state, { etag: 'any', hash: state?.hash ?? '' }, here.deps);
  };
  const calls = () => at.calls.splice(0);
  const ask = () => converge({ owner: OWNER, deadlineMs: here.state.now + 60_000, askedAt: here.state.now }, here.deps);
  /** An edge `c>d` that was withdrawn, and refused. */
  const refused = async (columns: string[] = []) => {
    await here.put(
      OWNER,
      manifest(
        [
          ['a', 'b'],
          ['c', 'd'],
        ],
        { columns },
      ),
    );
    await here.run(OWNER);
    at.refuses.add('delete');
    here.state.now += 1_000;
    await here.put(OWNER, manifest([['a', 'b']], { columns }));
    expect(await here.run(OWNER)).toMatchObject({ kind: 'done', status: { state: 'failed' } });
    here.state.now += 1_000;
    at.calls.length = 0;
  };
  const verify = () =>
    verifyPass(here.deps, { deadlineMs: here.state.now + 60_000, deep: true, heal: true, prune: true });
  return { ...here, at, row, due, calls, ask, refused, verify };
}

describe('a withdrawal that was refused', () => {
  it('is settled, and due for a pass once a day', async () => {
    const here = world();
    await here.refused();
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    expect(await here.due()).toBe('unchanged');
    here.state.now += DAY - 10_000;
    expect(await here.due()).toBe('unchanged');
    here.state.now += 10_000;
    expect(await here.due()).toBe('due');
    await here.run(OWNER);
    expect(here.calls()).toEqual(['look c>d', 'delete c>d']);
    expect(await here.due()).toBe('unchanged');
    here.at.refuses.clear();
    here.state.now += DAY;
    await here.run(OWNER);
    expect(here.calls()).toEqual(['look c>d', 'delete c>d']);
    expect(await here.row()).not.toHaveProperty('again');
    here.state.now += DAY;
    expect(await here.due()).toBe('unchanged');
  });

  it('is tried again when the manifest changes, and is no part of what an edit loses', async () => {
    const here = world();
    await here.refused();
    expect((await here.row())?.counts).toEqual({ a: 1 });
    here.state.now += 1_000;
    await here.put(OWNER, bare(['a', 'b'], ['e', 'f']));
    await here.run(OWNER);
    expect(here.calls()).toContain('delete c>d');
    expect((await here.status(OWNER)).counts).toMatchObject({ failed: 1 });
  });

  it('is tried again when a person asks while another convergence is at work, which is told of it', async () => {
    const here = world();
    await here.refused();
    here.state.now += 1_000;
    await here.put(OWNER, bare(['a', 'b'], ['e', 'f']));
    const { put } = here.deps.manifests;
    const asked: unknown[] = [];
    // It was refused again by now, and is about to be settled.
    here.deps.manifests.put = async (key, ...rest) => {
      here.state.now += 1_000;
      if (asked.length === 0) asked.push(await here.ask());
      here.state.now += 1_000;
      return put(key, ...rest);
    };
    await here.run(OWNER);
    expect(here.calls().filter((call) => call === 'delete c>d')).toHaveLength(2);
    expect(asked).toEqual([{ kind: 'busy' }]);
    expect(await here.row()).not.toHaveProperty('asked');
  });

  it('counts as registered again, without a call, when it is declared again', async () => {
    const here = world();
    await here.refused();
    await here.put(OWNER, bare(['a', 'b'], ['c', 'd']));
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'converged', counts: { unchanged: 2 } } });
    expect(here.calls()).toEqual([]);
    const units = await here.ledger.find('units');
    for (const key of units.items) expect((await here.ledger.get(key))?.body).not.toHaveProperty('refusal');
  });

  it.each([
    ['a person asks for it again', (here: ReturnType<typeof world>) => here.ask()],
    [
      'what is there is compared',
      async (here: ReturnType<typeof world>) => {
        expect(await here.verify()).toMatchObject({ checked: 2, drifted: [] });
        await here.run(OWNER);
      },
    ],
  ])('disappears without a call when somebody removed it by hand, and %s', async (_when, look) => {
    const here = world();
    await here.refused(['x']);
    here.at.edges.delete('c>d');
    await look(here);
    expect(here.calls().filter((each) => each.startsWith('delete'))).toEqual([]);
    expect(await here.status(OWNER)).toMatchObject({ state: 'converged' });
    expect(await here.row()).not.toHaveProperty('again');
  });

  it('leaves alone what others put in its place', async () => {
    const here = world();
    await here.refused(['x']);
    const theirs = { from: { table: 0, column: 'theirs' }, to: { table: 0, column: 'theirs' }, direct: true };
    here.at.edges.set('c>d', new Map([['theirs', theirs]]));
    here.at.refuses.clear();
    await here.ask();
    expect(here.calls()).toEqual(['look c>d']);
    expect([...(here.at.edges.get('c>d')?.keys() ?? [])]).toEqual(['theirs']);
  });

  it('keeps the row of an owner whose manifest is gone, which is not judged twice', async () => {
    const here = world();
    await here.refused();
    here.at.refuses.add('delete');
    await here.deps.manifests.delete(OWNER);
    expect(await here.run(OWNER)).toEqual({ kind: 'waiting' });
    here.state.now += here.deps.settings.graceMs + 1_000;
    const message = here.sent.map((each) => each.message).findLast((each) => each.kind === 'judge');
    if (message?.kind === 'judge') await judge(message.target, message.ticket, here.deps);
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'failed', counts: { failed: 2 } } });
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    here.at.refuses.clear();
    here.state.now += DAY;
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'withdrawn' } });
    expect(await here.row()).toBeUndefined();
    expect(here.at.edges.size).toBe(0);
  });

  it('stays in sight when columns that only one of two owners declared are refused', async () => {
    const here = world();
    const other = 'manifests/b.json';
    await here.put(other, manifest([['a', 'b']], { columns: ['x'] }));
    await here.run(other);
    await here.put(OWNER, manifest([['a', 'b']], { columns: ['x', 'y'] }));
    await here.run(OWNER);
    here.at.refuses.add('delete');
    await here.put(OWNER, bare());
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'failed', counts: { failed: 1 } } });
    expect((await here.status(OWNER)).edges[0]?.reason).toMatch(/Some of its columns are not declared any more/);
    here.at.refuses.clear();
    here.state.now += 1_000;
    await here.ask();
    expect([...(here.at.edges.get('a>b')?.keys() ?? [])]).toEqual(['x']);
    expect((await here.status(OWNER)).state).toBe('converged');
  });

  it('is shown as failed while its manifest cannot be read', async () => {
    const here = world();
    await here.refused();
    await here.put(OWNER, '{');
    await here.run(OWNER);
    expect(await here.status(OWNER)).toMatchObject({ state: 'invalid', counts: { failed: 1, unchanged: 1 } });
  });
});

describe('a registration that was refused', () => {
  it('is tried again like a withdrawal: once a day, and when a person asks', async () => {
    const here = world();
    here.at.refuses.add('add');
    await here.put(OWNER, bare(['a', 'b']));
    await here.run(OWNER);
    expect(here.calls()).toEqual(['look a>b', 'add a>b']);
    expect(await here.run(OWNER)).toEqual({ kind: 'unchanged' });
    here.state.now += 1_000;
    await here.ask();
    expect(here.calls()).toEqual(['add a>b']);
    here.state.now += DAY - 1;
    expect(await here.due()).toBe('unchanged');
    here.state.now += 1;
    expect(await here.due()).toBe('due');
    here.at.refuses.clear();
    expect(await here.run(OWNER)).toMatchObject({ status: { state: 'converged' } });
  });
});
