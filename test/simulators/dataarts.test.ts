import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import {
  at,
  callDataArts,
  type DataArtsCall,
  lineageInfo,
  PROJECT,
  pluck,
  type Reply,
  sandbox,
  WORKSPACE,
} from './callers.ts';

const START = Date.parse('2026-01-02T03:04:05Z');
const right = (call: DataArtsCall = {}): DataArtsCall => ({ body: lineageInfo(), now: START, ...call });
const repeat = <T>(count: number, one: T) => Array.from({ length: count }, () => one);
const table = { database: 'db', table: 'a' };
const nodeName = (reply: Reply) => at(reply.body, 0, 'qualified_name');
const column = { database: 'db', table: 'a', column: 'x' };

describe('signature and gateway', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startDataArts({ now: () => START });
    await sandbox(simulator.url, 'PUT', 'modes', { lock: false });
  });
  afterAll(() => simulator.close());

  test('a right call is answered with a bare array', async () => {
    const reply = await callDataArts(simulator.url, right());
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual([
      {
        name: 'load',
        type_name: 'Node',
        qualified_name: expect.stringMatching(
          new RegExp(`^manual\\.[0-9a-f]{8}-[0-9a-f-]{27}@node\\.${PROJECT}-workspace-${WORKSPACE}$`),
        ),
      },
    ]);
  });

  test('host and x-sdk-date are all that must be signed', async () => {
    expect((await callDataArts(simulator.url, right({ signed: ['host', 'x-sdk-date'] }))).status).toBe(200);
  });

  test('there is no nonce: the same bytes may come twice', async () => {
    const before = pluck((await sandbox(simulator.url, 'GET', 'lineage')).body, 'jobId').length;
    await callDataArts(simulator.url, right());
    await callDataArts(simulator.url, right());
    expect((await sandbox(simulator.url, 'GET', 'lineage')).body).toHaveLength(before + 2);
  });

  test.each<[string, DataArtsCall, number, string, string]>([
    ['wrong key', { sk: 'wrong' }, 401, 'APIGW.0301', 'verify aksk signature fail'],
    ['unknown access key', { ak: 'nobody' }, 401, 'APIGW.0301', 'ak nobody not exist'],
    ['tampered body', { tamper: (body) => body.replace('job1', 'job2') }, 401, 'APIGW.0301', 'verify aksk'],
    [
      'upper-case signature',
      { authorization: (text) => text.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()) },
      401,
      'APIGW.0301',
      'verify aksk',
    ],
    ['no spaces after commas', { authorization: (text) => text.replaceAll(', ', ',') }, 401, 'APIGW.0301', 'malformed'],
    ['no credentials', { authorization: () => '' }, 401, 'APIGW.0301', 'x-auth-token not found'],
    ['unsigned host', { signed: ['x-sdk-date'] }, 401, 'APIGW.0301', 'host'],
    ['unsigned date', { signed: ['host'] }, 401, 'APIGW.0301', 'x-sdk-date'],
    ['unsorted list', { signed: ['x-sdk-date', 'host'] }, 401, 'APIGW.0301', 'sorted'],
    [
      'a word of the language in the list',
      { authorization: (text) => text.replace('SignedHeaders=', 'SignedHeaders=constructor;') },
      401,
      'APIGW.0301',
      'constructor is not in the request',
    ],
    [
      'a signed header that is absent',
      { signed: ['accept-other', 'host', 'x-sdk-date'] },
      401,
      'APIGW.0301',
      'accept-other',
    ],
    [
      'payload left unsigned',
      { headers: { 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD' } },
      401,
      'APIGW.0301',
      'verify aksk',
    ],
    ['unexpected security token', { headers: { 'x-security-token': 'token' } }, 401, 'APIGW.0301', 'security token'],
    [
      'date in the other format',
      { headers: { 'x-sdk-date': '2026-01-02T03:04:05Z' } },
      401,
      'APIGW.0301',
      'X-Sdk-Date',
    ],
    ['901 s old', { now: START - 901_000 }, 401, 'APIGW.0303', '15 minutes'],
    ['901 s ahead', { now: START + 901_000 }, 401, 'APIGW.0303', '15 minutes'],
    ['no X-Project-Id', { headers: { 'x-project-id': '' } }, 400, 'DLG.SIMULATED', 'Workspace does not exists'],
    ['another X-Project-Id', { headers: { 'x-project-id': 'other' } }, 403, 'APIGW.0306', 'project'],
    [
      'another project in the path',
      { path: '/v1/other/lineage/lineage-info', headers: { 'x-project-id': 'other' } },
      403,
      'APIGW.0306',
      'project',
    ],
    ['trailing slash', { path: `/v1/${PROJECT}/lineage/lineage-info/` }, 404, 'APIGW.0101', ''],
    ['another path', { path: `/v1/${PROJECT}/lineage` }, 404, 'APIGW.0101', ''],
    ['GET', { method: 'GET', rawBody: '' }, 404, 'APIGW.0101', ''],
    ['DELETE', { method: 'DELETE' }, 404, 'APIGW.0101', ''],
    ['DELETE of an asset', { method: 'DELETE', path: `/v3/${PROJECT}/asset/guid` }, 404, 'APIGW.0101', ''],
    [
      'the bulk read without an invitation',
      { method: 'GET', rawBody: '', path: `/v1/${PROJECT}/datamap/lineage/bulk` },
      404,
      'APIGW.0101',
      '',
    ],
    ['no workspace', { headers: { workspace: '' } }, 400, 'DLG.SIMULATED', 'workspace'],
    [
      'a workspace_id that is not the header',
      { body: lineageInfo({ workspace_id: 'other' }) },
      400,
      'DLG.SIMULATED',
      'workspace_id',
    ],
    ['another content type', { headers: { 'content-type': 'text/plain' } }, 400, 'DLG.SIMULATED', 'Content-Type'],
    ['no JSON', { rawBody: '{' }, 400, 'DLG.SIMULATED', 'JSON'],
  ])('refused: %s', async (_, call, status, code, message) => {
    const reply = await callDataArts(simulator.url, right(call));
    expect([reply.status, reply.body.error_code]).toEqual([status, code]);
    expect(reply.body).toEqual({
      error_code: code,
      error_msg: expect.stringContaining(message),
      request_id: expect.any(String),
    });
  });

  test.each([-900_000, 900_000])('a date %i ms off is still taken', async (offset) => {
    expect((await callDataArts(simulator.url, right({ now: START + offset }))).status).toBe(200);
  });

  test('temporary credentials need their token, signed', async () => {
    const sts = await startDataArts({ credentials: { security_token: 'sts' }, now: () => START });
    const headers = { 'x-security-token': 'sts' };
    expect((await callDataArts(sts.url, right({ headers }))).status).toBe(200);
    expect((await callDataArts(sts.url, right({ headers, signed: ['host', 'x-sdk-date'] }))).status).toBe(401);
    expect((await callDataArts(sts.url, right())).status).toBe(401);
    await sts.close();
  });

  test('a body above 12 MB is refused', async () => {
    const reply = await callDataArts(simulator.url, right({ rawBody: ' '.repeat(12 * 1024 * 1024 + 1) }));
    expect([reply.status, reply.body.error_code]).toEqual([413, 'APIGW.0201']);
  });
});

describe('the lock', () => {
  test('five failures in a row lock the key for five minutes; a success in between starts again', async () => {
    let clock = START;
    const simulator = await startDataArts({ now: () => clock });
    const attempt = async (sk?: string) =>
      (await callDataArts(simulator.url, right({ now: clock, ...(sk === undefined ? {} : { sk }) }))).status;
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 4; n += 1) await attempt('wrong');
      expect(await attempt()).toBe(200);
    }
    for (let n = 0; n < 5; n += 1) await attempt('wrong');
    expect(await attempt()).toBe(401);
    clock += 300_000 - 1;
    expect(await attempt()).toBe(401);
    clock += 1;
    expect(await attempt()).toBe(200);
    for (let n = 0; n < 5; n += 1) await attempt('wrong');
    await sandbox(simulator.url, 'PUT', 'modes', { lock: false });
    expect(await attempt()).toBe(200);
    await simulator.close();
  });
});

describe('bodies', () => {
  let simulator: Simulator;
  let url: string;
  beforeEach(async () => {
    simulator = await startDataArts();
    url = simulator.url;
  });
  afterEach(() => simulator.close());
  const send = (body: unknown) => callDataArts(url, { body });
  const tables = (input: unknown, output: unknown = [table], columns?: unknown) =>
    lineageInfo({
      table_lineage: {
        input_tables: input,
        output_tables: output,
        ...(columns === undefined ? {} : { column_lineages: columns }),
      },
    });
  const columns = (input: unknown, output: unknown = [column]) =>
    tables([table], [table], [{ input_columns: input, output_columns: output }]);

  test.each<[string, unknown]>([
    ['100 tables on both sides', tables(repeat(100, table), repeat(100, table))],
    ['100 columns on both sides', columns(repeat(100, column), repeat(100, column))],
    [
      '100 column lineages',
      tables([table], [table], repeat(100, { input_columns: [column], output_columns: [column] })),
    ],
    ['no column lineage', tables([table], [table], [])],
    ['a workspace_id like the header', lineageInfo({ workspace_id: WORKSPACE })],
  ])('taken: %s', async (_, body) => {
    expect((await send(body)).status).toBe(200);
  });

  test.each<[string, unknown]>([
    ['0 input tables', tables([])],
    ['101 input tables', tables(repeat(101, table))],
    ['0 output tables', tables([table], [])],
    ['101 output tables', tables([table], repeat(101, table))],
    ['no output tables', { table_lineage: { input_tables: [table] } }],
    ['0 input columns', columns([])],
    ['101 input columns', columns(repeat(101, column))],
    ['0 output columns', columns([column], [])],
    ['101 output columns', columns([column], repeat(101, column))],
    [
      '101 column lineages',
      tables([table], [table], repeat(101, { input_columns: [column], output_columns: [column] })),
    ],
    ['no table_lineage', { job_id: 'x' }],
    ['null', lineageInfo({ cluster_id: null })],
    ['a number as job_id', lineageInfo({ job_id: 1 })],
    ['unknown field', lineageInfo({ name: 'x' })],
    ['unknown field of a table', tables([{ ...table, guid: 'x' }])],
    ['a catalog on a column', columns([{ ...column, catalog: 'c' }])],
    ['an array', [lineageInfo()]],
  ])('refused: %s', async (_, body) => {
    const reply = await send(body);
    expect([reply.status, reply.body.error_code]).toEqual([400, 'DLG.SIMULATED']);
    expect((await sandbox(url, 'GET', 'lineage')).body).toEqual([]);
  });

  test('the sandbox shows nodes with every input column times every output column', async () => {
    await send(columns([column, { ...column, column: 'y' }], [{ ...column, table: 'b' }]));
    expect((await sandbox(url, 'GET', 'lineage')).body).toEqual([
      {
        jobId: 'job1',
        nodeName: 'load',
        inputs: ['db.a'],
        outputs: ['db.a'],
        columns: [
          ['db.a.x', 'db.b.x'],
          ['db.a.y', 'db.b.x'],
        ],
      },
    ]);
  });

  test('a repeat makes another node, or in mode upsert replaces the one of that job and node', async () => {
    const first = await send(lineageInfo());
    const second = await send(lineageInfo());
    expect(nodeName(second)).not.toBe(nodeName(first));
    await sandbox(url, 'PUT', 'modes', { repeatCreate: 'upsert' });
    const third = await send(tables([{ database: 'db', table: 'c' }]));
    expect(nodeName(third)).toBe(nodeName(first));
    expect(pluck((await sandbox(url, 'GET', 'lineage')).body, 'inputs')).toEqual([['db.c'], ['db.a']]);
    await send(lineageInfo({ job_id: 'job2' }));
    expect((await sandbox(url, 'GET', 'lineage')).body).toHaveLength(3);
  });

  test('seeded workspaces exclude all others, and permission can be taken away', async () => {
    await sandbox(url, 'PUT', 'seed', { workspaces: ['other'] });
    expect((await send(lineageInfo())).status).toBe(400);
    await sandbox(url, 'PUT', 'seed', {});
    expect((await send(lineageInfo())).status).toBe(200);
    await sandbox(url, 'PUT', 'modes', { permission: false });
    expect((await send(lineageInfo())).body.error_code).toBe('APIGW.0306');
  });

  test('the bulk read, once seeded on, pages over job nodes', async () => {
    await sandbox(url, 'PUT', 'seed', { bulkRead: true });
    await send(tables([table, { database: 'db', table: 'c' }]));
    await send(lineageInfo({ job_id: 'job2' }));
    const instance = simulator.secret()['instance_id'] ?? '';
    const bulk = (query: string, headers = { instance }) =>
      callDataArts(url, {
        method: 'GET',
        path: `/v1/${PROJECT}/datamap/lineage/bulk${query}`,
        headers: { ...headers, 'content-type': '' },
      });
    const first = await bulk('?offset=0&limit=1');
    expect(first.body.total).toBe(2);
    expect(pluck(first.body.data, 'source_table')).toEqual(['a', 'c']);
    expect(at(first.body, 'data', 0)).toMatchObject({
      source_db: 'db',
      target_table: 'a',
      node_name: 'load',
      workspace_id: WORKSPACE,
    });
    expect((await bulk('?offset=1')).body.data).toHaveLength(1);
    expect((await bulk('?limit=101')).status).toBe(400);
    expect((await bulk('', { instance: 'other' })).status).toBe(400);
  });
});
