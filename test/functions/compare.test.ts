import { describe, expect, it } from 'vitest';
import { planned } from '../../functions/fetch/planned.ts';
import { SHOP, shopDataset } from '../../local/shop.ts';
import { overlaid } from '../../shared/converge/overlay.ts';
import type { ComparedAt, GraphEdge, GraphNode } from '../../shared/core/graph.ts';
import { type Local, local } from './local.ts';

const CLEAN = shopDataset('orders_clean');
const guid = (name: string) => `odps.300000001.shop.${name}`;

async function shop(): Promise<Local> {
  const here = await local();
  for (const [key, text] of Object.entries(SHOP)) await here.drop(key, text);
  for (const key of Object.keys(SHOP)) await here.statusWhen(key, (status) => status.state === 'converged');
  await here.sandbox('dataarts', 'PUT', 'seed', { bulkRead: true });
  return here;
}

interface Answered {
  readonly status: number;
  readonly body: {
    readonly nodes: readonly GraphNode[];
    readonly edges: readonly GraphEdge[];
    readonly detail?: string;
    readonly next?: string;
    readonly errors?: readonly { path: string }[];
    readonly compare?: {
      readonly targets: readonly { target: string; reason?: string; counts: Record<string, number> }[];
    };
    readonly plan?: { readonly checksum: string; readonly summary: Record<string, number> };
  };
}

async function ask(here: Local, query: Record<string, string>): Promise<Answered> {
  const answer = await here.request('GET', `/lineage?${new URLSearchParams(query)}`);
  return { status: answer.status, body: (await answer.json()) as Answered['body'] };
}

const short = (id: string): string => id.replace(/^.*shop\./, '');
const lines = ({ body }: Answered): string[] => body.edges.map(({ from, to }) => `${short(from)} > ${short(to)}`);

/** Somebody deletes a pair at Dataphin itself. */
async function deleteThere(here: Local, from: string, to: string): Promise<void> {
  const { list } = await here.runtime.services.deps.targets();
  const client = list.find((each) => each.name === 'dataphin')?.client;
  const end = (name: string) => ({ referenceType: 'BY_GUID', guid: guid(name), metadataType: 'TABLE' });
  await client?.withdraw?.(
    {
      from: [{ name: guid(from) }],
      to: [{ name: guid(to) }],
      spec: { source: end(from), target: end(to) },
      columns: [],
      options: {},
      cascade: true,
    },
    { deadlineMs: Date.now() + 5_000 },
  );
}

const parsed = (source: string, target: string) => ({
  source: guid(source),
  target: guid(target),
  columns: [['a', 'b']],
  nodeId: 'n1',
});

describe('from=dataphin and from=dataarts', () => {
  it('tell what the vendor itself shows, under the names of the ledger', async () => {
    const here = await shop();
    await here.sandbox('dataphin', 'PUT', 'seed', { parsedLineage: [parsed('legacy', 'orders_raw')] });
    const question = { dataset: CLEAN, direction: 'upstream', level: 'column' };
    const found = await ask(here, { ...question, from: 'dataphin', depth: '2' });
    expect(lines(found).sort()).toEqual(['legacy > orders_raw', 'orders_raw > orders_clean']);
    expect(found.body.nodes.map((node) => node.id)).toContain(CLEAN);
    const [, registered] = [...found.body.edges].sort((a, b) => (short(a.from) < short(b.from) ? -1 : 1));
    expect(registered?.columns?.map(({ from, to }) => `${from} ${to}`).sort()).toEqual([
      'customer_id customer_id',
      'id order_id',
      'price total',
      'qty total',
    ]);
    expect(lines(await ask(here, { ...question, from: 'dataphin', depth: '1' }))).toEqual([
      'orders_raw > orders_clean',
    ]);
    const listed = await ask(here, { dataset: CLEAN, direction: 'both', depth: '1', from: 'dataarts' });
    expect(lines(listed)).toEqual(['orders_clean > orders_enriched', 'orders_raw > orders_clean']);
    expect(listed.body.nodes.map((node) => node.id)).toContain(CLEAN);
    const page = await ask(here, { from: 'dataarts', limit: '2' });
    expect([page.body.edges.length, page.body.next]).toEqual([2, '2']);
  });

  it('say what they cannot tell, and how they could', async () => {
    const here = await shop();
    expect(await ask(here, { from: 'dataphin' })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'dataset' }] },
    });
    expect(await ask(here, { from: 'dataphin', dataset: 'no/such' })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('naming.yaml') },
    });
    await here.sandbox('dataarts', 'PUT', 'seed', { bulkRead: false });
    expect(await ask(here, { from: 'dataarts', dataset: CLEAN })).toMatchObject({
      status: 404,
      body: { detail: expect.stringMatching(/ShowLineageBulk/) },
    });
    expect((await ask(here, { from: 'dataarts/finance', dataset: CLEAN })).status).toBe(409);
  });
});

describe('from=compare', () => {
  const verdicts = (answered: Answered, target: string) =>
    Object.fromEntries(
      answered.body.edges.map((edge) => [
        `${short(edge.from)} > ${short(edge.to)}`,
        edge.compared?.find((each: ComparedAt) => each.target === target)?.verdict,
      ]),
    );

  it('says of every edge who shows it and who does not, side by side with the ledger', async () => {
    const here = await shop();
    await here.sandbox('dataphin', 'PUT', 'seed', { parsedLineage: [parsed('legacy', 'orders_raw')] });
    await deleteThere(here, 'orders_raw', 'orders_clean');
    const found = await ask(here, { from: 'compare', dataset: CLEAN, direction: 'upstream', depth: '2' });
    // The walk goes on where only one of them has the edge.
    expect(verdicts(found, 'dataphin')).toEqual({
      'legacy > orders_raw': 'extra',
      'orders_raw > orders_clean': 'missing',
    });
    expect(verdicts(found, 'dataarts')).toEqual({
      'legacy > orders_raw': 'absent',
      'orders_raw > orders_clean': 'same',
    });
    expect(found.body.compare?.targets).toMatchObject([
      { target: 'dataarts', counts: { same: 1, absent: 1, missing: 0 } },
      { target: 'dataphin', counts: { missing: 1, extra: 1, same: 0 } },
    ]);
    const missing = found.body.edges.find((edge) => edge.to === CLEAN);
    expect(missing?.targets).toMatchObject([
      { target: 'dataarts', outcome: 'registered' },
      { target: 'dataphin', outcome: 'drifted', advice: expect.stringContaining('does not show it') },
    ]);
    const only = await ask(here, { from: 'compare', dataset: CLEAN, depth: '2', outcome: 'drifted' });
    expect(lines(only)).toEqual(['orders_raw > orders_clean']);
  });

  it('shows missing columns, and in the formats', async () => {
    const here = await shop();
    await here.sandbox('dataphin', 'PUT', 'seed', {
      parsedLineage: [{ ...parsed('orders_raw', 'orders_clean'), columns: [['extra', 'id2']] }],
    });
    const question = { from: 'compare', dataset: CLEAN, direction: 'upstream', depth: '1', level: 'column' };
    const [edge] = (await ask(here, question)).body.edges;
    expect(edge?.compared?.find((each) => each.target === 'dataphin')).toMatchObject({
      verdict: 'same',
      columns: { missing: [], extra: [['extra', 'id2']] },
    });
    await deleteThere(here, 'orders_raw', 'orders_clean');
    const text = async (format: string) =>
      (await here.request('GET', `/lineage?${new URLSearchParams({ ...question, format })}`)).text();
    expect(await text('csv')).toMatch(/"ledger","shown","verdict"\r\n/);
    expect(await text('csv')).toMatch(/"registered","true","same"\r\n/);
    expect(await text('mermaid')).toContain('dataphin');
    expect(await text('svg')).toContain('<svg');
    expect(await text('html')).toContain('"compared":');
  });

  it('judges nothing at a vendor that cannot be asked', async () => {
    const here = await shop();
    await here.sandbox('dataarts', 'PUT', 'seed', { bulkRead: false });
    await here.fault('dataphin', { kind: 'denied', times: 99, operation: 'GetTableLineages' });
    const found = await ask(here, { from: 'compare', dataset: CLEAN, depth: '1' });
    for (const target of ['dataphin', 'dataarts']) {
      expect([...new Set(Object.values(verdicts(found, target)))]).toEqual(['unread']);
    }
    expect(found.body.compare?.targets.every((each) => (each.reason ?? '') !== '')).toBe(true);
    expect(found.body.edges.flatMap((edge) => edge.targets.map((at) => at.outcome))).not.toContain('drifted');
  });
});

describe('from=plan', () => {
  it('shows what applying it would do, in the graph that stands', async () => {
    const here = await shop();
    const key = 'manifests/orders.json';
    expect((await ask(here, { from: 'plan' })).body.edges).toEqual([]);
    const text = (SHOP[key] ?? '')
      .replaceAll('"shop.orders_clean"', '"shop.orders_tidy"')
      .replaceAll('.orders_clean', '.orders_tidy');
    const { services } = here.runtime;
    // As somebody plans it before it is in the bucket.
    const manifests = overlaid(services.deps.manifests, new Map([[key, Buffer.from(text)]]), false);
    const query = { direction: 'both', depth: 2, level: 'table', limit: 100 } as const;
    const found = await planned(query, Date.now() + 20_000, { ...services, deps: { ...services.deps, manifests } });
    const marks = found.edges.flatMap((edge) =>
      edge.targets.map((at) => `${short(edge.from)} > ${short(edge.to)} ${at.target} ${at.outcome}`),
    );
    expect(marks).toContain('orders_raw > orders_tidy dataphin create');
    expect(marks).toContain('orders_raw > orders_clean dataphin withdraw');
    expect(found.plan.summary.create).toBeGreaterThan(0);
    const around = await planned({ ...query, dataset: CLEAN }, Date.now() + 20_000, {
      ...services,
      deps: { ...services.deps, manifests },
    });
    expect(around.edges.find((edge) => edge.from === CLEAN)?.targets[0]).toMatchObject({ outcome: 'registered' });
  });
});
