import { describe, expect, it } from 'vitest';
import type { Failure } from '../../shared/core/failure.ts';
import type { Json, JsonObject } from '../../shared/core/json.ts';
import { parseManifest } from '../../shared/core/manifest.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import * as dataarts from '../../shared/vendors/dataarts/inbound.ts';
import * as dataphin from '../../shared/vendors/dataphin/inbound.ts';
import { jobId, lineageInfoOf, nameOfId, readQuestion, tableId } from '../../shared/vendors/flink/inbound.ts';
import { at } from '../simulators/callers.ts';

/** As JSON stores it, and as the ordinary convergence reads it. */
function stored(document: JsonObject): JsonObject {
  const text = JSON.stringify(document);
  expect(parseManifest(Buffer.from(text), 'json', blocks)).toHaveProperty('manifest');
  return JSON.parse(text) as JsonObject;
}

describe('Dataphin', () => {
  const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: `odps.1.p.${name}`, MetadataType: 'TABLE' });
  const call = (columns: readonly string[], more: JsonObject = {}, operation = 'AddRegisterLineage') =>
    ({
      operation,
      opTenantId: '1',
      command: {
        Source: asset('a'),
        Target: asset('b'),
        DetailedLineages: columns.map((name) => ({ Source: { Name: name }, Target: { Name: name } })),
        ...more,
      },
    }) as dataphin.WireCall;
  const columnsOf = (document: JsonObject) =>
    ((at(document, 'lineage', 0, 'columns') ?? []) as { to: { column: string } }[]).map(({ to }) => to.column);

  it('keeps earlier bodies as long as they say something, and no longer', () => {
    let document = stored(dataphin.added(undefined, call(['x', 'y']), 'dataphin'));
    for (let count = 0; count < 50; count += 1) {
      document = stored(dataphin.added(document, call(['y'], { UserId: String(count) }), 'dataphin'));
    }
    expect(columnsOf(document)).toEqual(['x', 'y']);
    expect(at(document, 'wire', 'earlier')).toEqual([call(['x', 'y']).command]);
    expect(at(document, 'lineage', 0, 'dataphin', 'userId')).toBe('49');
    document = stored(dataphin.added(document, call(['x']), 'dataphin'));
    expect(at(document, 'wire', 'earlier')).toEqual([call(['y'], { UserId: '49' }).command]);
  });

  it('has the lineage sent again only when it is referred to in another way', () => {
    const like = (document: JsonObject) => at(document, 'lineage', 0, 'dataphin', 'sentLike');
    const first = dataphin.added(undefined, call(['x']), 'dataphin');
    expect(like(dataphin.added(stored(first), call(['y']), 'dataphin'))).toBe(like(first));
    const other = { DetailedLineages: [{ Source: { Name: 'x', ExtProperties: { k: 1 } }, Target: { Name: 'x' } }] };
    expect(like(dataphin.added(stored(first), call([], other), 'dataphin'))).not.toBe(like(first));
  });

  it.each([
    [['x'], {}, 'less', ['y']],
    [['x', 'y'], {}, 'gone', undefined],
    [['x', 'y'], { CascadeDeleteLineage: true }, 'gone', undefined],
    [['x', 'y', 'z'], { CascadeDeleteLineage: false }, 'less', []],
    [[], { CascadeDeleteLineage: false }, 'gone', undefined],
    [['z'], {}, 'nothing', undefined],
  ] as const)('Delete of %j with %j leaves %s', (columns, more, kind, left) => {
    const known = stored(dataphin.added(undefined, call(['x', 'y']), 'dataphin'));
    const result = dataphin.subtracted(known, call(columns, more, 'DeleteRegisterLineage'));
    expect(result.kind).toBe(kind);
    if (result.kind === 'less') expect(columnsOf(stored(result.document))).toEqual(left);
  });

  it.each([
    [{ Source: undefined }, 'MissingSource'],
    [{ Source: { ...asset('a'), ReferenceType: 'BY_NAME' } }, 'InvalidReferenceType'],
    [{ Source: { ...asset('a'), Guid: undefined } }, 'MissingGuid'],
    [{ DetailedLineages: Array.from({ length: 101 }, () => ({ Source: {}, Target: {} })) }, 'InvalidDetailedLineages'],
    [{ DetailedLineages: [{ Source: {}, Target: { Name: 'x' } }] }, 'MissingName'],
    [{ Extra: 1 }, 'InvalidParameter.Format'],
  ])('refuses %j as %s', (more, code) => {
    const wrong = JSON.parse(JSON.stringify(call(['x'], more as unknown as JsonObject))) as dataphin.WireCall;
    expect(() => dataphin.added(undefined, wrong, 'dataphin')).toThrow(expect.objectContaining({ code }) as Failure);
  });

  it('knows one pair by what names it, not by what else is said', () => {
    const same = call([], { Source: { ...asset('a'), ExtProperties: { k: 1 }, Name: 'a' }, TenantId: 1 });
    expect(dataphin.identityOf(same)).toEqual(dataphin.identityOf(call(['x'])));
    expect(dataphin.identityOf({ ...same, opTenantId: '2' })).not.toEqual(dataphin.identityOf(same));
  });
});

describe('DataArts', () => {
  const call = (
    outputs: readonly string[],
    columns: readonly string[] = [],
    more: JsonObject = {},
  ): dataarts.WireCall => ({
    projectId: 'p',
    workspace: 'w',
    body: {
      job_id: 'j',
      node_name: 'n',
      table_lineage: {
        input_tables: [{ database: 'd', table: 'a' }],
        output_tables: outputs.map((table) => ({ database: 'd', table })),
        column_lineages: columns.map((column) => ({
          input_columns: [{ table: 'a', column }],
          output_columns: [{ table: outputs[0] ?? '', column }],
        })),
      },
      ...more,
    },
  });

  it('merges bodies of one node: the same tables add columns, others stand beside', () => {
    let document = stored(dataarts.added(undefined, call(['b'], ['x']), 'dataarts'));
    document = stored(dataarts.added(document, call(['b'], ['y']), 'dataarts'));
    document = stored(dataarts.added(document, call(['b', 'c']), 'dataarts'));
    document = stored(dataarts.added(document, call(['b', 'c'], [], { cluster_id: 'k' }), 'dataarts'));
    const entries = document['lineage'] as JsonObject[];
    expect(entries.map(({ to, columns }) => [(to as Json[]).length, ((columns ?? []) as Json[]).length])).toEqual([
      [1, 2],
      [2, 0],
    ]);
    expect(entries.map(({ dataarts: options }) => at(options, 'clusterId'))).toEqual(['k', 'k']);
    expect(at(document, 'wire', 'earlier')).toHaveLength(2);
  });

  it('tells nodes apart by workspace, job and node, else by their tables', () => {
    const anonymous = (outputs: readonly string[]) =>
      dataarts.identityOf(call(outputs, [], { job_id: '', node_name: '' }));
    expect(dataarts.identityOf(call(['b']))).toEqual(dataarts.identityOf(call(['c'])));
    expect(dataarts.identityOf({ ...call(['b']), workspace: 'v' })).not.toEqual(dataarts.identityOf(call(['b'])));
    expect(anonymous(['b'])).not.toEqual(anonymous(['c']));
  });
});

describe('Flink', () => {
  it.each([
    [{ idType: 'JOB' }, 'InvalidParameter', /^id:/],
    [{ id: 'x', idType: 'DATABASE' }, 'InvalidParameter', /JOB or TABLE/],
    [{ id: 'x', idType: 'Job', depth: 51 }, 'InvalidParameter', /at most 50/],
    [{ id: 'x', idType: 'Job', direction: 'Sideways' }, 'InvalidParameter', /UPSTREAM/],
    [{ id: 'x', idType: 'Job', workspace: 'other' }, 'InvalidWorkspace', /header/],
  ])('refuses %j', (body, code, message) => {
    expect(readQuestion(body, 'w')).toEqual({ problem: { code, message: expect.stringMatching(message) } });
  });

  it('gives ids that say what they stand for', () => {
    for (const name of ['dataphin:odps.1.p.t', 'hive://h:1/db.tä', '-']) {
      expect([nameOfId('t', tableId(name)), nameOfId('j', jobId(name))]).toEqual([name, name]);
      expect([nameOfId('j', tableId(name)), nameOfId('t', name)]).toEqual([undefined, undefined]);
    }
  });

  it('takes names apart', () => {
    const names = ['dataphin:odps.1.p.t', 'dataarts:db.t', 'flink:c.d.t', 'hive://h/db.t', 'file/t'];
    const { nodes } = lineageInfoOf({ nodes: names.map((id) => ({ id, names: [] })), edges: [] }, 'table');
    expect(
      (nodes as JsonObject[]).map(({ connector, catalogName, databaseName, tables }) =>
        [connector, catalogName, databaseName, at(tables, 0, 'tableName')].join(' | '),
      ),
    ).toEqual([
      'dataphin | odps.1 | p | t',
      'dataarts | dataarts | db | t',
      'flink | c | d | t',
      'hive | hive://h | db | t',
      ' | file |  | t',
    ]);
  });
});
