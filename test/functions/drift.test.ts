import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PassReport } from '../../functions/scheduled-reconcile/report.ts';
import { verifyUnits } from '../../shared/converge/verify.ts';
import { type VerifiedPass, type VerifyPassOptions, verifyPass } from '../../shared/converge/verify-pass.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Call, VendorClient, WithdrawCall } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { type Local, local, manifest, outcomes, pairs, until } from './local.ts';

const A = 'manifests/a.json';
const BOTH = ['dataphin', 'dataarts'];

/** A pass over everything, in a runtime. */
async function deep(here: Local, options: Partial<VerifyPassOptions> = {}): Promise<VerifiedPass> {
  const { deps } = here.runtime.services;
  return verifyPass(deps, { deadlineMs: Date.now() + 30_000, deep: true, heal: false, prune: false, ...options });
}

/** The status is written just before the owner's row is. */
async function settled(here: Local, owner: string): Promise<void> {
  await here.statusWhen(owner, (each) => each.state === 'converged');
  await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
}

/** Takes lineage away behind our back, as somebody with rights of their own may: through Dataphin's own API, as another client. */
async function others(
  here: Local,
  call: Partial<Pick<WithdrawCall, 'columns' | 'cascade'>> & { readonly from: string; readonly to: string },
): Promise<void> {
  const { list } = await here.runtime.services.deps.targets();
  const client = list.find((each) => each.name === 'dataphin')?.client;
  const ref = (name: string) => ({ referenceType: 'BY_GUID', guid: `odps.300000001.p.${name}`, metadataType: 'TABLE' });
  const { from, to, columns = [], ...rest } = call;
  const about = {
    from: [{ name: from }],
    to: [{ name: to }],
    spec: { source: ref(from), target: ref(to) },
    options: {},
    columns,
    ...rest,
  };
  const options = { deadlineMs: Date.now() + 5_000 };
  if (call.cascade === undefined) await client?.register?.(about, options);
  else await client?.withdraw?.({ ...about, cascade: call.cascade }, options);
}

const column = (name: string): ColumnEdge => ({
  from: { table: 0, column: name },
  to: { table: 0, column: name },
  direct: true,
});

describe('what others change at Dataphin', () => {
  it('is looked for everywhere by the next pass when somebody asks, also where passes look at nothing by themselves', async () => {
    const here = await local({ DRIFT_DETECT: '0' });
    await here.drop(A, manifest(pairs('t', 2)));
    await settled(here, A);
    await others(here, { from: 't0', to: 'tt0', cascade: true });
    const report = async () =>
      JSON.parse(await readFile(join(here.runtime.bucket, 'status/reconcile/latest.json'), 'utf8')) as PassReport;
    await here.runtime.reconcile();
    expect((await report()).drift).toBeUndefined();
    const asked = await here.request('POST', '/reconcile', '{"deep":true}');
    expect(asked.status).toBe(202);
    await here.runtime.reconcile();
    expect((await report()).drift).toMatchObject({ checked: 2, driftedCount: 1, healed: 1, deep: true });
    await until(async () => (await here.dataphin()).length === 2);
    await here.runtime.reconcile();
    expect((await report()).drift).toBeUndefined();
    const muddled = await here.request('POST', '/reconcile', '{"deep":true,"owners":["manifests/a.json"]}');
    expect(muddled.status).toBe(400);
  });

  it('is found and told, and with healing registered again', async () => {
    const here = await local();
    await here.drop(A, manifest([...pairs('t', 3), ['x', 't0']], { columns: ['id', 'a'] }));
    await settled(here, A);
    expect(await deep(here)).toMatchObject({ owners: 1, checked: 4, drifted: [], foreign: [], unreadable: [] });
    await others(here, { from: 't0', to: 'tt0', cascade: true });
    await others(here, { from: 't1', to: 'tt1', columns: [column('a')], cascade: false });
    await others(here, { from: 'stranger', to: 'tt2' });
    await others(here, { from: 't2', to: 'tt2', columns: [column('new')] });

    const found = await deep(here);
    expect(found.drifted).toHaveLength(2);
    expect(found.drifted).toContainEqual(
      expect.objectContaining({
        target: 'dataphin',
        kind: 'vanished',
        from: ['dataphin:odps.300000001.p.t0'],
        owners: [A],
        reason: 'the vendor does not show it',
      }),
    );
    expect(found.drifted).toContainEqual(expect.objectContaining({ kind: 'columns', columns: [['a', 'a']] }));
    expect(found.foreign).toHaveLength(2);
    expect(found.foreign).toContainEqual({
      target: 'dataphin',
      from: 'odps.300000001.p.stranger',
      to: 'odps.300000001.p.tt2',
    });
    expect(found.foreign).toContainEqual(expect.objectContaining({ columns: [['new', 'new']] }));
    expect(found.healed).toBe(0);

    expect(await deep(here, { heal: true })).toMatchObject({ healed: 2 });
    await until(async () => {
      const shown = await here.dataphin();
      const edge = shown.find((each) => each.source.endsWith('.t0'));
      const columns = shown.find((each) => each.source.endsWith('.t1'))?.columns;
      return edge?.columns.length === 2 && columns?.length === 2;
    });
    await settled(here, A);
    const after = await here.statusWhen(A, (each) => each.state === 'converged');
    expect(outcomes(after).filter((outcome) => outcome === 'registered').length).toBeGreaterThan(0);
    // What is not ours is as it was.
    const shown = await here.dataphin();
    expect(shown.find((each) => each.source.endsWith('.stranger'))).toBeDefined();
    expect(shown.find((each) => each.source.endsWith('.t2'))?.columns).toHaveLength(3);
    expect((await deep(here)).drifted).toEqual([]);
  });

  it('prunes columns of ours that came back, once, only when told to, and never what we did not withdraw', async () => {
    const here = await local();
    await here.drop(A, manifest([['a', 'b']], { columns: ['id', 'old'] }));
    await settled(here, A);
    await here.drop(A, manifest([['a', 'b']], { columns: ['id'] }));
    await until(async () => (await here.dataphin())[0]?.columns.length === 1);
    await settled(here, A);
    await others(here, { from: 'a', to: 'b', columns: [column('old'), column('theirs')] });
    const told = await deep(here, { heal: true });
    expect(told.drifted).toMatchObject([{ kind: 'returned', columns: [['old', 'old']] }]);
    expect(told).toMatchObject({ healed: 0, foreign: [{ columns: [['theirs', 'theirs']] }] });
    expect(await deep(here, { prune: true })).toMatchObject({ healed: 1 });
    await until(async () => (await here.dataphin())[0]?.columns.length === 2);
    expect((await here.dataphin())[0]?.columns).toContainEqual(['theirs', 'theirs']);
    // Whoever puts it there once more means it.
    await others(here, { from: 'a', to: 'b', columns: [column('old')] });
    await settled(here, A);
    const again = await deep(here, { prune: true });
    expect(again.drifted).toEqual([]);
    expect(again.foreign[0]?.columns).toHaveLength(2);
  });
});

describe('what vanishes at DataArts', () => {
  it('is looked for in the complete list', async () => {
    const here = await local({ UNKNOWN_WAIT: '0' });
    await here.sandbox('dataarts', 'PUT', 'seed', { bulkRead: true });
    await here.drop(A, manifest(pairs('t', 2), { targets: BOTH }));
    await settled(here, A);
    expect(await deep(here)).toMatchObject({ checked: 4, drifted: [], unreadable: [] });
    expect(await here.writes('dataarts')).toHaveLength(2);
  });

  const unit = () => {
    const nodes = new Map<string, Call>();
    let made = 0;
    const client: VendorClient = {
      async register(call) {
        made += 1;
        nodes.set(`n${made}`, call);
        return { receipt: `n${made}`, ambiguous: false };
      },
      async verify(units) {
        const all = new Set(nodes.keys());
        return units.map(({ from }) => {
          const alike = [...nodes].filter(([, call]) => call.from[0]?.name === from[0]?.name).map(([name]) => name);
          return { readable: true, edge: alike.length > 0, columns: [], nodes: alike, all, others: [] };
        });
      },
    };
    const here = convergence(client, { vendor: 'dataarts' });
    const verify = (heal: boolean) =>
      verifyPass(here.deps, { deadlineMs: here.state.now + 60_000, deep: true, heal, prune: false });
    return { ...here, nodes, verify };
  };

  it('counts as gone only when it is older than the wait', async () => {
    const { nodes, verify, put, run, state, status } = unit();
    await put(A, manifest(pairs('t', 2), { targets: ['dataarts'] }));
    await run(A);
    nodes.delete('n1');
    expect(await verify(true)).toMatchObject({ checked: 2, drifted: [] });
    state.now += 60_000;
    expect(await verify(false)).toMatchObject({ drifted: [{ kind: 'vanished', owners: [A] }], healed: 0 });
    expect(await verify(true)).toMatchObject({ healed: 1 });
    await run(A);
    expect([...nodes.keys()]).toEqual(['n2', 'n3']);
    expect((await status(A)).counts).toEqual({ registered: 1, unchanged: 1 });
  });

  it('is not gone while a node like it is there that we do not know', async () => {
    const { nodes, verify, put, run, state } = unit();
    await put(A, manifest(pairs('t', 1), { targets: ['dataarts'] }));
    await run(A);
    const [call] = nodes.values();
    nodes.clear();
    if (call) nodes.set('under-another-name', call);
    state.now += 60_000;
    expect(await verify(true)).toMatchObject({ checked: 1, drifted: [], healed: 0 });
  });
});

describe('a pass', () => {
  const world = (edges: number, owners: number) => {
    const shown = new Set<string>();
    let reads = 0;
    const limits = { left: Number.POSITIVE_INFINITY };
    const here = convergence({
      async register(call: Call) {
        shown.add(`${call.from[0]?.name}>${call.to[0]?.name}`);
        return { receipt: 'r', ambiguous: false };
      },
      async verify(units: readonly Call[]) {
        if (limits.left <= 0) {
          throw new Failure('throttled', 'no reads left', { code: 'budget-spent', retryAfterMs: 3_600_000 });
        }
        limits.left -= 1;
        reads += 1;
        return units.map((call) => {
          const edge = shown.has(`${call.from[0]?.name}>${call.to[0]?.name}`);
          return { readable: true, edge, columns: edge ? [...call.columns] : [], others: [] };
        });
      },
    });
    const names = Array.from({ length: owners }, (_, index) => `manifests/o${String(index).padStart(3, '0')}.json`);
    const fill = async () => {
      for (const [index, owner] of names.entries()) {
        await here.put(owner, manifest(pairs(`o${index}_`, edges), { columns: [] }));
        await here.run(owner);
      }
    };
    return { ...here, shown, limits, names, fill, reads: () => reads };
  };

  it('reads a table once, whatever number of edges lead into it', async () => {
    const { put, run, deps, state, reads } = world(0, 0);
    await put(A, manifest(Array.from({ length: 200 }, (_, index) => [`s${index}`, `t${index % 4}`] as const)));
    await run(A);
    const found = await verifyPass(deps, { deadlineMs: state.now + 60_000, deep: true, heal: false, prune: false });
    expect(found.checked).toBe(200);
    expect(reads()).toBe(4);
  });

  it('goes on for days where the budget for reading ended, and looks at everything once', async () => {
    const { fill, deps, state, limits, shown, reads } = world(7, 5);
    await fill();
    shown.delete([...shown][17] ?? '');
    let cursor: string | undefined;
    let checked = 0;
    const drifted: string[] = [];
    for (let day = 0; day < 20; day += 1) {
      limits.left = 4;
      const options = { deadlineMs: state.now + 60_000, deep: true, heal: false, prune: false };
      const found = await verifyPass(deps, cursor === undefined ? options : { ...options, cursor });
      checked += found.checked;
      drifted.push(...found.drifted.map((each) => each.id));
      cursor = found.next;
      if (cursor === undefined) break;
      expect(found.resumeAt).toBe(state.now + 3_600_000);
      state.now += 86_400_000;
    }
    expect({ checked, cursor, reads: reads() }).toEqual({ checked: 35, cursor: undefined, reads: 35 });
    expect(drifted).toHaveLength(1);
  });

  it('comes by every owner in time when it looks at a share of them, whatever the rhythm', async () => {
    const { fill, deps, state, names } = world(1, 40);
    await fill();
    const touched = new Set<string>();
    const ledger = deps.ledger;
    const watching = {
      ...deps,
      ledger: {
        ...ledger,
        getMany: (keys: readonly string[]) => {
          if (keys.length === 1 && keys[0]?.startsWith('unit/')) touched.add(keys[0]);
          return ledger.getMany(keys);
        },
      },
    };
    let most = 0;
    for (let pass = 0; pass < 60; pass += 1) {
      state.now += 900_000;
      const options = { deadlineMs: state.now + 60_000, share: 10, heal: false, prune: false };
      most = Math.max(most, (await verifyPass(watching, options)).owners);
    }
    expect(touched.size).toBe(names.length);
    expect(most).toBeLessThan(15);
  });

  it('tells of each edge that cannot be compared, and why', async () => {
    const here = convergence({ register: async () => ({ receipt: 'r', ambiguous: false }) });
    await here.put(A, manifest(pairs('t', 3)));
    await here.run(A);
    const ids = (await here.ledger.find('units')).items.map((key) => key.slice('unit/'.length));
    const found = await verifyUnits(ids, here.deps, { deadlineMs: here.state.now + 9_000, heal: true, prune: true });
    expect(found.unreadable).toEqual([
      { target: 'dataphin', edges: 3, reason: 'dataphin cannot be read with what its secret holds' },
    ]);
    expect(found.checked).toBe(0);
  });
});
