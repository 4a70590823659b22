import * as z from 'zod';
import type { ColumnEdge } from '../../core/edge.ts';
import { Failure } from '../../core/failure.ts';
import type { Call } from '../vendor.ts';

/** What goes over the wire to and from DataArts. Source: Huawei, "Creating a Lineage", updated 2025-11-17. */
export const MAX_TABLES = 100;
export const MAX_GROUPS = 100;
export const MAX_COLUMNS_PER_GROUP = 100;

const text = z.string();
const name = text.min(1);

/** A table as it stands in `Unit.spec`. */
const tableSpec = z.lazy(() =>
  z.strictObject({
    catalog: name.exactOptional(),
    database: name.exactOptional(),
    schema: text,
    table: name,
  }),
);
export type TableSpec = z.output<typeof tableSpec>;

export const nodeSpec = z.lazy(() =>
  z.strictObject({
    workspaceId: name,
    jobId: name,
    /** When no `nodeName` option is given. */
    nodeName: name,
    inputs: z.array(tableSpec).min(1).max(MAX_TABLES),
    outputs: z.array(tableSpec).min(1).max(MAX_TABLES),
    /** Part k of n, for a node with too many columns for one call. */
    part: z.tuple([z.int(), z.int()]).exactOptional(),
  }),
);
export type NodeSpec = z.output<typeof nodeSpec>;

const nodeOptions = z.lazy(() =>
  z.strictObject({
    nodeName: name.exactOptional(),
    connectionId: name.exactOptional(),
    connectionName: name.exactOptional(),
    clusterId: name.exactOptional(),
    dataSourceType: name.exactOptional(),
  }),
);

const tableInfo = z.lazy(() =>
  z.strictObject({
    catalog: text.exactOptional(),
    database: text.exactOptional(),
    schema: text.exactOptional(),
    table: text.exactOptional(),
  }),
);

/** Has no catalog, although tables have one. */
const columnDetails = z.lazy(() =>
  z.strictObject({
    database: text.exactOptional(),
    schema: text.exactOptional(),
    table: text.exactOptional(),
    column: text.exactOptional(),
  }),
);

/** Body of CreateLineageInfo; `table_lineage` is optional on the page, but its own lists are not, so it is always sent. */
export const lineageInfoSchema = z.lazy(() =>
  z.strictObject({
    cluster_id: text.exactOptional(),
    data_source_type: text.exactOptional(),
    connection_id: text.exactOptional(),
    connection_name: text.exactOptional(),
    workspace_id: text.exactOptional(),
    job_id: text.exactOptional(),
    node_name: text.exactOptional(),
    table_lineage: z.strictObject({
      input_tables: z.array(tableInfo).min(1).max(MAX_TABLES),
      output_tables: z.array(tableInfo).min(1).max(MAX_TABLES),
      column_lineages: z
        .array(
          z.strictObject({
            input_columns: z.array(columnDetails).min(1).max(MAX_COLUMNS_PER_GROUP),
            output_columns: z.array(columnDetails).min(1).max(MAX_COLUMNS_PER_GROUP),
          }),
        )
        .max(MAX_GROUPS)
        .exactOptional(),
    }),
  }),
);
export type LineageInfo = z.output<typeof lineageInfoSchema>;
export type TableInfo = z.output<typeof tableInfo>;
export type ColumnDetails = z.output<typeof columnDetails>;
type ColumnGroup = NonNullable<LineageInfo['table_lineage']['column_lineages']>[number];

/** The success body: a bare array with at least one element (an empty one is not documented and counts as no answer). */
export const createdSchema = z.lazy(() =>
  z.array(z.looseObject({ name: text.nullish(), type_name: text.nullish(), qualified_name: text.nullish() })).min(1),
);

/** Error bodies, in the shapes of the gateway, of services, and nested (Huawei SDK core 3.1.211). */
export const errorSchema = z.lazy(() =>
  z.looseObject({
    error_code: text.nullish(),
    error_msg: text.nullish(),
    request_id: text.nullish(),
    encoded_authorization_message: text.nullish(),
    error: z.looseObject({ code: z.union([text, z.number()]).nullish(), message: text.nullish() }).nullish(),
  }),
);

/** The node a call is about. Throws `Failure` `invalid` on a call that is not DataArts's. */
export function nodeOf(call: Pick<Call, 'spec'>): NodeSpec {
  return parsed(nodeSpec, call.spec);
}

/** The body that creates the call's node. Columns are grouped by output column; `direct` cannot be said here. */
export function lineageInfo(call: Call): LineageInfo {
  const node = nodeOf(call);
  const given = parsed(nodeOptions, call.options);
  const groups = columnGroups(call.columns, node);
  if (groups.length > MAX_GROUPS) {
    throw new Failure(
      'invalid',
      `One DataArts node takes at most ${MAX_GROUPS} groups of columns; all manifests that declare this one have ${groups.length} together. Give each manifest a job of its own.`,
    );
  }
  const [part, parts] = node.part ?? [];
  return {
    ...(given.clusterId === undefined ? {} : { cluster_id: given.clusterId }),
    ...(given.dataSourceType === undefined ? {} : { data_source_type: given.dataSourceType }),
    ...(given.connectionId === undefined ? {} : { connection_id: given.connectionId }),
    ...(given.connectionName === undefined ? {} : { connection_name: given.connectionName }),
    workspace_id: node.workspaceId,
    job_id: node.jobId,
    node_name: `${given.nodeName ?? node.nodeName}${part === undefined ? '' : ` (${part}/${parts})`}`,
    table_lineage: {
      input_tables: node.inputs.map((table) => ({ ...table })),
      output_tables: node.outputs.map((table) => ({ ...table })),
      ...(groups.length === 0 ? {} : { column_lineages: groups }),
    },
  };
}

/** How many groups these column edges need: one per output column and 100 of its sources. */
export function groupCount(columns: readonly ColumnEdge[]): number {
  const sources = new Map<string, number>();
  for (const { to } of columns) {
    const key = JSON.stringify([to.table, to.column]);
    sources.set(key, (sources.get(key) ?? 0) + 1);
  }
  let count = 0;
  for (const size of sources.values()) count += Math.ceil(size / MAX_COLUMNS_PER_GROUP);
  return count;
}

function columnGroups(columns: readonly ColumnEdge[], node: NodeSpec): ColumnGroup[] {
  const byOutput = new Map<string, { output: ColumnDetails; inputs: ColumnDetails[] }>();
  for (const { from, to } of columns) {
    const key = JSON.stringify([to.table, to.column]);
    const group = byOutput.get(key) ?? { output: detailsOf(node.outputs[to.table], to.column), inputs: [] };
    group.inputs.push(detailsOf(node.inputs[from.table], from.column));
    byOutput.set(key, group);
  }
  const groups: ColumnGroup[] = [];
  for (const { output, inputs } of byOutput.values()) {
    for (let at = 0; at < inputs.length; at += MAX_COLUMNS_PER_GROUP) {
      groups.push({ input_columns: inputs.slice(at, at + MAX_COLUMNS_PER_GROUP), output_columns: [output] });
    }
  }
  return groups;
}

function detailsOf(table: TableSpec | undefined, column: string): ColumnDetails {
  if (table === undefined) throw new Failure('invalid', 'A column refers to a table that its node does not have.');
  const { catalog: _none, ...rest } = table;
  return { ...rest, column };
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new Failure('invalid', `This call was not made for DataArts (${where}). Plan the owner again.`);
}
