import { describe, expect, it } from 'vitest';
import { type LineageAnswer, type LineageQuery, lineage } from '../../functions/fetch/fetch.ts';
import { NONE } from '../../shared/core/mask.ts';
import { graphLedger, type Pair, table } from './graph-ledger.ts';
import { local, manifest, until } from './local.ts';

const ASK = { direction: 'both', depth: 5, level: 'table', limit: 1_000 } as const satisfies LineageQuery;
const edge = (from: string, to: string, rest: Partial<Pair> = {}): Pair => ({
  from: [table(from)],
  to: [table(to)],
  ...rest,
});
const chain = (...names: string[]): Pair[] => names.slice(1).map((to, at) => edge(names[at] ?? '', to));
const lines = (graph: { edges: readonly { from: string; to: string }[] }) =>
  graph.edges.map(({ from, to }) => `${from} ${to}`.replaceAll('dataphin:', ''));

describe('neighbourhoods', () => {
  it('follow a direction to a depth, and say how much is left', async () => {
    const { services } = await graphLedger([...chain('a', 'b', 'c', 'd', 'e'), edge('c', 'x'), edge('c', 'y')]);
    const down = await lineage({ ...ASK, dataset: 'dataphin:a', direction: 'downstream', depth: 2 }, services);
    expect(lines(down)).toEqual(['a b', 'b c']);
    expect(down.nodes.at(-1)).toMatchObject({ id: 'dataphin:c', more: { upstream: 0, downstream: 3 } });
    const up = await lineage({ ...ASK, dataset: 'dataphin:d', direction: 'upstream' }, services);
    expect(lines(up)).toEqual(['a b', 'b c', 'c d']);
    expect(up.nodes.some((node) => node.more)).toBe(false);
    expect(lines(await lineage({ ...ASK, dataset: 'dataphin:c', depth: 1 }, services))).toEqual([
      'b c',
      'c d',
      'c x',
      'c y',
    ]);
  });

  it('end in cycles and at datasets that feed themselves', async () => {
    const { services } = await graphLedger([...chain('a', 'b', 'c', 'a'), edge('b', 'b')]);
    expect(lines(await lineage({ ...ASK, dataset: 'dataphin:a', depth: 50 }, services))).toEqual([
      'a b',
      'b b',
      'b c',
      'c a',
    ]);
  });

  it('meet under every name of a dataset, across vendors and manifests that do not give its identity', async () => {
    const { services } = await graphLedger([
      { from: [table('s.a', 'ns/a')], to: [table('s.b', 'ns/b')] },
      { from: [table('db.b', 'ns/b')], to: [table('db.c', 'ns/c')], vendor: 'dataarts' },
      { from: [table('s.b')], to: [table('s.d')] },
    ]);
    for (const dataset of ['ns/a', 'dataphin:s.a']) {
      const graph = await lineage({ ...ASK, dataset, direction: 'downstream' }, services);
      expect(lines(graph).sort()).toEqual(['ns/a ns/b', 'ns/b ns/c', 'ns/b s.d']);
      expect(graph.nodes.find((node) => node.id === 'ns/b')?.names).toEqual(['dataarts:db.b', 'dataphin:s.b']);
    }
  });

  it('are one across vendors where a manifest names a table at both and gives no identity', async () => {
    const joined = { name: 'db.b', same: 'dataphin:s.b' };
    const { services } = await graphLedger([
      edge('s.a', 's.b'),
      { from: [joined], to: [table('db.c')], vendor: 'dataarts' },
      // Somebody else knows it by its identity, at one vendor only.
      { from: [table('s.b', 'ns/b')], to: [table('s.d', 'ns/d')] },
    ]);
    for (const dataset of ['dataphin:s.b', 'dataarts:db.b', 'ns/b']) {
      const graph = await lineage({ ...ASK, dataset }, services);
      expect(lines(graph).sort()).toEqual(['ns/b dataarts:db.c', 'ns/b ns/d', 's.a ns/b']);
      expect(graph.nodes.find((node) => node.id === 'ns/b')?.names).toEqual(['dataarts:db.b', 'dataphin:s.b']);
    }
  });

  it('show of a job with many tables only what lies on the way', async () => {
    const { services } = await graphLedger([
      { from: [table('a'), table('b')], to: [table('c'), table('d')], vendor: 'dataarts' },
    ]);
    const graph = await lineage({ ...ASK, dataset: 'dataarts:a', direction: 'downstream' }, services);
    expect(graph.edges.map(({ from, to }) => from + to)).toEqual(['dataarts:adataarts:c', 'dataarts:adataarts:d']);
  });

  it('page without losing or repeating an edge', async () => {
    const { services } = await graphLedger(Array.from({ length: 23 }, (_, at) => edge('hub', `t${at}`)));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await lineage({ ...ASK, dataset: 'dataphin:hub', limit: 10, after }, services);
      expect(page.edges.length).toBeLessThanOrEqual(10);
      seen.push(...lines(page));
      after = page.next;
    } while (after !== undefined);
    expect(seen.length).toBe(23);
    expect(new Set(seen).size).toBe(23);
  });

  it('answer 404 for what nobody knows, and a lone node for an end without edges that way', async () => {
    const { services } = await graphLedger(chain('a', 'b'));
    await expect(lineage({ ...ASK, dataset: 'dataphin:z' }, services)).rejects.toMatchObject({ kind: 'missing' });
    const end = await lineage({ ...ASK, dataset: 'dataphin:b', direction: 'downstream' }, services);
    expect([end.nodes.map((node) => node.id), end.edges]).toEqual([['dataphin:b'], []]);
  });
});

describe('cost', () => {
  /** A tree of which five steps are asked, inside a forest of other trees. */
  function* forest(trees: number): Generator<Pair> {
    for (let tree = 0; tree < trees; tree += 1) {
      for (let at = 1; at <= 62; at += 1) yield edge(`t${tree}.n${Math.floor((at - 1) / 2)}`, `t${tree}.n${at}`);
    }
  }

  it('is in proportion to the edges returned, whatever the size of the graph', async () => {
    const costs: number[] = [];
    for (const trees of [2, 400]) {
      const { services, reads } = await graphLedger(forest(trees));
      const graph = await lineage({ ...ASK, dataset: 'dataphin:t1.n0', direction: 'downstream', depth: 5 }, services);
      expect(graph.edges.length).toBe(62);
      costs.push(reads.rows + reads.finds);
      expect(reads.rows + reads.finds).toBeLessThan(8 * graph.edges.length);
    }
    expect(costs[0]).toBe(costs[1]);
  });

  it('stays within the limit at a hub', async () => {
    const { services, reads } = await graphLedger(Array.from({ length: 5_000 }, (_, at) => edge('hub', `t${at}`)));
    const graph = await lineage({ ...ASK, dataset: 'dataphin:hub', limit: 20, depth: 5 }, services);
    expect(graph.next).toBe('20');
    expect(graph.nodes.find((node) => node.id === 'dataphin:hub')?.more).toMatchObject({ atLeast: true });
    expect(reads.rows + reads.finds).toBeLessThan(500);
  });
});

describe('paths', () => {
  it('are all the shortest ways, and no others', async () => {
    const { services } = await graphLedger([
      ...chain('a', 'b', 'd'),
      ...chain('a', 'c', 'd'),
      ...chain('a', 'x', 'y', 'd'),
      edge('d', 'e'),
    ]);
    const graph = await lineage({ ...ASK, dataset: 'dataphin:a', to: 'dataphin:e' }, services);
    expect(lines(graph)).toEqual(['a b', 'a c', 'b d', 'c d', 'd e']);
    expect(lines(await lineage({ ...ASK, dataset: 'dataphin:e', to: 'dataphin:a' }, services))).toHaveLength(5);
    await expect(
      lineage({ ...ASK, dataset: 'dataphin:e', to: 'dataphin:a', direction: 'downstream' }, services),
    ).rejects.toMatchObject({ kind: 'missing' });
    await expect(
      lineage({ ...ASK, dataset: 'dataphin:a', to: 'dataphin:e', depth: 2 }, services),
    ).rejects.toMatchObject({ kind: 'missing' });
  });

  it('do not read a hub at one end when the other is narrow', async () => {
    const { services, reads } = await graphLedger([
      ...Array.from({ length: 3_000 }, (_, at) => edge('hub', `t${at}`)),
      edge('t7', 'goal'),
    ]);
    expect(lines(await lineage({ ...ASK, dataset: 'dataphin:hub', to: 'dataphin:goal' }, services))).toEqual([
      'hub t7',
      't7 goal',
    ]);
    expect(reads.rows + reads.finds).toBeLessThan(120);
  });
});

describe('filters', () => {
  const pairs = [
    edge('a', 'b', { owner: 'http/ci/load.json' }),
    edge('b', 'c', {
      owner: 'manifests/x.yaml',
      state: (unit) => ({ ...unit, refusal: { content: '', kind: 'rejected', message: 'no', at: 0, attempts: 1 } }),
    }),
    edge('c', 'd', { owner: 'manifests/x.yaml', vendor: 'dataarts' }),
  ];

  it('take edges by owner, job, target and outcome, with and without a dataset', async () => {
    const { services, ledger } = await graphLedger(pairs);
    await ledger.write({ key: 'owner/http/ci/load.json', rev: 'o', body: { job: 'ci/load' } }, null);
    const ask = async (filter: Partial<LineageQuery>) => lines(await lineage({ ...ASK, ...filter }, services));
    expect(await ask({ job: 'ci/load' })).toEqual(['a b']);
    expect(await ask({ job: 'load' })).toEqual(['a b']);
    expect(await ask({ outcome: 'failed' })).toEqual(['b c']);
    expect(await ask({ target: 'dataarts' })).toEqual(['dataarts:c dataarts:d']);
    expect(await ask({ target: 'dataarts', outcome: 'failed' })).toEqual([]);
    expect(await ask({ dataset: 'dataphin:a', outcome: 'failed' })).toEqual(['b c']);
  });

  it('take an owner’s edges from its own row', async () => {
    const { services, ledger, reads } = await graphLedger([
      ...pairs,
      ...Array.from({ length: 500 }, (_, at) => edge('hub', `t${at}`)),
    ]);
    await ledger.write(
      { key: 'owner/manifests/x.yaml', rev: 'o', body: { units: { ids: ['dataarts|c|d', 'dataphin|b|c'] } } },
      null,
    );
    const first = await lineage({ ...ASK, owner: 'manifests/x.yaml', limit: 1 }, services);
    expect([first.edges.length, first.next]).toEqual([1, 'unit/dataarts|c|d']);
    expect(lines(await lineage({ ...ASK, owner: 'manifests/x.yaml', after: first.next }, services))).toEqual(['b c']);
    expect(reads.rows).toBeLessThan(12);
    await expect(lineage({ ...ASK, owner: 'manifests/none.yaml' }, services)).rejects.toMatchObject({
      kind: 'missing',
    });
  });
});

describe('search', () => {
  it('finds datasets by parts of any name, the exact one first', async () => {
    const { services } = await graphLedger([
      { from: [table('shop.orders_raw', 'mc/shop.orders_raw')], to: [table('shop.orders', 'mc/shop.orders')] },
      edge('other.table', 'shop.payments'),
    ]);
    const ids = async (q: string) => (await lineage({ ...ASK, q }, services)).nodes.map((node) => node.id);
    expect(await ids('mc/shop.orders')).toEqual(['mc/shop.orders', 'mc/shop.orders_raw']);
    expect(await ids('ORDERS raw')).toEqual(['mc/shop.orders_raw']);
    expect(await ids('dataphin:other')).toEqual(['dataphin:other.table']);
    expect(await ids('nothing')).toEqual([]);
  });

  it('says when it has not looked everywhere, and goes on from there', async () => {
    const { services } = await graphLedger([
      ...Array.from({ length: 5_600 }, (_, at) => edge(`a${at}`, `b${at}`)),
      edge('zz.needle', 'zz.b'),
    ]);
    // The middle of a word is in no index.
    const first = await lineage({ ...ASK, q: 'eedle' }, services);
    expect(first).toMatchObject({ nodes: [], partial: true, next: expect.any(String) });
    const second = await lineage({ ...ASK, q: 'eedle', after: first.next }, services);
    expect(second.nodes.map((node) => node.id)).toEqual(['dataphin:zz.needle']);
    expect(second.partial).toBeUndefined();
  });

  it('is complete, and says nothing of more, in a small graph', async () => {
    const { services } = await graphLedger([edge('shop.orders_raw', 'shop.reorders')]);
    const found = await lineage({ ...ASK, q: 'orders' }, services);
    expect(found.nodes.map((node) => node.id)).toEqual(['dataphin:shop.reorders', 'dataphin:shop.orders_raw']);
    expect(found).not.toHaveProperty('next');
  });

  it('finds the beginning of a word without going through the graph', async () => {
    const { services, reads } = await graphLedger([
      ...Array.from({ length: 3_000 }, (_, at) => edge(`a${at}`, `b${at}`)),
      edge('zz.sharp_Needle', 'zz.ordersDaily'),
      edge('zz.x', 'zz.订单汇总'),
    ]);
    const ids = async (q: string) => (await lineage({ ...ASK, q, limit: 1 }, services)).nodes.map((node) => node.id);
    expect(await ids('need')).toEqual(['dataphin:zz.sharp_Needle']);
    expect(await ids('daily')).toEqual(['dataphin:zz.ordersDaily']);
    expect(await ids('汇总')).toEqual(['dataphin:zz.订单汇总']);
    expect(await ids('zz.orders')).toEqual(['dataphin:zz.ordersDaily']);
    expect(reads.rows + reads.finds).toBeLessThan(60);
  });
});

describe('edges', () => {
  it('tell manifests, jobs, targets with outcome, receipt and times, failures and what to do', async () => {
    const { services, ledger } = await graphLedger([
      edge('a', 'b', {
        owner: 'openlineage/ns/job%20x.json',
        state: (unit) => ({
          ...unit,
          refusal: { content: '', kind: 'denied', message: 'no right', at: 0, retryAt: 60_000, attempts: 1 },
        }),
      }),
      edge('a', 'c', { owner: 'manifests/held.yaml' }),
      edge('a', 'd', {
        state: (unit) => ({
          ...unit,
          claims: {},
          shown: NONE,
          nodes: [{ mask: 1n, options: '', receipt: 'q', at: 0 }],
        }),
      }),
    ]);
    await ledger.write(
      {
        key: 'owner/manifests/held.yaml',
        rev: 'o',
        body: { held: { id: 'h1', at: 0, reason: 'too many', units: { ids: ['dataphin|a|c'] } } },
      },
      null,
    );
    await ledger.write({ key: 'owner/openlineage/ns/job%20x.json', rev: 'o', body: { job: 'ns/job x' } }, null);
    const { edges } = await lineage({ ...ASK, dataset: 'dataphin:a' }, services);
    const at = Object.fromEntries(edges.map((each) => [each.to, each]));
    expect(at['dataphin:b']).toMatchObject({
      jobs: ['ns/job x'],
      registeredAt: '2023-11-14T22:13:20.000Z',
      changedAt: '2023-11-14T22:15:00.000Z',
      targets: [
        {
          outcome: 'failed',
          receipt: 'r',
          failure: { kind: 'denied', message: 'no right' },
          advice: expect.stringContaining('lineage/dataphin'),
        },
      ],
    });
    expect(at['dataphin:c']?.targets[0]).toMatchObject({
      outcome: 'held',
      advice: expect.stringContaining('{"release":"h1"}'),
    });
    expect(at['dataphin:d']?.targets[0]).toMatchObject({ outcome: 'unsupported', receipt: 'q' });
  });
});

it('name the job of a manifest as it was applied last, also while it cannot be read', async () => {
  const here = await local();
  const KEY = 'manifests/a.json';
  const named = (job: object) => JSON.stringify({ ...JSON.parse(manifest([['a', 'b']])), ...job });
  const jobs = async () => {
    const answer = await here.request('GET', '/lineage?dataset=dataphin:odps.300000001.p.a&format=json');
    return ((await answer.json()) as LineageAnswer).edges.map((each) => each.jobs);
  };
  await here.drop(KEY, named({ job: { namespace: 'ci', name: 'load all' } }));
  await here.statusWhen(KEY, (each) => each.state === 'converged');
  expect(await jobs()).toEqual([['ci/load all']]);
  await here.drop(KEY, '{');
  await here.statusWhen(KEY, (each) => each.state === 'invalid');
  expect(await jobs()).toEqual([['ci/load all']]);
  await here.drop(KEY, named({}));
  await here.statusWhen(KEY, (each) => each.state === 'converged');
  await until(async () => JSON.stringify(await jobs()) === '[[]]');
});
