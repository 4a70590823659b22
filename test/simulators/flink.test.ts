import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFlink } from '../../local/simulators/flink/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import { at, http, pluck, type Reply, sandbox } from './callers.ts';
import { acs3, acsDate, bodyHash } from './signers.ts';

const WORKSPACE = '710d6a64d8f34a';
const JOB = '664cc64d-5dea-4ad3-9ee4-8432a8740000';

const info = {
  nodes: [
    {
      id: '97383',
      catalogName: 'paimon',
      databaseName: 'ods',
      isTemporary: false,
      connector: 'paimon',
      tables: [
        {
          id: '1',
          tableName: 'orders',
          with: { test2: 1 },
          columns: [{ id: 'c1', columnName: 'name', columnType: 'string' }],
        },
        { id: '2', tableName: 'clean', properties: { test: 'test' }, columns: [{ id: 'c2', columnName: 'label' }] },
      ],
    },
  ],
  edges: {
    tableLineage: [{ source: 'orders', destination: '2', jobId: JOB }],
    columnLineage: [
      { source: 'c1', destination: 'c2', jobId: JOB },
      { source: 'orders', destination: 'elsewhere', jobId: JOB },
    ],
  },
  jobInfos: [{ id: JOB, properties: { test2: 1 } }],
};

const deployments = Array.from({ length: 25 }, (_, n) => ({
  deploymentId: `d${n}`,
  name: `deployment ${n}`,
  createdAt: n,
  modifiedAt: 100 - n,
  labels: { team: n % 2 === 0 ? 'even' : 'odd' },
}));
const jobs = [
  { jobId: JOB, deploymentId: 'd0', status: 'RUNNING', startTime: 1 },
  { jobId: 'idle', deploymentId: 'd0', status: 'FAILED', startTime: 2 },
];

let simulator: Simulator;
let url: string;
beforeEach(async () => {
  simulator = await startFlink();
  url = simulator.url;
  expect((await sandbox(url, 'PUT', 'seed', { deployments, jobs, lineage: { [JOB]: info } })).status).toBe(200);
});
afterEach(() => simulator.close());

interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly workspace?: string;
}

function call(
  action: string,
  target: string,
  { method = 'GET', body, headers = {}, key, workspace = WORKSPACE }: Call = {},
): Promise<Reply> {
  const to = new URL(target, url);
  const text = body === undefined ? '' : JSON.stringify(body);
  const all: Record<string, string> = {
    ...(text === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    host: to.host,
    'x-acs-action': action,
    'x-acs-content-sha256': bodyHash(text),
    'x-acs-date': acsDate(Date.now()),
    'x-acs-signature-nonce': randomUUID(),
    'x-acs-version': '2022-07-18',
    ...headers,
  };
  const authorization = acs3(
    { method, url: to, headers: all, body: text },
    'simulatedAccessKeyId',
    key ?? 'simulatedAccessKeySecret',
  );
  // The vendor's own client does not sign the header workspace.
  return http(to, {
    method,
    headers: { ...all, authorization, ...(workspace === '' ? {} : { workspace }) },
    ...(text === '' ? {} : { body: text }),
  });
}

const params = {
  id: JOB,
  idType: 'JOB',
  direction: 'BOTH',
  depth: 1,
  isColumnLevel: true,
  isTemporary: false,
  namespace: 'default-namespace',
  workspace: WORKSPACE,
};
const lineage = (more: object = {}, rest: Call = {}) =>
  call('GetLineageInfo', '/meta/v2/lineage', { method: 'POST', body: { ...params, ...more }, ...rest });
const namespace = '/api/v2/namespaces/default-namespace';

describe('GetLineageInfo', () => {
  test('serves what was seeded, oddities of the page included', async () => {
    const { status, body } = await lineage();
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, httpCode: 200, errorCode: '""', errorMessage: '""' });
    expect(body.data).toEqual({ ...info, jobInfos: [{ id: `${JOB}\n`, properties: { test2: 1 } }] });
  });

  test.each([
    ['null', null],
    ['empty', ''],
  ])('mode emptyErrors %s', async (value, expected) => {
    await sandbox(url, 'PUT', 'modes', { emptyErrors: value, jobIdLineFeed: false });
    const { body } = await lineage();
    expect([body.errorCode, body.errorMessage]).toEqual([expected, expected]);
    expect(at(body, 'data', 'jobInfos', 0, 'id')).toBe(JOB);
  });

  test('mode emptyErrors absent', async () => {
    await sandbox(url, 'PUT', 'modes', { emptyErrors: 'absent' });
    expect(Object.keys((await lineage()).body)).toEqual(['requestId', 'httpCode', 'success', 'data']);
  });

  test('column lineage only when asked for, and directions in any case', async () => {
    const { body } = await lineage({ isColumnLevel: false, direction: 'Both', idType: 'job' });
    expect(at(body, 'data', 'edges')).toEqual({ tableLineage: info.edges.tableLineage, columnLineage: [] });
  });

  test('a job without lineage has empty lists', async () => {
    expect((await lineage({ id: 'idle' })).body).toMatchObject({ success: true, data: { nodes: [], jobInfos: [] } });
  });

  test.each<[string, object, string]>([
    ['unknown job', { id: 'nobody' }, 'Simulated.NotFound'],
    ['another id type', { idType: 'DEPLOYMENT' }, 'Simulated.InvalidIdType'],
    ['no id', { id: undefined }, 'Simulated.MissingId'],
    ['unknown namespace', { namespace: 'other' }, 'Simulated.NamespaceNotFound'],
    ['workspaces that differ', { workspace: 'other' }, 'Simulated.WorkspaceMismatch'],
  ])('fails inside HTTP 200: %s', async (_, more, errorCode) => {
    const { status, body } = await lineage(more);
    expect(status).toBe(200);
    expect(body).toEqual({
      requestId: expect.any(String),
      httpCode: 200,
      success: false,
      errorCode,
      errorMessage: expect.any(String),
      data: null,
    });
  });

  test.each<[string, object, Call, number, string]>([
    ['unknown field', { jobs: [] }, {}, 400, 'InvalidParameter.Format'],
    ['another direction', { direction: 'UP' }, {}, 400, 'InvalidParameter.Format'],
    ['depth 0', { depth: 0 }, {}, 400, 'InvalidParameter.Format'],
    ['no workspace header', {}, { workspace: '' }, 400, 'MissingWorkspace'],
    ['another workspace', {}, { workspace: 'other' }, 403, 'NoPermission'],
    ['wrong secret', {}, { key: 'wrong' }, 400, 'SignatureDoesNotMatch'],
    ['another version', {}, { headers: { 'x-acs-version': '2023-06-30' } }, 404, 'InvalidVersion'],
    ['another action', {}, { headers: { 'x-acs-action': 'ListJobs' } }, 404, 'InvalidApi.NotFound'],
    [
      'a form',
      {},
      { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      400,
      'InvalidParameter.Format',
    ],
    ['PUT', {}, { method: 'PUT' }, 400, 'UnsupportedHTTPMethod'],
  ])('refused by the gateway: %s', async (_, more, rest, status, code) => {
    const reply = await lineage(more, rest);
    expect([reply.status, reply.body.Code]).toEqual([status, code]);
  });

  test('faults: success-false and throttle', async () => {
    await sandbox(url, 'POST', 'faults', { kind: 'success-false', times: 1 });
    expect((await lineage()).body).toMatchObject({ success: false, data: null });
    await sandbox(url, 'POST', 'faults', { kind: 'throttle', times: 1, operation: 'GetLineageInfo' });
    expect((await lineage()).body.Code).toBe('Throttling.User');
  });
});

describe('what is reached from a start', () => {
  const one = (id: string, database: string, table: string) => ({
    id,
    catalogName: 'c',
    databaseName: database,
    tables: [{ id: `t${id}`, tableName: table, columns: [{ id: `c${id}`, columnName: 'x' }] }],
  });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((table, at) => one(String(at), 'db', table));
  const step = (job: string, left: object | undefined, right: object | undefined, from: string, to: string) => ({
    nodes: [left, right],
    edges: {
      tableLineage: [{ source: from, destination: to, jobId: job }],
      columnLineage: [{ source: `c${from.slice(1)}`, destination: `c${to.slice(1)}`, jobId: job }],
    },
    jobInfos: [{ id: job, properties: {} }],
  });
  const chain = {
    j1: step('j1', a, b, 't0', 't1'),
    j2: step('j2', b, c, 't1', 't2'),
    j3: step('j3', c, d, 't2', 't3'),
  };
  beforeEach(async () => {
    await sandbox(url, 'PUT', 'seed', { lineage: chain });
  });
  const edges = async (more: object) => {
    const { body } = await lineage(more);
    const found = at(body, 'data', 'edges', 'tableLineage') as { source: string; destination: string }[] | undefined;
    return found?.map(({ source, destination }) => `${source}>${destination}`).sort();
  };

  test.each<[object, string[]]>([
    [{ id: 't1', idType: 'TABLE', direction: 'UPSTREAM' }, ['t0>t1']],
    [{ id: 't1', idType: 'table', direction: 'Downstream' }, ['t1>t2']],
    [{ id: 't1', idType: 'TABLE', direction: 'BOTH' }, ['t0>t1', 't1>t2']],
    [{ id: 't1', idType: 'TABLE', direction: 'DOWNSTREAM', depth: 2 }, ['t1>t2', 't2>t3']],
    [{ id: 't0', idType: 'TABLE', direction: 'UPSTREAM', depth: 9 }, []],
    [{ id: 't0', idType: 'TABLE', depth: 9 }, ['t0>t1', 't1>t2', 't2>t3']],
    [{ id: 'j2', idType: 'job' }, ['t1>t2']],
    [{ id: 'j2', depth: 2 }, ['t0>t1', 't1>t2', 't2>t3']],
    [{ id: 'j2', depth: 2, direction: 'UPSTREAM' }, ['t0>t1', 't1>t2']],
  ])('%j', async (more, expected) => {
    expect(await edges(more)).toEqual(expected);
  });

  test('with the tables and jobs that the relations name, and no others', async () => {
    const { body } = await lineage({ id: 't1', idType: 'TABLE', direction: 'DOWNSTREAM' });
    expect(pluck(at(body, 'data', 'nodes'), 'id')).toEqual(['1', '2']);
    expect(pluck(at(body, 'data', 'jobInfos'), 'id')).toEqual(['j2\n']);
    expect(at(body, 'data', 'edges', 'columnLineage')).toEqual([{ source: 'c1', destination: 'c2', jobId: 'j2' }]);
  });

  test.each([[{ id: 'j1', idType: 'TABLE' }], [{ id: 't1', idType: 'JOB' }], [{ id: 'c1', idType: 'TABLE' }]])(
    'an id of the other kind is not found: %j',
    async (more) => {
      expect((await lineage(more)).body).toMatchObject({ success: false, errorCode: 'Simulated.NotFound' });
    },
  );
});

describe('the lists', () => {
  const names = (reply: Reply) => pluck(reply.body.data, 'name');

  test('ListDeployments pages, newest first', async () => {
    const first = await call('ListDeployments', `${namespace}/deployments`);
    expect(first.body).toMatchObject({ success: true, pageIndex: 1, pageSize: 10, totalSize: 25 });
    expect(names(first)[0]).toBe('deployment 24');
    const last = await call('ListDeployments', `${namespace}/deployments?pageIndex=3&pageSize=10`);
    expect(names(last)).toEqual(['deployment 4', 'deployment 3', 'deployment 2', 'deployment 1', 'deployment 0']);
    const changed = await call('ListDeployments', `${namespace}/deployments?sortName=modified&pageSize=1`);
    expect(names(changed)).toEqual(['deployment 0']);
  });

  test('ListDeployments filters', async () => {
    const list = async (query: string) =>
      names(await call('ListDeployments', `${namespace}/deployments?pageSize=100&${query}`));
    expect(await list('name=deployment%203')).toEqual(['deployment 3']);
    expect(await list('status=FAILED')).toEqual(['deployment 0']);
    expect(await list('labelKey=team&labelValueArray=odd%3Bnone')).toHaveLength(12);
    expect(await list('executionMode=BATCH')).toEqual([]);
  });

  test.each(['pageIndex=0', 'pageSize=101', 'status=running', 'sortName=name', 'limit=5', 'executionMode=stream'])(
    'ListDeployments refuses %s',
    async (query) => {
      expect((await call('ListDeployments', `${namespace}/deployments?${query}`)).status).toBe(400);
    },
  );

  test('a deployment shows how many jobs it has, not which', async () => {
    const { body } = await call('GetDeployment', `${namespace}/deployments/d0`);
    expect(body.data).toMatchObject({
      deploymentId: 'd0',
      workspace: WORKSPACE,
      jobSummary: { running: 1, failed: 1 },
    });
    expect(JSON.stringify(body)).not.toContain(JOB);
    expect((await call('GetDeployment', `${namespace}/deployments/none`)).body).toMatchObject({
      success: false,
      data: null,
    });
  });

  test('GetDeploymentsByName decodes the path', async () => {
    const reply = await call('GetDeploymentsByName', `${namespace}/deployments/name/deployment%207`);
    expect(reply.body.data).toMatchObject([{ deploymentId: 'd7' }]);
    expect((await call('GetDeploymentsByName', `${namespace}/deployments/name/none`)).body.data).toEqual([]);
  });

  test('ListJobs needs a deployment, pages and sorts', async () => {
    const list = (query: string) => call('ListJobs', `${namespace}/jobs?${query}`);
    expect((await list('')).body.Code).toBe('MissingDeploymentId');
    const ids = async (query: string) => pluck((await list(query)).body.data, 'jobId');
    expect(await ids('deploymentId=d0')).toEqual([JOB, 'idle']);
    expect(await ids('deploymentId=d0&sortName=gmt_create')).toEqual([JOB, 'idle']);
    expect(await ids('deploymentId=d0&sortName=gmt_create&sortOrder=DESC')).toEqual(['idle', JOB]);
    expect(await ids('deploymentId=d0&sortName=job_id&sortOrder=DESC')).toEqual(['idle', JOB]);
    expect(await ids('deploymentId=d0&pageSize=1&pageIndex=2')).toEqual(['idle']);
    expect(await ids('deploymentId=d0&sortName=status&sortOrder=ASC')).toEqual(['idle', JOB]);
    expect(await ids('deploymentId=d1')).toEqual([]);
    expect(at((await list('deploymentId=d0')).body, 'data', 0)).toMatchObject({ deploymentName: 'deployment 0' });
    for (const wrong of ['sortOrder=UP', 'sortOrder=desc', 'sortName=startTime', 'sortName=']) {
      expect((await list(`deploymentId=d0&${wrong}`)).status).toBe(400);
    }
  });

  test('an unknown namespace fails inside HTTP 200', async () => {
    const reply = await call('ListDeployments', '/api/v2/namespaces/other/deployments');
    expect([reply.status, reply.body.success]).toEqual([200, false]);
  });
});

test('the sandbox resolves ends: column id, table id, unique name, else the text itself', async () => {
  expect((await sandbox(url, 'GET', 'lineage')).body).toEqual([
    { source: 'paimon.ods.orders', target: 'paimon.ods.clean', columns: [['name', 'label']], origin: 'parsed' },
    { source: 'paimon.ods.orders', target: 'elsewhere', columns: [], origin: 'parsed' },
  ]);
});

test('a name that two tables share is not resolved', async () => {
  const node = (id: string, database: string) => ({
    id,
    databaseName: database,
    tables: [{ id: `t${id}`, tableName: 'orders' }],
  });
  const lineage = {
    job: {
      nodes: [node('1', 'a'), node('2', 'b')],
      edges: { tableLineage: [{ source: 'orders', destination: 't2' }] },
    },
  };
  await sandbox(url, 'PUT', 'seed', { lineage });
  expect((await sandbox(url, 'GET', 'lineage')).body).toMatchObject([{ source: 'orders', target: 'b.orders' }]);
});

test('the seed survives a restart', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'flink-'));
  const stateFile = path.join(folder, 'state.jsonl');
  const first = await startFlink({ stateFile });
  await sandbox(first.url, 'PUT', 'seed', { jobs });
  await first.close();
  const again = await startFlink({ stateFile });
  expect((await sandbox(again.url, 'GET', 'seed')).body.jobs).toEqual(jobs);
  await again.close();
  fs.rmSync(folder, { recursive: true });
});
