import { expect, it } from 'vitest';
import { local } from './local.ts';

const namespace = 'hive://m1:9083';
const job = { namespace: 'air flow', name: 'etl.j' };

const event = (inputs: readonly string[], outputs: readonly string[], runId = 'r1') => ({
  eventType: 'COMPLETE',
  eventTime: '2026-11-20T02:00:00Z',
  producer: 'https://example.com',
  schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json',
  run: { runId },
  job,
  inputs: inputs.map((name) => ({ namespace, name })),
  outputs: outputs.map((name) => ({ namespace, name })),
});

interface Graph {
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly declaredBy: readonly string[];
    readonly columns?: readonly object[];
    readonly targets: readonly { readonly target: string; readonly outcome: string; readonly advice?: string }[];
  }[];
}

async function world() {
  const at = await local();
  const get = async <T>(path: string) => {
    const answer = await at.request('GET', path);
    return { status: answer.status, body: (await answer.json()) as T };
  };
  const edges = async (query: string) => {
    const { status, body } = await get<Graph>(`/lineage?${query}`);
    return status === 200
      ? body.edges.map(
          ({ from, to, targets }) =>
            `${from} > ${to} ${targets.map((each) => `${each.target} ${each.outcome}`).join()}`,
        )
      : [];
  };
  return { at, get, edges };
}

const of = (name: string) => `dataset=${encodeURIComponent(`${namespace}/${name}`)}`;
const UNRESOLVED = 'dataarts unresolved,dataphin unresolved';

it('answers what feeds a table that no vendor has a name for, as soon as an event has told', async () => {
  const { at, get, edges } = await world();
  await at.request('POST', '/api/v1/lineage', JSON.stringify(event(['db.a'], ['db.b'])));
  await expect
    .poll(() => edges(of('db.b')), { timeout: 10_000 })
    .toEqual([`${namespace}/db.a > ${namespace}/db.b ${UNRESOLVED}`]);
  const node = (id: string) => get<{ graph: { id: string }[] }>(`/api/v1/lineage?nodeId=${encodeURIComponent(id)}`);
  const ids = async (id: string) => (await node(id)).body.graph.map((each) => each.id).sort();
  const whole = [`dataset:${namespace}:db.a`, `dataset:${namespace}:db.b`, 'job:air flow:etl.j'];
  expect(await ids('job:air flow:etl.j')).toEqual(whole);
  expect(await ids(`dataset:${namespace}:db.b`)).toEqual(whole);
  const jobs = await get<{ jobs: { name: string; createdAt: string }[] }>('/api/v1/namespaces/air%20flow/jobs');
  expect(jobs.body.jobs).toMatchObject([{ name: 'etl.j', createdAt: expect.stringMatching(/^20/) }]);
  const datasets = `/api/v1/namespaces/${encodeURIComponent(namespace)}/datasets`;
  expect((await get<{ totalCount: number }>(datasets)).body.totalCount).toBe(2);
  expect(await edges('owner=openlineage/air%2520flow/etl.j.json')).toHaveLength(1);
  expect(await at.dataphin()).toEqual([]);
  const compared = await get<{ edges: { compared: { ledger: string | null; verdict: string }[] }[] }>(
    `/lineage?from=compare&${of('db.b')}`,
  );
  // No vendor waits for what it has no name for.
  expect(compared.body.edges[0]?.compared.map(({ ledger, verdict }) => [ledger, verdict])).toEqual([
    [null, 'absent'],
    [null, 'absent'],
  ]);
  const overview = await (await at.request('GET', '/')).text();
  expect(/(\d+)\D*edges at vendors/.exec(overview)?.[1]).toBe('0');
});

it('shows them where they go once a rule names them, and no longer once nobody declares them', async () => {
  const { at, edges } = await world();
  const put = (lineage: readonly object[]) =>
    at.request('PUT', '/manifests/m.json', JSON.stringify({ version: 1, job, lineage }));
  const entry = (from: string, to: string) => ({
    from: { namespace, name: from },
    to: { namespace, name: to },
    columns: { id: 'id' },
  });
  await put([entry('db.a', 'db.b'), entry('other.a', 'db.b')]);
  expect(await edges(of('db.b'))).toEqual([
    `${namespace}/db.a > ${namespace}/db.b ${UNRESOLVED}`,
    `${namespace}/other.a > ${namespace}/db.b ${UNRESOLVED}`,
  ]);
  const rule = { match: { namespace, name: 'db.{table}' }, dataphin: { guid: 'odps.1.p.{table}' } };
  await at.drop('naming.yaml', JSON.stringify({ version: 1, rules: [rule] }));
  await expect
    .poll(() => edges(of('db.b')), { timeout: 10_000 })
    .toEqual([
      `${namespace}/db.a > ${namespace}/db.b dataphin registered`,
      `${namespace}/other.a > ${namespace}/db.b ${UNRESOLVED}`,
    ]);
  await put([entry('db.a', 'db.b')]);
  expect(await edges(of('db.b'))).toEqual([`${namespace}/db.a > ${namespace}/db.b dataphin registered`]);
  await put([entry('other.a', 'other.b')]);
  expect(await edges(of('other.b'))).toHaveLength(1);
  await at.request('DELETE', '/manifests/m.json');
  expect(await edges(of('other.b'))).toEqual([]);
});

it('writes nothing when nothing changed, and tells columns', async () => {
  const { at, get } = await world();
  const lineage = [{ from: { namespace, name: 'a' }, to: { namespace, name: 'b' }, columns: { x: ['y', 'z'] } }];
  await at.request('PUT', '/manifests/m.json', JSON.stringify({ version: 1, lineage }));
  const { body } = await get<Graph>(`/lineage?${of('b')}&level=column`);
  expect(body.edges[0]?.columns).toEqual([
    { from: 'y', to: 'x', direct: true },
    { from: 'z', to: 'x', direct: true },
  ]);
  expect(body.edges[0]?.targets[0]?.advice).toContain('/names/unresolved');
});
