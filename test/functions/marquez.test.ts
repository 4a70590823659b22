import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { identityOf, readNodeId } from '../../functions/fetch/marquez/node-id.ts';
import { type Local, local, manifest, until } from './local.ts';

const NAMING = `
version: 1
rules:
  - match: { namespace: "hive://*", name: "{database}.{table}" }
    dataphin: { guid: "odps.300000001.{database}.{table}" }
  - match: { namespace: "arn:*", name: "table/{database}/{table}" }
    dataphin: { guid: "odps.300000001.{database}.{table}" }
`;
const HIVE = 'hive://metastore:9083';
const GLUE = 'arn:aws:glue:eu-central-1:123456789012';
const table = (name: string, columns?: Record<string, [string, string][]>, namespace = HIVE) => ({
  namespace,
  name,
  ...(columns
    ? {
        facets: {
          columnLineage: {
            fields: Object.fromEntries(
              Object.entries(columns).map(([to, from]) => [
                to,
                { inputFields: from.map(([source, field]) => ({ namespace: HIVE, name: source, field })) },
              ]),
            ),
          },
        },
      }
    : {}),
});

interface Sent {
  readonly job: string;
  readonly run?: string;
  readonly at?: string;
  readonly inputs: readonly object[];
  readonly outputs: readonly object[];
}

const event = ({ job, run = `run-of-${job}`, at = '2026-11-20T02:00:00Z', inputs, outputs }: Sent) => ({
  eventType: 'COMPLETE',
  eventTime: at,
  run: { runId: run },
  job: { namespace: 'airflow-prod', name: job },
  producer: 'test',
  inputs,
  outputs,
});

async function filled(): Promise<Local> {
  const at = await local();
  await at.drop('naming.yaml', NAMING);
  const events = [
    event({ job: 'one', inputs: [table('ods.a')], outputs: [table('dw.b', { y: [['ods.a', 'x']] })] }),
    event({
      job: 'two',
      inputs: [table('dw.b')],
      outputs: [table('ads.c', { z: [['dw.b', 'y']] })],
      at: '2026-11-20T03:00:00Z',
    }),
    event({ job: 'glue', inputs: [table('ads.c')], outputs: [table('table/g/t', undefined, GLUE)] }),
  ];
  for (const each of events)
    expect((await at.request('POST', '/api/v1/lineage', JSON.stringify(each))).status).toBe(201);
  await at.drop('manifests/own.json', manifest([['left', 'right']], { targets: ['dataphin'] }));
  await until(async () => (await at.dataphin()).length === 4);
  return at;
}

async function read<T = { graph: Node[] }>(at: Local, path: string): Promise<T> {
  const answer = await at.request('GET', `/api/v1/${path}`);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

interface Node {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly name: string; readonly inputs?: object[]; readonly latestRun?: object };
  readonly inEdges: { readonly origin: string; readonly destination: string }[];
  readonly outEdges: { readonly origin: string; readonly destination: string }[];
}

const q = encodeURIComponent;
const at = (nodeId: string, rest = '') => `lineage?nodeId=${q(nodeId)}${rest}`;
const A = `dataset:${HIVE}:ods.a`;
const B = `dataset:${HIVE}:dw.b`;
const C = `dataset:${HIVE}:ads.c`;
const G = `dataset:${GLUE}:table/g/t`;
const [ONE, TWO, THREE] = ['one', 'two', 'glue'].map((name) => `job:airflow-prod:${name}`);
const ids = ({ graph }: { graph: readonly { id: string }[] }) => graph.map((node) => node.id).sort();

const key_sha256 = (key: string) => createHash('sha256').update(key).digest('hex');

async function withClients(clients: readonly object[]): Promise<Local> {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-marquez-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'secrets/lineage'), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'secrets/lineage/clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
  return local({ AUTH: 'required' }, folder);
}

describe('the reads of Marquez', () => {
  it('show datasets and jobs by turns, from either', async () => {
    const here = await filled();
    const all = [A, B, C, G, ONE, TWO, THREE].sort();
    for (const start of [A, B, G, ONE ?? '', TWO ?? '']) expect(ids(await read(here, at(start))), start).toEqual(all);
    expect(ids(await read(here, at(B, '&depth=1')))).toEqual([A, B, C, ONE, TWO].sort());
    expect(ids(await read(here, at(ONE ?? '', '&depth=1')))).toEqual([A, B, ONE].sort());
    const { graph } = await read(here, at(B));
    expect(graph.find((node) => node.id === B)).toMatchObject({
      type: 'DATASET',
      data: { id: { namespace: HIVE, name: 'dw.b' }, type: 'DB_TABLE', fields: [{ name: 'y' }] },
      inEdges: [{ origin: ONE, destination: B }],
      outEdges: [{ origin: B, destination: TWO }],
    });
    expect(graph.find((node) => node.id === TWO)).toMatchObject({
      type: 'JOB',
      data: {
        id: { namespace: 'airflow-prod', name: 'two' },
        inputs: [{ namespace: HIVE, name: 'dw.b' }],
        outputs: [{ namespace: HIVE, name: 'ads.c' }],
        latestRun: { id: 'run-of-two', state: 'COMPLETED', endedAt: '2026-11-20T03:00:00.000Z' },
      },
      inEdges: [{ origin: B, destination: TWO }],
      outEdges: [{ origin: TWO, destination: C }],
    });
    // What has no job goes by its manifest, what has no identity by its vendor's name; each node leads on.
    const own = 'job:lineage-functions:manifests/own.json';
    const left = 'dataset:dataphin:odps.300000001.p.left';
    expect(ids(await read(here, at(own)))).toEqual([left, left.replace('left', 'right'), own].sort());
    expect(ids(await read(here, at(left)))).toContain(own);
    expect((await here.request('GET', `/api/v1/${at('dataset:x:y')}`)).status).toBe(404);
    expect((await here.request('GET', `/api/v1/${at('b')}`)).status).toBe(400);
    expect((await here.request('GET', '/api/v1/lineage')).status).toBe(400);
  });

  it('show columns, up and if asked down, each node with where its edges lead', async () => {
    const here = await filled();
    const field = (dataset: string, name: string) => `${dataset.replace('dataset:', 'datasetField:')}:${name}`;
    const [x, y, z] = [field(A, 'x'), field(B, 'y'), field(C, 'z')];
    const columns = (nodeId: string, rest = '') => read(here, `column-${at(nodeId, rest)}`);
    expect(ids(await columns(C))).toEqual([x, y, z].sort());
    expect(ids(await columns(z, '&depth=1'))).toEqual([y, z].sort());
    expect(ids(await columns(B))).toEqual([x, y].sort());
    expect(ids(await columns(y, '&withDownstream=true'))).toEqual([x, y, z].sort());
    expect(ids(await columns(TWO ?? ''))).toEqual([x, y, z].sort());
    const { graph } = await columns(C);
    expect(graph.find((node) => node.id === y)).toMatchObject({
      type: 'DATASET_FIELD',
      data: {
        namespace: HIVE,
        dataset: 'dw.b',
        field: 'y',
        inputFields: [{ namespace: HIVE, dataset: 'ods.a', field: 'x', transformationType: 'DIRECT' }],
      },
      inEdges: [{ origin: y, destination: x }],
      outEdges: [{ origin: y, destination: z }],
    });
  });

  it('list namespaces, datasets, jobs and runs, and find by a part of a name', async () => {
    const here = await filled();
    const { namespaces } = await read<{ namespaces: { name: string }[] }>(here, 'namespaces?limit=10');
    expect(namespaces.map((each) => each.name)).toEqual(['airflow-prod', GLUE, 'dataphin', HIVE, 'lineage-functions']);
    type Listed = { datasets: { name: string }[]; jobs: { name: string }[]; totalCount: number };
    const datasets = await read<Listed>(here, `namespaces/${q(HIVE)}/datasets?limit=2&offset=1`);
    expect([datasets.totalCount, datasets.datasets.map((each) => each.name)]).toEqual([3, ['dw.b', 'ods.a']]);
    expect(await read(here, `namespaces/${q(HIVE)}/datasets/dw.b`)).toMatchObject({
      id: { namespace: HIVE, name: 'dw.b' },
      columnLineage: [{ name: 'y', inputFields: [{ namespace: HIVE, dataset: 'ods.a', field: 'x' }] }],
    });
    expect(await read(here, `namespaces/${q(GLUE)}/datasets/${q('table/g/t')}`)).toMatchObject({ name: 'table/g/t' });
    expect(await read(here, `namespaces/${q(HIVE)}/datasets/dw.b/versions`)).toMatchObject({ totalCount: 1 });
    const jobs = await read<Listed>(here, 'namespaces/airflow-prod/jobs');
    expect([jobs.totalCount, jobs.jobs.map((each) => each.name)]).toEqual([3, ['glue', 'one', 'two']]);
    expect((await read<Listed>(here, 'jobs')).totalCount).toBe(4);
    expect(await read(here, 'namespaces/airflow-prod/jobs/two')).toMatchObject({ latestRun: { id: 'run-of-two' } });
    expect(await read(here, 'namespaces/airflow-prod/jobs/two/runs?limit=10')).toMatchObject({
      runs: [{ id: 'run-of-two', state: 'COMPLETED' }],
      totalCount: 1,
    });
    type Search = { results: { nodeId: string; type: string }[]; totalCount: number };
    expect((await read<Search>(here, 'search?q=ads&sort=NAME&limit=100')).results).toMatchObject([
      { nodeId: C, type: 'DATASET', namespace: HIVE, name: 'ads.c' },
    ]);
    expect((await read<Search>(here, 'search?q=o&filter=JOB')).results.map((each) => each.nodeId)).toEqual([
      'job:lineage-functions:manifests/own.json',
      ONE,
      TWO,
    ]);
    for (const path of [`namespaces/${q(HIVE)}/datasets/none`, 'namespaces/airflow-prod/jobs/none'])
      expect((await here.request('GET', `/api/v1/${path}`)).status, path).toBe(404);
    expect(await read(here, 'tags')).toEqual({ tags: [] });
  });

  it('find a job whose namespace holds slashes, in lists too, by events or by a manifest', async () => {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    const namespace = 'https://host/prod';
    const sent = event({ job: 'a/b', inputs: [table('ods.a')], outputs: [table('dw.b')] });
    const body = JSON.stringify({ ...sent, job: { namespace, name: 'a/b' } });
    expect((await here.request('POST', '/api/v1/lineage', body)).status).toBe(201);
    const own = JSON.parse(manifest([['left', 'right']], { targets: ['dataphin'] })) as object;
    await here.drop('manifests/own.json', JSON.stringify({ ...own, job: { namespace, name: 'written' } }));
    await until(async () => (await here.dataphin()).length === 2);
    for (const name of ['a/b', 'written']) {
      const job = await read<{ inputs: object[] }>(here, `namespaces/${q(namespace)}/jobs/${q(name)}`);
      expect(job).toMatchObject({ id: { namespace, name }, namespace, name, inputs: [{}] });
    }
    const node = `job:${namespace}:a/b`;
    expect(ids(await read(here, at(node)))).toContain(node);
    const { jobs } = await read<{ jobs: object[] }>(here, `namespaces/${q(namespace)}/jobs`);
    expect(jobs).toMatchObject([{ name: 'a/b', latestRun: { id: 'run-of-a/b' } }]);
    expect((await here.request('GET', `/api/v1/namespaces/${q(namespace)}/jobs/b`)).status).toBe(404);
  });

  it('give the accepted events of a time', async () => {
    const here = await filled();
    type Events = { events: { job: { name: string } }[]; totalCount: number };
    const names = async (query: string) => {
      const { events, totalCount } = await read<Events>(here, `events/lineage?${query}`);
      return [totalCount, ...events.map((each) => each.job.name)];
    };
    await until(async () => (await names(''))[0] === 3);
    expect(await names('limit=1')).toEqual([3, 'two']);
    expect(await names(`after=2026-11-20T03:00:00Z&before=${q('2026-11-20T04:00:00+00:00')}`)).toEqual([1, 'two']);
    expect(await names('before=2026-11-20T03:00:00.000Z&sortDirection=asc&limit=5&offset=1')).toHaveLength(2);
    expect((await here.request('GET', '/api/v1/events/lineage?after=noon')).status).toBe(400);
  });

  it('do not show what has been withdrawn, not even where a vendor cannot delete', async () => {
    const here = await local();
    await here.drop('manifests/own.json', manifest([['left', 'right']], { targets: ['dataphin', 'dataarts'] }));
    const left = at('dataset:dataphin:odps.300000001.p.left');
    await until(async () => (await here.request('GET', `/api/v1/${left}`)).status === 200);
    await here.statusWhen('manifests/own.json', ({ state }) => state === 'converged');
    await here.remove('manifests/own.json');
    await here.statusWhen('manifests/own.json', ({ state }) => state === 'withdrawn');
    expect(await here.dataarts()).toHaveLength(1);
    for (const start of [
      'dataset:dataphin:odps.300000001.p.left',
      'dataset:dataarts:db..left',
      'job:lineage-functions:manifests/own.json',
    ])
      expect((await here.request('GET', `/api/v1/${at(start)}`)).status, start).toBe(404);
    expect(await read(here, 'namespaces')).toEqual({ namespaces: [] });
    expect(await read(here, 'search?q=left')).toEqual({ totalCount: 0, results: [] });
  });

  it('show a confined caller the events of its own namespaces and owners, large ones too', async () => {
    const keys = ['all', 'own', 'owner', 'writer'];
    const [all, own, owner, writer] = keys.map((key) => ({ name: key, key_sha256: key_sha256(key) }));
    const here = await withClients([
      { ...all, scopes: ['fetch'] },
      { ...own, scopes: ['fetch'], namespaces: ['airflow-*'] },
      { ...owner, scopes: ['fetch'], owners: ['openlineage/spark/*'] },
      { ...writer, scopes: ['ingest'] },
    ]);
    const one = event({ job: 'one', inputs: [table('ods.a')], outputs: [table('dw.b')] });
    const facets = { note: { text: 'x'.repeat(200_000) } };
    const spark = { namespace: 'spark', name: 'two' };
    for (const each of [one, { ...one, job: spark }, { ...one, run: { runId: 'big', facets }, job: spark }]) {
      const headers = { authorization: 'Bearer writer' };
      expect((await here.request('POST', '/api/v1/lineage', JSON.stringify(each), headers)).status).toBe(201);
    }
    const seen = async (key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const answer = await here.request('GET', '/api/v1/events/lineage', undefined, headers);
      const { events, totalCount } = (await answer.json()) as { events: (typeof one)[]; totalCount: number };
      return [totalCount, ...events.map(({ job }) => job.namespace).sort()];
    };
    await until(async () => (await seen('all'))[0] === 3);
    expect(await seen('own')).toEqual([1, 'airflow-prod']);
    expect(await seen('owner')).toEqual([2, 'spark', 'spark']);
  });

  it('need a key for reading', async () => {
    const clients = [
      { name: 'ui', scopes: ['fetch'], key_sha256: key_sha256('reader') },
      { name: 'airflow', scopes: ['ingest'], key_sha256: key_sha256('writer') },
    ];
    const here = await withClients(clients);
    for (const path of [
      'namespaces',
      'jobs',
      'search?q=a',
      'events/lineage',
      'lineage?nodeId=job:a:b',
      'column-lineage?nodeId=dataset:a:b',
      'tags',
    ]) {
      const status = async (headers: Record<string, string>) =>
        (await here.request('GET', `/api/v1/${path}`, undefined, headers)).status;
      expect(await status({}), path).toBe(401);
      expect(await status({ authorization: 'Bearer writer' }), path).toBe(403);
      expect([200, 404], path).toContain(await status({ authorization: 'Bearer reader' }));
    }
  });
});

test.each([
  ['dataset:hive://h:9083:db.t', 'hive://h:9083', 'db.t'],
  ['dataset:kafka://k1:9092,k2:9092:topic', 'kafka://k1:9092,k2:9092', 'topic'],
  ['job:airflow-prod:dag.task', 'airflow-prod', 'dag.task'],
  ['dataset:pubsub:topic:p:t', 'pubsub', 'topic:p:t'],
  ['dataset:s3://b:a/b#c1f3e0b2-0000-0000-0000-000000000000', 's3://b', 'a/b'],
])('the node id %s means %s and %s', (id, namespace, name) => {
  expect(readNodeId(id)?.meanings[0]).toEqual({ namespace, name });
});

test('every id of the graph comes back from its two parts', () => {
  for (const id of [
    'hive://h:9083/db.t',
    `${GLUE}/table/g/t`,
    's3://b/a/b/c',
    'dataphin:odps.1.p.t',
    'file//data/x',
    'plain',
  ]) {
    const { namespace, name } = identityOf(id);
    const meanings = readNodeId(`dataset:${namespace}:${name}`)?.meanings ?? [];
    expect(meanings, id).toContainEqual({ namespace, name });
  }
});
