import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { type Manifest, parseManifest } from '../../shared/core/manifest.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import * as dataartsDocument from '../../shared/vendors/dataarts/document.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { lineageInfo } from '../../shared/vendors/dataarts/wire.ts';
import * as dataphinDocument from '../../shared/vendors/dataphin/document.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import { addCommand, deleteCommand } from '../../shared/vendors/dataphin/wire.ts';
import type { Unit, Vendor } from '../../shared/vendors/vendor.ts';
import { mappingInput } from './entries.ts';

/** The one unit that a stored document declares, read as every manifest is. */
function unitOf(document: JsonObject, vendor: Vendor, secret: JsonObject = {}): Unit {
  const { wire: _wire, ...manifest } = document;
  const parsed = parseManifest(new TextEncoder().encode(JSON.stringify(manifest)), 'json', blocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { entries } = resolveManifest(parsed.manifest as Manifest, NO_NAMING);
  const mapping = vendor.units(mappingInput(entries, { secret }));
  expect(mapping.unresolved).toEqual([]);
  expect(mapping.units).toHaveLength(1);
  return mapping.units[0] as Unit;
}

// Huawei, "Creating a Lineage", updated 2025-11-17: the example request.
const created: JsonObject = {
  cluster_id: 'actual_cluster_id',
  data_source_type: 'actual_data_source_type',
  connection_id: '003b3ed52daf41e6829a0bc74526f5f7',
  connection_name: 'dli_test',
  workspace_id: '1b59d3c777ad4d619b89eeac4f3cce87',
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

describe('DataArts documents', () => {
  const call = {
    projectId: '0833a5737480d53b2f25c010dc1a7b88',
    workspace: '1b59d3c777ad4d619b89eeac4f3cce87',
    body: created,
  };

  it('give the example request back as it came', () => {
    const stored = JSON.parse(JSON.stringify(dataartsDocument.commandToDocument(call))) as JsonObject;
    expect(dataartsDocument.documentToCommand(stored)).toEqual(call);
  });
  it('declare exactly what the example request says', () => {
    expect(lineageInfo(unitOf(dataartsDocument.commandToDocument(call), dataarts))).toEqual(created);
  });
  it('declare several tables and groups', () => {
    const [one, two, out] = ['t1', 't2', 'out'].map((table) => ({ database: 'd', schema: 's', table }));
    const column = (table: object | undefined, name: string) => ({ ...table, column: name });
    const body = {
      workspace_id: 'w',
      job_id: 'j',
      node_name: 'n',
      table_lineage: {
        input_tables: [one, two],
        output_tables: [out],
        column_lineages: [
          { input_columns: [column(one, 'a'), column(two, 'b')], output_columns: [column(out, 'x')] },
          { input_columns: [column(two, 'b.c')], output_columns: [column(out, 'y')] },
        ],
      },
    } as unknown as JsonObject;
    const document = dataartsDocument.commandToDocument({ ...call, body }, 'dataarts/finance');
    expect(document['targets']).toEqual(['dataarts/finance']);
    expect(lineageInfo(unitOf(document, dataarts))).toEqual(body);
  });
  it('take the workspace of the header when the body has none', () => {
    const { workspace_id: _gone, ...body } = created;
    const unit = unitOf(dataartsDocument.commandToDocument({ ...call, body }), dataarts);
    expect(lineageInfo(unit).workspace_id).toBe(call.workspace);
  });
  it.each([
    [{ ...created, job_name: 'x' }, /job_name/],
    [{ ...created, job_id: null }, /job_id/],
    [{ job_id: 'x' }, /table_lineage/],
    [{ table_lineage: { input_tables: [], output_tables: [{ table: 't' }] } }, /input_tables/],
    [{ table_lineage: { input_tables: [{ database: 'd' }], output_tables: [{ table: 't' }] } }, /input_tables.0.table/],
    [
      {
        table_lineage: {
          input_tables: [{ table: 'a' }],
          output_tables: [{ table: 'b' }],
          column_lineages: [
            { input_columns: [{ table: 'z', column: 'c' }], output_columns: [{ table: 'b', column: 'c' }] },
          ],
        },
      },
      /column_lineages.0.input_columns: its table is not among/,
    ],
  ])('refuse %j', (body, expected) => {
    expect(() => dataartsDocument.commandToDocument({ ...call, body })).toThrow(expected);
  });
  it('are not taken for calls without one', () => {
    expect(() => dataartsDocument.documentToCommand({ version: 1 })).toThrow(/no DataArts call/);
  });
});

// Alibaba Dataphin, "Register data lineage using OpenAPI", updated 2026-06-23: the tables' example values, every field.
const properties = {
  Catalog: 'dataphin',
  Schema: 'project1',
  Env: 'PROD',
  ExtProperties: { owner: 'someone', level: 1 },
};
const source: JsonObject = {
  ReferenceType: 'BY_GUID',
  Guid: 'odps.300000001.project1.table1',
  MetadataType: 'TABLE',
  ...properties,
  Name: 'table1',
};
const target: JsonObject = {
  ReferenceType: 'BY_PROPERTY',
  MetadataType: 'TABLE',
  MetadataSubType: 'PHYSICAL_TABLE',
  ...properties,
  Schema: 'bizUnit1',
  Env: 'DEV',
  Name: 'table2',
};
const details: JsonObject[] = [
  {
    Source: {
      ReferenceType: 'BY_GUID',
      Guid: 'odps.300000001.project1.table1.column1',
      ParentGuid: 'odps.300000001.project1.table1',
      MetadataType: 'COLUMN',
      ...properties,
      Name: 'column1',
    },
    Target: {
      ReferenceType: 'BY_PROPERTY',
      ParentGuid: 'odps.300000001.bizUnit1.table2',
      MetadataType: 'COLUMN',
      ...properties,
      Name: 'column1',
    },
    IsDirect: true,
  },
];
const add: JsonObject = {
  Source: source,
  Target: target,
  DetailedLineages: details,
  CheckAssetExist: true,
  RelationProperties: { reason: 'nightly', runs: 3 },
  TenantId: 300001234,
  UserId: '300004567',
};
const remove: JsonObject = {
  Source: source,
  Target: target,
  DetailedLineages: details,
  CascadeDeleteLineage: true,
  TenantId: 300001234,
  UserId: '300004567',
};

describe('Dataphin documents', () => {
  const calls: dataphinDocument.WireCall[] = [
    { operation: 'AddRegisterLineage', opTenantId: '30001011', command: add },
    { operation: 'DeleteRegisterLineage', opTenantId: '30001011', command: remove },
  ];
  it.each(calls)('give a full $operation back as it came', (call) => {
    const stored = JSON.parse(JSON.stringify(dataphinDocument.commandToDocument(call))) as JsonObject;
    expect(dataphinDocument.documentToCommand(stored)).toEqual(call);
  });

  // What our own calls say, both ways of referring: nothing is lost between wire, document, unit and wire.
  const guid = (name: string) => ({
    ReferenceType: 'BY_GUID',
    Guid: `odps.300000001.project1.${name}`,
    MetadataType: 'TABLE',
  });
  const columnOf = (name: string, column: string) => ({
    ReferenceType: 'BY_GUID',
    Guid: `odps.300000001.project1.${name}.${column}`,
    ParentGuid: `odps.300000001.project1.${name}`,
    MetadataType: 'COLUMN',
  });
  const { ExtProperties: _ext, ...plain } = properties;
  const ours: JsonObject = {
    Source: { ...guid('table1'), ExtProperties: { k: 'v' } },
    Target: target,
    DetailedLineages: [
      {
        Source: columnOf('table1', 'dotted.name'),
        Target: {
          ReferenceType: 'BY_PROPERTY',
          ParentGuid: 'odps.300000001.bizUnit1.table2',
          MetadataType: 'COLUMN',
          ...plain,
          Schema: 'bizUnit1',
          Env: 'DEV',
          Name: 'column1',
        },
        IsDirect: false,
      },
    ],
    TenantId: 300001234,
    UserId: '300004567',
  };
  it('declare exactly what an Add says', () => {
    const command = { ...ours, CheckAssetExist: true, RelationProperties: { reason: 'nightly', runs: 3 } };
    const document = dataphinDocument.commandToDocument({ operation: 'AddRegisterLineage', opTenantId: '1', command });
    expect(addCommand(unitOf(document, dataphin), {})).toEqual(command);
  });
  it('declare exactly what a Delete says', () => {
    const command = { ...ours, CascadeDeleteLineage: false };
    const document = dataphinDocument.commandToDocument({
      operation: 'DeleteRegisterLineage',
      opTenantId: '1',
      command,
    });
    expect(deleteCommand({ ...unitOf(document, dataphin), cascade: true }, {})).toEqual(command);
  });
  it('declare a pair without columns', () => {
    const command = { Source: guid('a'), Target: guid('b') };
    const document = dataphinDocument.commandToDocument(
      { operation: 'AddRegisterLineage', opTenantId: '1', command },
      'dataphin/x',
    );
    expect(document['targets']).toEqual(['dataphin/x']);
    expect(addCommand(unitOf(document, dataphin), {})).toEqual(command);
  });
  it.each([
    [{ Target: target }, /Source/],
    [{ ...add, Extra: 1 }, /Extra/],
    [{ ...add, CascadeDeleteLineage: true }, /CascadeDeleteLineage/],
    [{ ...add, Source: { ...source, Guid: undefined } }, /Guid/],
    [{ ...add, Source: { ...source, MetadataSubType: 'TABLE' } }, /MetadataSubType/],
    [{ ...add, DetailedLineages: Array.from({ length: 101 }, () => details[0]) }, /DetailedLineages/],
    [{ ...add, DetailedLineages: [{ Source: columnOf('table1', 'a'), Target: {} }] }, /DetailedLineages.0.Target/],
    [
      { ...add, DetailedLineages: [{ Source: columnOf('other', 'a'), Target: { Name: 'b' } }] },
      /DetailedLineages.0.Source/,
    ],
  ])('refuse %#', (command, expected) => {
    const call = {
      operation: 'AddRegisterLineage',
      opTenantId: '1',
      command: JSON.parse(JSON.stringify(command)),
    } as const;
    expect(() => dataphinDocument.commandToDocument(call)).toThrow(expected);
  });
  it('are not taken for calls without one', () => {
    expect(() => dataphinDocument.documentToCommand({ version: 1, wire: { operation: 'x' } })).toThrow(
      /no Dataphin call/,
    );
  });
});
