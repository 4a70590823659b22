import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { at } from '../simulators/callers.ts';
import { acs3, acsDate } from '../simulators/signers.ts';
import { type Local, local } from './local.ts';
import { dataartsClient, dataphinClient, flinkClient, type Keys, type Reply } from './vendor-clients.ts';

const KEYS: Keys = { id: 'LTAIscript', secret: 'scriptSecret' };
const PROJECT = '0833a5737480d53b2f25c010dc1a7b88';
const WORKSPACE = '1b59d3c777ad4d619b89eeac4f3cce87';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const CLIENTS = [
  { name: 'scripts', scopes: ['register', 'delete', 'fetch'], access_key_id: KEYS.id, access_key_secret: KEYS.secret },
  {
    name: 'temporary',
    scopes: ['register', 'delete', 'fetch'],
    access_key_id: 'STS.1',
    access_key_secret: 'stsSecret',
    security_token_sha256: sha256('stsToken'),
  },
  { name: 'reader', scopes: ['fetch'], access_key_id: 'LTAIreader', access_key_secret: 'readerSecret' },
  { name: 'token', scopes: ['register'], token_sha256: sha256('a-fixed-token') },
];

async function started(environment: Readonly<Record<string, string>> = {}) {
  const runtime = await local(environment);
  const folder = join(runtime.dataDir, 'secrets', 'lineage');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'clients.json'), JSON.stringify({ clients: CLIENTS }), { mode: 0o600 });
  return runtime;
}

const guid = (name: string) => `odps.300000001.project1.${name}`;
const table = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: guid(name), MetadataType: 'TABLE' });
const column = (name: string, of: string) => ({
  ReferenceType: 'BY_GUID',
  Guid: `${guid(of)}.${name}`,
  MetadataType: 'COLUMN',
});
const command = (columns: readonly (readonly [string, string])[] = [], more: object = {}) => ({
  Source: table('table1'),
  Target: table('table2'),
  ...(columns.length === 0
    ? {}
    : {
        DetailedLineages: columns.map(([from, to]) => ({
          Source: column(from, 'table1'),
          Target: column(to, 'table2'),
        })),
      }),
  ...more,
});
const objects = async (runtime: Local, prefix: string): Promise<JsonObject[]> => {
  const folder = join(runtime.runtime.bucket, prefix);
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))),
  );
};
const codeOf = (reply: Reply) => (reply.ok ? 'OK' : `${reply.status} ${reply.code}`);

it("takes Dataphin's own client: Adds merge, Deletes subtract, the vendor shows it", async () => {
  const runtime = await started();
  const call = dataphinClient(runtime.runtime.url, KEYS);
  const first = command([['a', 'x']], {
    TenantId: 300001234,
    UserId: '300004567',
    RelationProperties: { why: 'test' },
  });
  const reply = await call('AddRegisterLineage', first);
  expect(reply).toMatchObject({ ok: true, body: { HttpStatusCode: 200, Code: 'OK', Success: true } });
  expect(reply.ok && Object.keys(reply.body).sort()).toEqual([
    'Code',
    'HttpStatusCode',
    'Message',
    'RequestId',
    'Success',
  ]);
  // Sent on unchanged.
  expect((await runtime.writes('dataphin')).at(-1)?.request).toMatchObject({ AddRegisterLineageCommand: first });
  expect(codeOf(await call('AddRegisterLineage', command([['b', 'y']])))).toBe('OK');
  expect(await runtime.dataphin()).toMatchObject([
    {
      columns: [
        ['a', 'x'],
        ['b', 'y'],
      ],
    },
  ]);
  const [document] = await objects(runtime, 'dataphin');
  expect(document?.['wire']).toMatchObject({
    opTenantId: '30001011',
    command: command([['b', 'y']]),
    earlier: [first],
  });
  expect(codeOf(await call('DeleteRegisterLineage', command([['a', 'x']])))).toBe('OK');
  expect(await runtime.dataphin()).toMatchObject([{ columns: [['b', 'y']] }]);
  const keep = command([['b', 'y']], { CascadeDeleteLineage: false });
  expect(codeOf(await call('DeleteRegisterLineage', keep))).toBe('OK');
  expect(await runtime.dataphin()).toMatchObject([{ columns: [] }]);
  expect(codeOf(await call('DeleteRegisterLineage', command()))).toBe('OK');
  expect(await runtime.dataphin()).toEqual([]);
  expect(await objects(runtime, 'dataphin')).toEqual([]);
  expect(codeOf(await call('DeleteRegisterLineage', command()))).toBe('404 RegisterLineageNotExist');
});

it("takes DataArts' own client, and gives the node's name back", async () => {
  const runtime = await started();
  const call = dataartsClient(runtime.runtime.url, KEYS, PROJECT, WORKSPACE);
  const body = {
    job_id: 'testJobID',
    node_name: 'testNode',
    workspace_id: WORKSPACE,
    table_lineage: {
      input_tables: [{ catalog: 'spark_catalog', database: 'db', schema: '', table: 'a' }],
      output_tables: [{ catalog: 'spark_catalog', database: 'db', schema: '', table: 'b' }],
    },
  };
  const reply = await call(body);
  expect(reply).toMatchObject({ ok: true, status: 200, nodes: [{ name: 'testNode', type_name: 'Node' }] });
  const name = reply.ok ? reply.nodes[0]?.['qualified_name'] : '';
  expect(name).toMatch(/^manual\.[0-9a-f-]{36}@node\.[0-9a-f]{32}-workspace-[0-9a-f]{32}$/);
  expect(await call(body)).toMatchObject({ nodes: [{ qualified_name: name }] });
  expect(await runtime.dataarts()).toMatchObject([{ jobId: 'testJobID', nodeName: 'testNode' }]);
  expect(await call({ ...body, extra: 1 })).toMatchObject({ ok: false, status: 400, code: 'APIGW.0201' });
});

it("answers Flink's own client from everything known", async () => {
  const runtime = await started();
  await dataphinClient(runtime.runtime.url, KEYS)('AddRegisterLineage', command([['a', 'x']]));
  const ask = flinkClient(runtime.runtime.url, KEYS);
  const reply = await ask({ id: `dataphin:${guid('table1')}`, idType: 'TABLE', isColumnLevel: true });
  const data = (reply.ok ? reply.body['data'] : undefined) as JsonObject;
  expect(reply).toMatchObject({ ok: true, body: { success: true, httpCode: 200, errorCode: '' } });
  expect(data).toMatchObject({
    nodes: [
      { connector: 'dataphin', databaseName: 'project1', tables: [{ tableName: 'table1' }, { tableName: 'table2' }] },
    ],
    edges: { tableLineage: [{}], columnLineage: [{}] },
    jobInfos: [{}],
  });
  const [job] = data['jobInfos'] as JsonObject[];
  expect(await ask({ id: String(job?.['id']), idType: 'job' })).toMatchObject({
    body: { data: { edges: { tableLineage: [{ jobId: job?.['id'] as string }] } } },
  });
  expect(await ask({ id: 'nothing', idType: 'TABLE' })).toMatchObject({
    ok: true,
    body: { success: false, data: null, errorCode: 'LineageNotFound' },
  });
});

const PAIR = {
  job_id: 'testJobID',
  node_name: 'testNode',
  table_lineage: {
    input_tables: [{ catalog: 'spark_catalog', database: 'db', schema: '', table: 'a' }],
    output_tables: [{ catalog: 'spark_catalog', database: 'db', schema: '', table: 'b' }],
  },
};

it("turns callers away in each vendor's own code and status", async () => {
  const { runtime, ...rest } = await started();
  const { url } = runtime;
  const code = async (keys: Keys, action = 'AddRegisterLineage', tenant = '30001011') =>
    codeOf(await dataphinClient(url, keys)(action, command(), tenant));
  expect(await code({ id: 'LTAInobody', secret: 'x' })).toBe('404 InvalidAccessKeyId.NotFound');
  expect(await code({ ...KEYS, secret: 'wrong' })).toBe('400 SignatureDoesNotMatch');
  expect(await code({ id: 'LTAIreader', secret: 'readerSecret' })).toBe('401 DataphinOpenAPIRamUnAuthorized');
  expect(await code({ id: 'STS.1', secret: 'stsSecret' })).toBe('400 InvalidSecurityToken.MismatchWithAccessKey');
  expect(await code({ id: 'STS.1', secret: 'stsSecret', token: 'other' })).toMatch(/^400 InvalidSecurityToken/);
  expect(await code(KEYS, 'AddRegisterLineage', '999')).toBe('403 DataphinOpenApiForbidden');
  expect(await code(KEYS, 'NoSuchThing')).toBe('404 InvalidAction.NotFound');
  expect(await rest.dataphin()).toEqual([]);
  expect(await code({ id: 'STS.1', secret: 'stsSecret', token: 'stsToken' })).toBe('OK');
  const flink = await flinkClient(url, { ...KEYS, secret: 'wrong' })({ id: 'x', idType: 'JOB' });
  expect(codeOf(flink)).toBe('400 SignatureDoesNotMatch');
  const huawei = async (keys: Keys, project = PROJECT) => {
    const reply = await dataartsClient(url, keys, project, WORKSPACE)(PAIR);
    return reply.ok ? 'OK' : `${reply.status} ${reply.code}`;
  };
  expect(await huawei({ id: 'NOBODY', secret: 'x' })).toBe('401 APIGW.0301');
  expect(await huawei({ ...KEYS, secret: 'wrong' })).toBe('401 APIGW.0301');
  expect(await huawei({ id: 'LTAIreader', secret: 'readerSecret' })).toBe('403 APIGW.0306');
  expect(await huawei(KEYS, '0'.repeat(32))).toBe('403 APIGW.0306');
  expect(await huawei({ id: 'STS.1', secret: 'stsSecret' })).toBe('401 APIGW.0301');
  expect(await huawei({ id: 'STS.1', secret: 'stsSecret', token: 'stsToken' })).toBe('OK');
  const byToken = (token: string) =>
    rest.request('POST', `/v1/${PROJECT}/lineage/lineage-info`, JSON.stringify(PAIR), {
      'x-auth-token': token,
      workspace: WORKSPACE,
    });
  expect((await byToken('a-fixed-token')).status).toBe(200);
  const bad = await byToken('another');
  expect([bad.status, await bad.json()]).toMatchObject([401, { error_code: 'APIGW.0307' }]);
});

it('lets nobody in without a signature where keys are required, and takes a signed request once', async () => {
  const runtime = await started({ AUTH: 'required' });
  const { url } = runtime.runtime;
  const unsigned = await fetch(`${url}/`, { method: 'POST', headers: { 'x-acs-action': 'AddRegisterLineage' } });
  expect([unsigned.status, ((await unsigned.json()) as JsonObject)['Code']]).toEqual([400, 'IncompleteSignature']);
  const none = await runtime.request('POST', `/v1/${PROJECT}/lineage/lineage-info`, '{}');
  expect(none.status).toBe(401);
  const sign = (date: number, nonce: string) => {
    const body = `AddRegisterLineageCommand=${encodeURIComponent(JSON.stringify(command()))}`;
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      host: new URL(url).host,
      'x-acs-action': 'AddRegisterLineage',
      'x-acs-content-sha256': sha256(body),
      'x-acs-date': acsDate(date),
      'x-acs-signature-nonce': nonce,
      'x-acs-version': '2023-06-30',
    };
    const authorization = acs3(
      { method: 'POST', url: new URL('/?OpTenantId=30001011', url), headers, body },
      KEYS.id,
      KEYS.secret,
    );
    return { method: 'POST', headers: { ...headers, authorization }, body };
  };
  const send = async (request: RequestInit) => {
    const answer = await fetch(`${url}/?OpTenantId=30001011`, request);
    return `${answer.status} ${((await answer.json()) as JsonObject)['Code']}`;
  };
  const once = sign(Date.now(), 'only-once');
  expect(await send(once)).toBe('200 OK');
  expect(await send(once)).toBe('400 SignatureNonceUsed');
  expect(await send({ ...sign(Date.now(), 'n2'), body: 'AddRegisterLineageCommand=%7B%7D' })).toBe(
    '400 SignatureDoesNotMatch',
  );
  expect(await send(sign(Date.now() - 16 * 60_000, 'n3'))).toBe('400 InvalidTimeStamp.Expired');
});

it('refuses signatures that were made for another host', async () => {
  const runtime = await started({ PUBLIC_HOSTS: 'lineage.example.com' });
  expect(codeOf(await dataphinClient(runtime.runtime.url, KEYS)('AddRegisterLineage', command()))).toBe(
    '400 SignatureDoesNotMatch',
  );
  // Made for the public name, though a proxy has put another one into the Host header since.
  const { url } = runtime.runtime;
  const body = `AddRegisterLineageCommand=${encodeURIComponent(JSON.stringify(command()))}`;
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-acs-action': 'AddRegisterLineage',
    'x-acs-content-sha256': sha256(body),
    'x-acs-date': acsDate(Date.now()),
    'x-acs-signature-nonce': 'n',
    'x-acs-version': '2023-06-30',
  };
  const signed = { method: 'POST', url: new URL('/?OpTenantId=30001011', url), body };
  const authorization = acs3({ ...signed, headers: { ...headers, host: 'lineage.example.com' } }, KEYS.id, KEYS.secret);
  const answer = await fetch(signed.url, { method: 'POST', headers: { ...headers, authorization }, body });
  expect(answer.status).toBe(200);
});

it('takes back what the vendor refuses, and answers as the vendor does', async () => {
  const runtime = await started();
  const { url } = runtime.runtime;
  const call = dataphinClient(url, KEYS);
  expect(codeOf(await call('AddRegisterLineage', command([['a', 'x']])))).toBe('OK');
  const [before] = await objects(runtime, 'dataphin');
  await runtime.sandbox('dataphin', 'PUT', 'seed', { sources: ['project1'], assets: [] });
  const strict = command([['b', 'y']], { CheckAssetExist: true });
  expect(codeOf(await call('AddRegisterLineage', strict))).toBe('404 Simulated.AssetNotFound');
  expect(await objects(runtime, 'dataphin')).toEqual([before]);
  await runtime.sandbox('dataphin', 'PUT', 'seed', {});
  expect(codeOf(await call('AddRegisterLineage', strict))).toBe('OK');
  await runtime.fault('dataphin', { kind: 'unavailable', times: 10 });
  expect(codeOf(await call('AddRegisterLineage', command([['c', 'z']])))).toBe('503 ServiceUnavailable');
  await runtime.clearFaults('dataphin');
  expect(JSON.stringify(await objects(runtime, 'dataphin'))).not.toContain('"z"');
  const huawei = dataartsClient(url, KEYS, PROJECT, WORKSPACE);
  await runtime.fault('dataarts', { kind: 'denied', times: 10 });
  expect(await huawei(PAIR)).toMatchObject({ ok: false, status: 403 });
  expect(await objects(runtime, 'dataarts')).toEqual([]);
});

it('stores and forwards when the vendor is down, if it shall', async () => {
  const runtime = await started({ WIRE_DOWN: 'forward' });
  await runtime.fault('dataphin', { kind: 'throttle', times: 4 });
  const call = dataphinClient(runtime.runtime.url, KEYS);
  expect(await call('AddRegisterLineage', command())).toMatchObject({ ok: true, body: { Success: true } });
  expect((await objects(runtime, 'dataphin')).length).toBe(1);
});

it('keeps without sending, and shows what it keeps', async () => {
  const runtime = await started({ WIRE_DATAPHIN: 'keep', WIRE_DATAARTS: 'keep' });
  const { url } = runtime.runtime;
  expect(codeOf(await dataphinClient(url, KEYS)('AddRegisterLineage', command([['a', 'x']])))).toBe('OK');
  const reply = await dataartsClient(url, KEYS, PROJECT, WORKSPACE)(PAIR);
  const again = await dataartsClient(url, KEYS, PROJECT, WORKSPACE)(PAIR);
  expect(reply.ok && reply.nodes[0]?.['qualified_name']).toMatch(
    new RegExp(`^manual\\.[0-9a-f-]{36}@node\\.${PROJECT}-workspace-${WORKSPACE}$`),
  );
  expect(again).toEqual(reply);
  expect([await runtime.writes('dataphin'), await runtime.writes('dataarts')]).toEqual([[], []]);
  await runtime.runtime.reconcile();
  const ask = flinkClient(url, KEYS);
  const edges = async (body: JsonObject) => {
    const answer = await ask(body);
    return answer.ok ? at(answer.body, 'data', 'edges', 'tableLineage') : answer;
  };
  expect(await edges({ id: guid('table2'), idType: 'Table', direction: 'Upstream' })).toHaveLength(1);
  expect(await edges({ id: 'testJobID', idType: 'JOB' })).toHaveLength(1);
  expect(codeOf(await dataphinClient(url, KEYS)('DeleteRegisterLineage', command()))).toBe('OK');
  expect(await ask({ id: guid('table2'), idType: 'TABLE' })).toMatchObject({ body: { success: false } });
});

it('fans out to every target', async () => {
  const runtime = await started({ WIRE_DATAPHIN: 'all' });
  await runtime.drop(
    'naming.yaml',
    'version: 1\nrules:\n  - match: { dataphin: { guid: "odps.300000001.project1.{table}" } }\n    dataarts: { database: db, table: "{table}" }\n',
  );
  const call = dataphinClient(runtime.runtime.url, KEYS);
  expect(codeOf(await call('AddRegisterLineage', command([['a', 'x']])))).toBe('OK');
  expect((await runtime.dataphin()).length).toBe(1);
  expect(await runtime.dataarts()).toMatchObject([{ inputs: ['db.table1'], outputs: ['db.table2'] }]);
});

it('asks the real Flink where it shall', async () => {
  const runtime = await started({ WIRE_FLINK: 'relay' });
  const info = {
    nodes: [
      {
        id: '97383',
        catalogName: 'paimon',
        databaseName: 'ods',
        isTemporary: false,
        connector: 'paimon',
        tables: ['A', 'B'].map((name) => ({ id: `id${name}`, tableName: name, columns: [] })),
      },
    ],
    edges: { tableLineage: [{ source: 'idA', destination: 'idB', jobId: 'job-1' }], columnLineage: [] },
    jobInfos: [{ id: 'job-1', properties: { test: 'test' } }],
  };
  await runtime.sandbox('flink', 'PUT', 'seed', {
    deployments: [{ deploymentId: 'd1', name: 'orders' }],
    jobs: [{ jobId: 'job-1', deploymentId: 'd1' }],
    lineage: { 'job-1': info },
  });
  const { secret } = (await runtime.runtime.services.deps.targets()).list.find(({ name }) => name === 'flink') ?? {};
  const ask = flinkClient(runtime.runtime.url, KEYS, String(secret?.['workspace']));
  const namespace = String(secret?.['namespace']);
  const reply = await ask({ id: 'job-1', idType: 'JOB', depth: 1, namespace });
  expect(reply).toMatchObject({
    ok: true,
    body: { success: true, data: { edges: info.edges, jobInfos: info.jobInfos } },
  });
  expect(at(reply, 'body', 'data', 'nodes', 0)).toMatchObject({ id: '97383', catalogName: 'paimon' });
  expect(await ask({ id: 'no-such', idType: 'JOB', namespace })).toMatchObject({
    body: { success: false, data: null },
  });
});

it('loses nothing when calls for one pair come at the same time', async () => {
  const runtime = await started();
  const call = dataphinClient(runtime.runtime.url, KEYS);
  const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
  const codes = await Promise.all(
    names.map(async (name) => codeOf(await call('AddRegisterLineage', command([[name, name]])))),
  );
  expect(codes).toEqual(names.map(() => 'OK'));
  expect((await runtime.dataphin())[0]?.columns.map(([from]) => from).sort()).toEqual([...names].sort());
});

it('leaves what another manifest declares, and says so', async () => {
  const runtime = await started();
  const other = JSON.stringify({
    version: 1,
    targets: ['dataphin'],
    datasets: { a: { dataphin: { guid: guid('table1') } }, b: { dataphin: { guid: guid('table2') } } },
    lineage: [{ from: 'a', to: 'b', columns: { x: 'a' } }],
  });
  expect((await runtime.request('PUT', '/manifests/other.json', other)).status).toBe(200);
  const call = dataphinClient(runtime.runtime.url, KEYS);
  expect(codeOf(await call('DeleteRegisterLineage', command()))).toBe('404 RegisterLineageNotExist');
  expect(codeOf(await call('AddRegisterLineage', command([['b', 'y']])))).toBe('OK');
  const gone = await call('DeleteRegisterLineage', command());
  expect(gone).toMatchObject({ ok: true, body: { Message: expect.stringContaining('manifests/other.json') } });
  expect(await runtime.dataphin()).toMatchObject([{ columns: [['a', 'x']] }]);
});
