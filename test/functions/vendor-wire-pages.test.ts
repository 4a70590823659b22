import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dataphin } from '../../functions/vendor-wire/dataphin.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import { documentToCommand as dataartsCall } from '../../shared/vendors/dataarts/document.ts';
import { documentToCommand as dataphinCall } from '../../shared/vendors/dataphin/document.ts';
import type { Services } from '../../shared/wiring.ts';
import { at } from '../simulators/callers.ts';
import { type Local, local } from './local.ts';

/** The examples of the three vendors' pages, sent and asked for as they stand there. */
const PROJECT = '0833a5737480d53b2f25c010dc1a7b88';
const WORKSPACE = '1b59d3c777ad4d619b89eeac4f3cce87';

/** Huawei, "Creating a Lineage", updated 2025-11-17, example request. */
const LINEAGE_INFO = {
  cluster_id: 'actual_cluster_id',
  data_source_type: 'actual_data_source_type',
  connection_id: '003b3ed52daf41e6829a0bc74526f5f7',
  connection_name: 'dli_test',
  workspace_id: WORKSPACE,
  job_id: 'testJobID',
  node_name: 'testNodeMName',
  table_lineage: {
    input_tables: [{ catalog: 'spark_catalog', database: 'nbbtemp', schema: '', table: 'origndata_typeall' }],
    output_tables: [{ catalog: 'spark_catalog', database: 'nbbtemp', schema: '', table: 'lineageTable1' }],
    column_lineages: [
      {
        input_columns: [{ database: 'nbbtemp', schema: '', table: 'origndata_typeall', column: 'stringf' }],
        output_columns: [{ database: 'nbbtemp', schema: '', table: 'lineageTable1', column: 'col1' }],
      },
    ],
  },
};

/** Alibaba Dataphin, "Register data lineage using OpenAPI", updated 2026-06-23: every parameter with its example value. */
const named = { Catalog: 'dataphin', Schema: 'project1', Env: 'PROD', ExtProperties: { key: 'value' } };
const asset = (table: string) => ({
  ReferenceType: 'BY_GUID',
  Guid: `odps.300000001.project1.${table}`,
  MetadataType: 'TABLE',
  ...named,
  Name: table,
});
const column = (table: string) => ({
  ReferenceType: 'BY_GUID',
  Guid: `odps.300000001.project1.${table}.column1`,
  ParentGuid: `odps.300000001.project1.${table}`,
  MetadataType: 'COLUMN',
  ...named,
  Name: 'column1',
});
const COMMON = {
  Source: asset('table1'),
  Target: asset('table2'),
  DetailedLineages: [{ Source: column('table1'), Target: column('table2'), IsDirect: true }],
  TenantId: 300001234,
  UserId: '300004567',
};
const ADD = { ...COMMON, CheckAssetExist: false, RelationProperties: { key: 'value' } };

/** Alibaba, "GetLineageInfo", updated Mar 31 2026, example response. */
const LINEAGE = {
  nodes: [
    {
      id: '97383',
      catalogName: 'paimon',
      databaseName: 'paimon-ods',
      isTemporary: false,
      connector: 'paimon',
      tables: [
        {
          id: '434508',
          tableName: 'order-test',
          with: { test: 'test', test2: 1 },
          properties: { test: 'test', test2: 1 },
          columns: [
            {
              id: '123ss3',
              columnName: 'name',
              nullable: false,
              description: 'Order username',
              columnType: 'string',
              columnNativeType: 'string',
              createdAt: 1723537978,
              modifiedAt: 1723537978,
              creator: 'userA',
              modifier: 'userA',
            },
          ],
        },
      ],
    },
  ],
  edges: {
    tableLineage: [{ source: 'TableA', destination: 'TableB', jobId: '664cc64d-5dea-4ad3-9ee4-8432a874' }],
    columnLineage: [],
  },
  jobInfos: [{ id: '664cc64d-5dea-4ad3-9ee4-8432a874', properties: { test: 'test', test2: 1 } }],
};

async function documentIn(runtime: Local, prefix: string): Promise<JsonObject> {
  const folder = join(runtime.runtime.bucket, prefix);
  const [name = ''] = await readdir(folder);
  return JSON.parse(await readFile(join(folder, name), 'utf8'));
}

const create = (runtime: Local, body: object) =>
  runtime.request('POST', `/v1/${PROJECT}/lineage/lineage-info`, JSON.stringify(body), {
    'content-type': 'application/json',
    workspace: WORKSPACE,
  });
const register = (runtime: Local, action: string, command: object) =>
  runtime.request('POST', '/?OpTenantId=30001011', JSON.stringify({ [`${action}Command`]: command }), {
    'content-type': 'application/json',
    'x-acs-action': action,
  });
const ask = async (runtime: Local, body: object, workspace = 'w') => {
  const answer = await runtime.request('POST', '/meta/v2/lineage', JSON.stringify(body), { workspace });
  return (await answer.json()) as JsonObject;
};
const pairsOf = (info: JsonObject) => {
  const tables = new Map(
    (at(info, 'data', 'nodes') as { tables: { id: string; tableName: string; columns: JsonObject[] }[] }[]).flatMap(
      ({ tables }) => tables.map((each) => [each.id, each] as const),
    ),
  );
  const [edge] = at(info, 'data', 'edges', 'tableLineage') as { source: string; destination: string }[];
  const names = [edge?.source, edge?.destination].map((id) => tables.get(id ?? ''));
  return names.map((each) => `${each?.tableName}.${at(each, 'columns', 0, 'columnName')}`);
};

it("DataArts' page: sent on as it stands, kept as it stands, answered in its shape, asked back in Flink's", async () => {
  const runtime = await local();
  const answer = await create(runtime, LINEAGE_INFO);
  const [node, ...others] = (await answer.json()) as JsonObject[];
  expect([answer.status, others, Object.keys(node ?? {})]).toEqual([200, [], ['name', 'type_name', 'qualified_name']]);
  expect(node).toMatchObject({ name: 'testNodeMName', type_name: 'Node' });
  expect((await runtime.writes('dataarts'))[0]?.request).toEqual(LINEAGE_INFO);
  expect(dataartsCall(await documentIn(runtime, 'dataarts')).body).toEqual(LINEAGE_INFO);
  const info = await ask(runtime, { id: 'testJobID', idType: 'JOB', isColumnLevel: true });
  expect(pairsOf(info)).toEqual(['origndata_typeall.stringf', 'lineageTable1.col1']);
});

it("Dataphin's page: every field is sent on, kept, and asked back in Flink's format", async () => {
  const runtime = await local();
  const answer = await register(runtime, 'AddRegisterLineage', ADD);
  expect([answer.status, await answer.json()]).toMatchObject([200, { HttpStatusCode: 200, Code: 'OK', Success: true }]);
  expect(at((await runtime.writes('dataphin'))[0]?.request, 'AddRegisterLineageCommand')).toEqual(ADD);
  expect(dataphinCall(await documentIn(runtime, 'dataphin'))).toEqual({
    operation: 'AddRegisterLineage',
    opTenantId: '30001011',
    command: ADD,
  });
  const id = 'dataphin:odps.300000001.project1.table1';
  const info = await ask(runtime, { id, idType: 'TABLE', direction: 'DOWNSTREAM', isColumnLevel: true });
  expect(pairsOf(info)).toEqual(['table1.column1', 'table2.column1']);
  const remove = { ...COMMON, CascadeDeleteLineage: true, TenantId: 300001235, UserId: 'another' };
  expect((await register(runtime, 'DeleteRegisterLineage', remove)).status).toBe(200);
  expect(at((await runtime.writes('dataphin')).at(-1)?.request, 'DeleteRegisterLineageCommand')).toEqual(remove);
  expect((await runtime.writes('dataphin')).length).toBe(2);
});

it('BY_PROPERTY goes on as it came, without anybody knowing a GUID', async () => {
  const runtime = await local();
  const table = (name: string) => ({
    ReferenceType: 'BY_PROPERTY',
    MetadataType: 'TABLE',
    MetadataSubType: 'PHYSICAL_TABLE',
    Catalog: 'dataphin',
    Schema: 'project1',
    Env: 'DEV',
    Name: name,
  });
  const own = (of: string) => ({ ReferenceType: 'BY_PROPERTY', MetadataType: 'COLUMN', Name: `${of}_id` });
  const command = {
    Source: table('a'),
    Target: table('b'),
    DetailedLineages: [{ Source: own('a'), Target: own('b') }],
  };
  expect((await register(runtime, 'AddRegisterLineage', command)).status).toBe(200);
  expect(at((await runtime.writes('dataphin'))[0]?.request, 'AddRegisterLineageCommand')).toEqual(command);
});

it("Flink's page: what the real one says comes back in its shape", async () => {
  const runtime = await local({ WIRE_FLINK: 'relay' });
  const job = LINEAGE.jobInfos[0]?.id ?? '';
  await runtime.sandbox('flink', 'PUT', 'seed', {
    deployments: [{ deploymentId: 'd1', name: 'orders' }],
    jobs: [{ jobId: job, deploymentId: 'd1' }],
    lineage: { [job]: LINEAGE },
  });
  const { secret = {} } =
    (await runtime.runtime.services.deps.targets()).list.find(({ name }) => name === 'flink') ?? {};
  const { workspace, namespace } = secret as Record<string, string>;
  const said = await ask(runtime, { id: job, idType: 'JOB', direction: 'Both', depth: 1, namespace }, workspace);
  expect(Object.keys(said)).toEqual(['requestId', 'success', 'httpCode', 'errorCode', 'errorMessage', 'data']);
  expect(said['data']).toEqual(LINEAGE);
});

it('two processes that change one pair at the same time lose nothing', async () => {
  const runtime = await local({ WIRE_DATAPHIN: 'keep' });
  // Each with ids of its own, and neither knows which leases of the other are alive but by their end.
  const processes: Services[] = ['one', 'other'].map((name) => {
    const { deps } = runtime.runtime.services;
    let made = 0;
    const id = () => {
      made += 1;
      return `${name}-${made}-${deps.id()}`;
    };
    return { ...runtime.runtime.services, deps: { ...deps, id, alive: ({ until }) => until > Date.now() } };
  });
  const send = (services: Services, command: object) =>
    dataphin(
      {
        method: 'POST',
        params: {},
        query: new URLSearchParams({ OpTenantId: '30001011' }),
        headers: { 'x-acs-action': 'AddRegisterLineage', 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify({ AddRegisterLineageCommand: command })),
        caller: TRUSTED,
        deadlineMs: Date.now() + 20_000,
      },
      services,
    );
  const columns = Array.from({ length: 20 }, (_, index) => `c${index}`);
  const answers = await Promise.all(
    columns.map((name, index) => {
      const of = (table: string) => ({
        ...column(table),
        Guid: `odps.300000001.project1.${table}.${name}`,
        Name: name,
      });
      const details = [{ Source: of('table1'), Target: of('table2') }];
      return send(processes[index % 2] as Services, { ...ADD, DetailedLineages: details });
    }),
  );
  expect(answers.map(({ status }) => status)).toEqual(columns.map(() => 200));
  const declared = at(await documentIn(runtime, 'dataphin'), 'lineage', 0, 'columns') as { to: { column: string } }[];
  expect(declared.map(({ to }) => to.column).sort()).toEqual([...columns].sort());
});
