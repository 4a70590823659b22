import { createHash } from 'node:crypto';
import type { Json } from '../product.ts';
import type { LineageInfoRequest, TableInfo } from './body.ts';

/** A job node: what one CreateLineageInfo call left behind. */
export interface JobNode {
  readonly qualifiedName: string;
  readonly workspace: string;
  readonly body: LineageInfoRequest;
}

/** What the simulator holds, in the words of `GET /_sandbox/lineage`; columns as `database.table.column`. */
export function heldLineage(nodes: Iterable<JobNode>): Json {
  return Array.from(nodes, ({ body }) => ({
    jobId: body.job_id ?? null,
    nodeName: body.node_name ?? null,
    inputs: body.table_lineage.input_tables.map(tableName),
    outputs: body.table_lineage.output_tables.map(tableName),
    columns: (body.table_lineage.column_lineages ?? []).flatMap(({ input_columns, output_columns }) =>
      input_columns.flatMap((from) =>
        output_columns.map((to) => [`${tableName(from)}.${from.column ?? ''}`, `${tableName(to)}.${to.column ?? ''}`]),
      ),
    ),
  }));
}

/**
 * One page of ShowLineageBulk (Huawei, "ShowLineageBulk", invitational): pages count job nodes, a node gives one row per
 * input and output.
 */
export function bulkPage(nodes: readonly JobNode[], offset: number, limit: number): Json {
  const rows = nodes.slice(offset, offset + limit).flatMap((node) => {
    const { input_tables, output_tables } = node.body.table_lineage;
    const operator = {
      node_guid: guid(node.qualifiedName),
      node_name: node.body.node_name ?? '',
      node_type: 'Node',
      node_qualified_name: node.qualifiedName,
      workspace_id: node.workspace,
    };
    return input_tables.flatMap((source) =>
      output_tables.map((target) => ({ ...side('source', source), ...side('target', target), ...operator })),
    );
  });
  return { total: nodes.length, data: rows };
}

function side(prefix: 'source' | 'target', table: TableInfo): Record<string, Json> {
  const name = [table.catalog, table.database, table.schema, table.table].filter(Boolean).join('.');
  return {
    [`${prefix}_guid`]: guid(name),
    [`${prefix}_qualified_name`]: name,
    [`${prefix}_type`]: 'Table',
    [`${prefix}_db`]: table.database ?? '',
    [`${prefix}_schema`]: table.schema ?? '',
    [`${prefix}_table`]: table.table ?? '',
  };
}

/** `database.table`, with the schema in between when there is one. */
function tableName(table: Pick<TableInfo, 'database' | 'schema' | 'table'>): string {
  return [table.database, table.schema, table.table].filter(Boolean).join('.');
}

/** A uuid that is always the same for one name. */
function guid(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
