import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFlink } from '../../local/simulators/flink/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import { parseManifest } from '../../shared/core/manifest.ts';
import type { HttpRequest } from '../../shared/http/transport.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import { flink } from '../../shared/vendors/flink/index.ts';
import { readLineage } from '../../shared/vendors/flink/reading.ts';
import { type LineageInfo, lineageInfoSchema, readEnvelope } from '../../shared/vendors/flink/wire.ts';
import type {
  LineageQuery,
  Pipeline,
  PipelineFilter,
  VendorClient,
  VendorLineage,
} from '../../shared/vendors/vendor.ts';
import { sandbox } from '../simulators/callers.ts';
import { mappingInput } from './entries.ts';
import { FLINK_SECRET, surroundings } from './loopback.ts';

const SEED = JSON.parse(readFileSync('events/flink-seed.json', 'utf8'));
const CLEAN_JOB = '664cc64d-5dea-4ad3-9ee4-8432a8740001';
const DAILY_JOB = '664cc64d-5dea-4ad3-9ee4-8432a8740002';
const CLEAN_DEPLOYMENT = '2f0c1d7e-1111-4c1a-9a51-000000000001';

const query = (start: LineageQuery['start'], more: Partial<LineageQuery> = {}): LineageQuery => ({
  start,
  direction: 'both',
  depth: 1,
  level: 'column',
  temporary: false,
  ...more,
});
const arrows = ({ tables, edges }: VendorLineage) =>
  edges.map(({ from, to }) => `${tables[from]?.name} > ${tables[to]?.name}`).sort();

describe('the vendor', () => {
  it('is only read: no units, no register, no withdraw, no target of a manifest', () => {
    expect(flink.units(mappingInput([]))).toEqual({ units: [], unresolved: [] });
    const client = flink.connect({ ...FLINK_SECRET, endpoint: 'http://127.0.0.1:1' }, surroundings().io);
    expect(Object.keys(client).sort()).toEqual(['jobsOf', 'lineage', 'pipelines', 'probe']);
    const manifest = { version: 1, targets: ['flink'], lineage: [] };
    const parsed = parseManifest(new TextEncoder().encode(JSON.stringify(manifest)), 'json', blocks);
    expect(parsed).toEqual({ problems: [expect.objectContaining({ path: 'targets[0]' })] });
    expect(JSON.stringify(parsed)).toMatch(/flink.*is no target.*dataphin, dataarts/);
  });
  it('is identified by endpoint, workspace and namespace', () => {
    const tail = '#710d6a64d8f34a/default-namespace';
    expect(flink.account({ ...FLINK_SECRET, region: 'cn-hangzhou' })).toBe(`ververica.cn-hangzhou.aliyuncs.com${tail}`);
    expect(flink.account({ ...FLINK_SECRET, endpoint: 'https://vvp.example/x/' })).toBe(`vvp.example/x${tail}`);
    expect(flink.account({ ...FLINK_SECRET, region: 'r', account: 'main' })).toBe(`main${tail}`);
  });
  it.each([
    [{}, /region or endpoint/],
    [{ region: 'r', workspace: '' }, /workspace/],
    [{ region: 'r.evil' }, /region/],
    [{ endpoint: 'http://vvp.example' }, /endpoint: must be/],
    [{ region: 'r', namespace: '.' }, /namespace: a namespace is a name, not "\." or "\.\."/],
    [{ region: 'r', namespace: '..' }, /namespace: a namespace/],
    [{ region: 'r', op_tenant_id: 1 }, /op_tenant_id/],
  ])('refuses %j and shows no value', (change, expected) => {
    expect(() => flink.account({ ...FLINK_SECRET, ...change })).toThrow(expected);
    expect(() => flink.account({ ...FLINK_SECRET, ...change })).not.toThrow(/testAccessKey/);
  });
});

describe('on the wire', () => {
  it('sends GetLineageInfo exactly as the vector V2 has it', async () => {
    const sent: HttpRequest[] = [];
    const client = flink.connect(
      { ...FLINK_SECRET, region: 'cn-hangzhou' },
      {
        ...surroundings().io,
        now: () => Date.parse('2026-02-03T04:05:06Z'),
        nonce: () => 'fedcba9876543210fedcba9876543210',
        transport: {
          send: async (request) => {
            sent.push(request);
            const body = { requestId: 'R', success: true, data: { nodes: [] } };
            return { status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) };
          },
        },
      },
    );
    const job = '664cc64d-5dea-4ad3-9ee4-8432a8740000';
    await client.lineage?.(query({ jobId: job }), { deadlineMs: Number.MAX_SAFE_INTEGER });
    expect(sent).toHaveLength(1);
    expect(sent[0]?.url).toBe('https://ververica.cn-hangzhou.aliyuncs.com/meta/v2/lineage');
    expect(new TextDecoder().decode(sent[0]?.body)).toBe(
      `{"id":"${job}","idType":"JOB","direction":"BOTH","depth":1,"isColumnLevel":true,"isTemporary":false,"namespace":"default-namespace","workspace":"710d6a64d8f34a"}`,
    );
    expect(sent[0]?.headers).toMatchObject({ workspace: '710d6a64d8f34a', 'x-acs-version': '2022-07-18' });
    expect(sent[0]?.headers['authorization']).toMatch(
      /Signature=2bac231af2f42edcac898698d6d3cf7428b5a01fa05b83eb94089bf8731e74b1$/,
    );
  });
  it.each(['""', null, undefined, ''])('takes errorCode %j of a success for none', (errorCode) => {
    const read = readEnvelope({ success: true, errorCode, errorMessage: errorCode, data: {} });
    expect(read).toMatchObject({ success: true, code: '', message: '' });
  });
  it('reads both casings', () => {
    expect(readEnvelope({ RequestId: 'r', Code: 'C', Message: 'm' })).toMatchObject({
      requestId: 'r',
      code: 'C',
      message: 'm',
      success: undefined,
    });
    expect(readEnvelope({ requestId: 'r', success: false, errorCode: 'E', errorMessage: 'm' })).toMatchObject({
      success: false,
      code: 'E',
    });
    expect(readEnvelope([])).toBeUndefined();
  });
});

describe('against the simulator', () => {
  let simulator: Simulator;
  let client: Required<Pick<VendorClient, 'lineage' | 'pipelines'>>;
  const options = () => ({ deadlineMs: Date.now() + 20_000 });
  const { io } = surroundings(2_000);
  const live = { ...io, now: Date.now, permit: async () => {} };
  beforeEach(async () => {
    simulator = await startFlink();
    client = flink.connect(simulator.secret(), live) as typeof client;
    await sandbox(simulator.url, 'PUT', 'seed', SEED);
  });
  afterEach(() => simulator.close());
  const ask = (start: LineageQuery['start'], more: Partial<LineageQuery> = {}) =>
    client.lineage(query(start, more), options());
  const operations = async () =>
    ((await sandbox(simulator.url, 'GET', 'calls')).body as unknown as { operation: string }[]).map(
      ({ operation }) => operation,
    );
  const listed = async (filter: PipelineFilter = {}) => {
    const found: Pipeline[] = [];
    for await (const each of client.pipelines(filter, options())) found.push(each);
    return found;
  };

  it.each([
    ['a job id', { job: CLEAN_JOB }, ['GetLineageInfo']],
    ['a job id for sure', { jobId: CLEAN_JOB }, ['GetLineageInfo']],
    ['a deployment id', { job: CLEAN_DEPLOYMENT }, ['GetLineageInfo', 'GetDeployment', 'ListJobs', 'GetLineageInfo']],
    ['a deployment name', { job: 'orders-clean' }, ['GetDeploymentsByName', 'ListJobs', 'GetLineageInfo']],
  ])('finds lineage by %s', async (_what, start, expected) => {
    const found = await ask(start);
    expect(arrows(found)).toEqual(['mysql.shop.orders_raw > paimon.ods.orders_clean']);
    expect(found.edges[0]?.jobs).toEqual([CLEAN_JOB]);
    expect(found.edges[0]?.columns).toEqual([
      { from: 'id', to: 'id' },
      { from: 'price', to: 'total' },
      { from: 'qty', to: 'total' },
    ]);
    expect(found.jobs).toEqual([{ id: CLEAN_JOB, details: { properties: { 'parallelism.default': 4 } } }]);
    expect(found.receipts).toHaveLength(1);
    expect(await operations()).toEqual(expected);
  });
  it('takes jobs, deployments and names that do not look like ids either', async () => {
    await sandbox(simulator.url, 'PUT', 'seed', {
      deployments: [{ deploymentId: 'd1', name: 'a name/with *all*?' }],
      jobs: [{ jobId: 'j1', deploymentId: 'd1' }],
      lineage: { j1: SEED.lineage[CLEAN_JOB] },
    });
    for (const job of ['j1', 'd1', 'a name/with *all*?']) expect((await ask({ job })).edges).toHaveLength(1);
    await expect(ask({ job: '..' })).rejects.toMatchObject({ kind: 'missing' });
  });
  it('takes the jobs that run, else the latest', async () => {
    const job = (jobId: string, status: string, startTime: number) => ({
      jobId,
      deploymentId: 'd1',
      status,
      startTime,
    });
    const deployments = [{ deploymentId: 'd1', name: 'one' }];
    const many = Array.from({ length: 230 }, (_, at) => job(`old${at}`, 'FINISHED', at));
    await sandbox(simulator.url, 'PUT', 'seed', { deployments, jobs: many });
    expect((await listed())[0]?.jobs).toEqual(['old229']);
    await sandbox(simulator.url, 'PUT', 'seed', {
      deployments,
      jobs: [...many, { ...job('first', 'x', -1), status: { currentJobStatus: 'RUNNING' } }],
    });
    expect((await listed())[0]?.jobs).toEqual(['first']);
  });
  it('takes the latest of more jobs than are looked at', async () => {
    const jobs = Array.from({ length: 1_050 }, (_, at) => ({
      jobId: `old${at}`,
      deploymentId: 'd1',
      status: 'FINISHED',
      startTime: at,
    }));
    await sandbox(simulator.url, 'PUT', 'seed', { deployments: [{ deploymentId: 'd1', name: 'one' }], jobs });
    expect((await listed())[0]?.jobs).toEqual(['old1049']);
  });
  it.each([
    ['upstream', 1, ['mysql.shop.orders_raw > paimon.ods.orders_clean']],
    ['downstream', 1, ['paimon.ods.orders_clean > paimon.dws.orders_daily']],
    [
      'both',
      1,
      ['mysql.shop.orders_raw > paimon.ods.orders_clean', 'paimon.ods.orders_clean > paimon.dws.orders_daily'],
    ],
  ] as const)('goes %s from a table', async (direction, depth, expected) => {
    expect(arrows(await ask({ table: '434502' }, { direction, depth }))).toEqual(expected);
  });
  it('goes as deep as it is asked', async () => {
    expect(arrows(await ask({ table: '434503' }, { direction: 'upstream', depth: 1 }))).toHaveLength(1);
    expect(arrows(await ask({ table: '434503' }, { direction: 'upstream', depth: 2 }))).toHaveLength(2);
    expect(arrows(await ask({ jobId: DAILY_JOB }, { depth: 2 }))).toHaveLength(2);
    expect(arrows(await ask({ jobId: DAILY_JOB }, { depth: 2, direction: 'downstream' }))).toHaveLength(1);
  });
  it('leaves columns out at table level', async () => {
    expect((await ask({ jobId: CLEAN_JOB }, { level: 'table' })).edges[0]?.columns).toEqual([]);
  });
  it('masks what the vendor should not have shown', async () => {
    const found = await ask({ jobId: CLEAN_JOB });
    expect(JSON.stringify(found)).not.toContain('sample-only');
    expect(found.tables[0]).toMatchObject({
      block: { catalog: 'mysql', database: 'shop', table: 'orders_raw' },
      details: {
        id: '434501',
        with: { hostname: 'mysql.example', port: 3306, username: 'reader', password: '[redacted]' },
        properties: { url: expect.stringContaining('jdbc:mysql://mysql.example:3306/shop?user=reader') },
        node: { id: '97383', connector: 'mysql-cdc', isTemporary: false },
      },
    });
  });
  it.each([
    ['a job', { job: 'nobody' }, /no job id, deployment id or deployment name "nobody".*"workspace"/],
    ['an id', { job: '664cc64d-5dea-4ad3-9ee4-8432a8749999' }, /no job id/],
    ['a table', { table: '1' }, /There is no table 1/],
    ['a job id as a table', { table: CLEAN_JOB }, /There is no table/],
  ])('says so when it does not know %s', async (_what, start, expected) => {
    const failing = ask(start);
    await expect(failing).rejects.toThrow(expected);
    await expect(failing).rejects.toMatchObject({ kind: 'missing', maybeApplied: false });
  });
  it('looks into another namespace', async () => {
    await expect(ask({ job: CLEAN_JOB }, { namespace: 'other' })).rejects.toMatchObject({ kind: 'missing' });
    const [deployment, job] = [SEED.deployments[0], SEED.jobs[0]];
    await sandbox(simulator.url, 'PUT', 'seed', {
      ...SEED,
      deployments: [{ ...deployment, namespace: 'other' }],
      jobs: [{ ...job, namespace: 'other' }],
    });
    expect(arrows(await ask({ job: 'orders-clean' }, { namespace: 'other' }))).toHaveLength(1);
    expect((await listed({ namespace: 'other' })).map(({ name, namespace }) => [name, namespace])).toEqual([
      ['orders-clean', 'other'],
    ]);
  });
  it('gives an empty lineage for a job that has none', async () => {
    const jobs = [{ jobId: 'idle', deploymentId: 'd1' }];
    await sandbox(simulator.url, 'PUT', 'seed', { deployments: [{ deploymentId: 'd1', name: 'one' }], jobs });
    expect(await ask({ job: 'one' })).toMatchObject({ tables: [], edges: [], jobs: [] });
  });

  it('lists every deployment over all pages, with filters', async () => {
    const deployments = Array.from({ length: 230 }, (_, at) => ({
      deploymentId: `d${at}`,
      name: `n${at}`,
      createdAt: at,
      labels: { team: at % 2 === 0 ? 'a;b' : 'c', at: String(at % 3) },
    }));
    const jobs = [{ jobId: 'j7', deploymentId: 'd7', status: 'FAILED' }];
    await sandbox(simulator.url, 'PUT', 'seed', { deployments, jobs });
    expect(new Set((await listed()).map(({ id }) => id)).size).toBe(230);
    expect((await listed({ name: 'n7' })).map(({ id, jobs: ids }) => [id, ids])).toEqual([['d7', ['j7']]]);
    expect((await listed({ status: 'FAILED' })).map(({ id }) => id)).toEqual(['d7']);
    expect(await listed({ label: { key: 'team', values: ['a;b'] } })).toHaveLength(115);
    expect(await listed({ label: { key: 'team', values: ['c'] } })).toHaveLength(115);
    expect(await listed({ label: { key: 'at', values: ['0', '1'] } })).toHaveLength(154);
    expect(await listed({ label: { key: 'none' } })).toEqual([]);
  });

  it.each(['throttle', 'unavailable', 'internal', 'reset', 'bad-json', 'success-false'])(
    'gets over %s',
    async (kind) => {
      await sandbox(simulator.url, 'POST', 'faults', { kind, times: 2 });
      expect(arrows(await ask({ jobId: CLEAN_JOB }))).toHaveLength(1);
    },
  );
  it.each([
    ['denied', 'denied'],
    ['not-found', 'missing'],
    ['invalid', 'invalid'],
  ])('gives up at %s', async (fault, kind) => {
    await sandbox(simulator.url, 'POST', 'faults', { kind: fault, times: 1 });
    await expect(ask({ jobId: CLEAN_JOB })).rejects.toMatchObject({ kind });
  });
});

describe('ends of relations', () => {
  const column = (id: string, columnName: string) => ({ id, columnName });
  const nodes = [
    {
      id: 'n1',
      catalogName: 'c',
      databaseName: 'a',
      tables: [
        { id: 't1', tableName: 'orders', columns: [column('c1', 'id'), column('c2', 'price')] },
        { id: 't2', tableName: 'lines', columns: [column('c3', 'id')] },
      ],
    },
    { id: 'n2', catalogName: 'c', databaseName: 'b', tables: [{ id: 't3', tableName: 'orders', columns: [] }] },
    { id: 'n3', isTemporary: true, tables: [{ id: 't4', tableName: 'tmp', columns: [column('c4', 'total')] }] },
  ];
  const read = (edges: object, more: object = {}): VendorLineage =>
    readLineage([{ info: lineageInfoSchema.parse({ nodes, edges, ...more }) as LineageInfo, requestId: 'R' }]);
  const table = (source: string, destination: string) => arrows(read({ tableLineage: [{ source, destination }] }))[0];

  it.each([
    ['t1', 't3', 'c.a.orders > c.b.orders'],
    ['n2', 'lines', 'c.b.orders > c.a.lines'],
    ['b.orders', 'c.a.orders', 'c.b.orders > c.a.orders'],
    ['c1', 'tmp\n', 'c.a.orders > tmp'],
    ['orders', 'elsewhere', 'orders > elsewhere'],
    ['n1', 'price', 'c.a > price'],
  ])('table level: %s and %s', (source, destination, expected) => {
    expect(table(source, destination)).toBe(expected);
  });
  it('keeps the text of what is not resolved, and says so', () => {
    const { tables } = read({ tableLineage: [{ source: 'orders', destination: 't2' }] });
    expect(tables.filter(({ block }) => block === undefined)).toEqual([{ name: 'orders' }]);
  });
  it.each([
    ['c1', 'c4', { from: 'id', to: 'total' }],
    ['price', 'total', { from: 'price', to: 'total' }],
    ['a.orders.price', 'tmp.total', { from: 'price', to: 'total' }],
    ['t1.price', 't4.total', { from: 'price', to: 'total' }],
    ['id', 'c4', undefined],
    ['t1', 't4', undefined],
  ])('column level: %s and %s', (source, destination, expected) => {
    const { edges } = read({ columnLineage: [{ source, destination, jobId: 'j\n' }] });
    expect(edges).toHaveLength(1);
    expect(edges[0]?.columns).toEqual(expected === undefined ? [] : [expected]);
    expect(edges[0]?.jobs).toEqual(['j']);
  });
  it('reads the page’s own example, oddities included', () => {
    const relation = { source: 'TableA', destination: 'TableB', jobId: 'x' };
    const found = read(
      { tableLineage: [relation], columnLineage: [relation] },
      { jobInfos: [{ id: 'x\n', properties: { test: 'test', test2: 1 } }] },
    );
    expect(arrows(found)).toEqual(['TableA > TableB']);
    expect(found.jobs).toEqual([{ id: 'x', details: { properties: { test: 'test', test2: 1 } } }]);
  });
  it('takes missing and null parts for empty', () => {
    for (const data of [{}, { nodes: null, edges: null, jobInfos: null }, { edges: { tableLineage: null } }]) {
      expect(readLineage([{ info: lineageInfoSchema.parse(data), requestId: '' }])).toEqual({
        tables: [],
        edges: [],
        jobs: [],
        receipts: [],
      });
    }
  });
  it('leaves each job the columns that it makes of a pair', () => {
    const relation = (source: string, destination: string, jobId?: string) => ({ source, destination, jobId });
    const { edges } = read({
      tableLineage: [relation('t1', 't4', 'x'), relation('t1', 't4', 'y'), relation('t1', 't4', 'z')],
      columnLineage: [relation('c1', 'c4', 'x'), relation('c2', 'c4', 'y'), relation('c1', 'c4', 'z')],
    });
    expect(edges.map(({ jobs, columns }) => [jobs, columns.map(({ from }) => from)])).toEqual([
      [['x', 'z'], ['id']],
      [['y'], ['price']],
    ]);
    const loose = read({ tableLineage: [relation('t1', 't4', 'x')], columnLineage: [relation('c1', 'c4')] }).edges;
    expect(loose.map(({ jobs, columns }) => [jobs, columns.length])).toEqual([
      [['x'], 0],
      [[], 1],
    ]);
  });
  it('takes two answers together', () => {
    const first = {
      nodes: nodes.slice(0, 1),
      edges: { tableLineage: [{ source: 't1', destination: 'c.b.orders', jobId: 'x' }] },
    };
    const second = { nodes, edges: { tableLineage: [{ source: 't1', destination: 't3', jobId: 'y' }] } };
    const found = readLineage(
      [first, second].map((data, at) => ({ info: lineageInfoSchema.parse(data), requestId: `R${at}` })),
    );
    expect(arrows(found)).toEqual(['c.a.orders > c.b.orders']);
    expect(found.edges[0]?.jobs).toEqual(['x', 'y']);
    expect(found.tables.every(({ block }) => block !== undefined)).toBe(true);
  });
});
