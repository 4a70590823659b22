import { Failure } from '../../core/failure.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { EntryBlock } from './blocks.ts';
import { type ColumnDetails, type LineageInfo, lineageInfoSchema, type TableInfo } from './wire.ts';

/** One CreateLineageInfo call in DataArts's own format. */
export interface WireCall {
  readonly projectId: string;
  /** Value of the `workspace` header. */
  readonly workspace: string;
  readonly body: JsonObject;
}

/**
 * A manifest that declares what the call says, with the call verbatim under `wire`. Throws `Failure` `invalid`, naming the
 * field, when the body is not a valid one or a column belongs to no table of its side. `targets` empty: it is only kept; `all`: every
 * configured target that can register.
 */
export function commandToDocument(call: WireCall, targets: string | readonly string[] = 'dataarts'): JsonObject {
  const parsed = lineageInfoSchema.safeParse(call.body);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 20).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure('invalid', `The lineage body is not valid. ${issues.join('; ')}`);
  }
  const body = parsed.data;
  const { input_tables: inputs, output_tables: outputs, column_lineages: groups = [] } = body.table_lineage;
  const columns = groups.flatMap((group, at) =>
    group.output_columns.map((output) => ({
      from: group.input_columns.map((input) => columnRef(input, inputs, 'in', `column_lineages.${at}.input_columns`)),
      to: columnRef(output, outputs, 'out', `column_lineages.${at}.output_columns`),
    })),
  );
  const options: EntryBlock = {
    ...filled('jobId', body.job_id),
    ...filled('nodeName', body.node_name),
    workspaceId: body.workspace_id || call.workspace,
    ...filled('connectionId', body.connection_id),
    ...filled('connectionName', body.connection_name),
    ...filled('clusterId', body.cluster_id),
    ...filled('dataSourceType', body.data_source_type),
  };
  return {
    version: 1,
    ...(targets === 'all' || targets.length === 0 ? {} : { targets: [targets].flat() }),
    datasets: { ...datasetsOf(inputs, 'in'), ...datasetsOf(outputs, 'out') },
    lineage: [
      {
        from: inputs.map((_, at) => `in${at}`),
        to: outputs.map((_, at) => `out${at}`),
        ...(columns.length === 0 ? {} : { columns }),
        dataarts: options as JsonObject,
      },
    ],
    wire: { projectId: call.projectId, workspace: call.workspace, body: call.body, ...keptOnly(targets) },
  };
}

/** The call that a document was made from, exactly. Throws `Failure` `invalid` when the document holds none. */
export function documentToCommand(document: JsonObject): WireCall {
  const wire = document['wire'];
  const { projectId, workspace, body } = isObject(wire) ? wire : {};
  if (typeof projectId !== 'string' || typeof workspace !== 'string' || !isObject(body)) {
    throw new Failure('invalid', 'The document holds no DataArts call under "wire".');
  }
  return { projectId, workspace, body };
}

function datasetsOf(tables: LineageInfo['table_lineage']['input_tables'], prefix: string): JsonObject {
  const entries = tables.map((table, at) => {
    if (!table.table)
      throw new Failure('invalid', `${prefix === 'in' ? 'input' : 'output'}_tables.${at}.table is required.`);
    const block = {
      ...filled('catalog', table.catalog),
      ...filled('database', table.database),
      ...(table.schema === undefined ? {} : { schema: table.schema }),
      table: table.table,
    };
    return [`${prefix}${at}`, { dataarts: block }] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * Columns have no catalog: where two tables differ in nothing else, the first is meant. Every field is optional: one that says less
 * than the tables do means the only table that fits.
 */
function columnRef(column: ColumnDetails, tables: readonly TableInfo[], prefix: string, path: string): JsonObject {
  const same = (a: string | undefined, b: string | undefined) => (a ?? '') === (b ?? '');
  const fits = (a: string | undefined, b: string | undefined) => !b || same(a, b);
  const all = (matches: typeof same) => (table: TableInfo) =>
    matches(table.database, column.database) &&
    matches(table.schema, column.schema) &&
    matches(table.table, column.table);
  const exact = tables.findIndex(all(same));
  const loose = tables.filter(all(fits));
  const [only] = loose;
  const at = exact >= 0 ? exact : loose.length === 1 && only !== undefined ? tables.indexOf(only) : -1;
  if (at < 0 || !column.column) {
    throw new Failure(
      'invalid',
      `${path}: ${column.column ? 'its table is not among the tables of its side' : 'column is required'}.`,
    );
  }
  return { dataset: `${prefix}${at}`, column: column.column };
}

/** An empty text means the same as none on the page; a manifest has no empty names. */
function filled<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  return (value ? { [key]: value } : {}) as { [key in K]?: string };
}

function keptOnly(targets: string | readonly string[]): { readonly kept?: true } {
  return targets.length === 0 ? { kept: true } : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
