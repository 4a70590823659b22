import * as z from 'zod';
import type { Graph } from '../../core/graph.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { by } from '../../core/order.ts';
import type { LineageQuery, VendorLineage } from '../vendor.ts';

/**
 * Pure: GetLineageInfo as it is asked of us, and a graph in the shape of its answer (Alibaba, "GetLineageInfo", updated Mar 31 2026;
 * "GetLineageInfoParams", Jan 07 2026).
 */
export { API_VERSION } from './wire.ts';

/** How far an answer may reach; what the vendor allows is not documented. */
export const MAX_DEPTH = 50;

const direction = z.lazy(() =>
  z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['upstream', 'downstream', 'both'], 'direction is UPSTREAM, DOWNSTREAM or BOTH')),
);
const idType = z.lazy(() =>
  z
    .string()
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['job', 'table'], 'idType is JOB or TABLE')),
);
const text = z.string().max(4_000);

const paramsSchema = z.lazy(() =>
  z.looseObject({
    id: text.trim().min(1, 'id is required'),
    idType,
    direction: direction.nullish(),
    depth: z
      .int('depth is a whole number')
      .min(1, 'depth is at least 1')
      .max(MAX_DEPTH, `depth is at most ${MAX_DEPTH}`)
      .nullish(),
    isColumnLevel: z.boolean().nullish(),
    isTemporary: z.boolean().nullish(),
    namespace: text.nullish(),
    workspace: text.nullish(),
  }),
);

/** What is asked; defaults as a caller would expect them, because the page gives none. */
export interface Question {
  readonly id: string;
  readonly idType: 'job' | 'table';
  readonly direction: LineageQuery['direction'];
  readonly depth: number;
  readonly level: 'table' | 'column';
  readonly temporary: boolean;
  readonly namespace?: string;
  readonly workspace: string;
}

export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** The question of a body, or what is wrong with it. `workspace` is the header's. */
export function readQuestion(body: unknown, workspace: string): Question | { readonly problem: Problem } {
  const parsed = paramsSchema.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = String(issue?.path[0] ?? 'body');
    return { problem: { code: 'InvalidParameter', message: `${field}: ${issue?.message ?? 'not valid'}` } };
  }
  const { id, namespace, ...rest } = parsed.data;
  const inside = rest.workspace ?? '';
  if (workspace === '' && inside === '')
    return { problem: { code: 'MissingWorkspace', message: 'workspace is required' } };
  if (workspace !== '' && inside !== '' && workspace !== inside) {
    const message = 'the workspace of the body is not the one of the header';
    return { problem: { code: 'InvalidWorkspace', message } };
  }
  return {
    id,
    idType: rest.idType,
    direction: rest.direction ?? 'both',
    depth: rest.depth ?? 1,
    level: rest.isColumnLevel === true ? 'column' : 'table',
    temporary: rest.isTemporary === true,
    ...(namespace ? { namespace } : {}),
    workspace: workspace || inside,
  };
}

/** Ids that are always the same for the same thing, and say what it is, so that nobody has to remember them. */
const write = (kind: string, value: Json) =>
  `${kind}-${Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')}`;
export const tableId = (name: string): string => write('t', name);
export const jobId = (owner: string): string => write('j', owner);

/** The name behind an id of ours; undefined for anything else. */
export function nameOfId(kind: 't' | 'j', id: string): string | undefined {
  const [, encoded] = /^[tj]-([A-Za-z0-9_-]+)$/.exec(id) ?? [];
  if (encoded === undefined || !id.startsWith(kind)) return undefined;
  const name = Buffer.from(encoded, 'base64url').toString('utf8');
  return write(kind, name) === id ? name : undefined;
}

/** A graph as LineageInfo: datasets as tables of nodes, one relation per edge and manifest that declares it. */
export function lineageInfoOf(graph: Graph, level: 'table' | 'column'): JsonObject {
  const columns = new Map<string, Set<string>>();
  const addColumn = (table: string, column: string) =>
    columns.set(table, (columns.get(table) ?? new Set()).add(column));
  const tableLineage: JsonObject[] = [];
  const columnLineage: JsonObject[] = [];
  const jobs = new Map<string, JsonObject>();
  for (const edge of graph.edges) {
    const owners = edge.declaredBy.length === 0 ? [''] : edge.declaredBy;
    for (const owner of owners) {
      const job = owner === '' ? '' : jobId(owner);
      const named = owners.length === 1 && edge.jobs?.length === 1 ? { job: edge.jobs[0] ?? '' } : {};
      if (job !== '') jobs.set(job, { id: job, properties: { declaredBy: owner, ...named } });
      tableLineage.push({ source: tableId(edge.from), destination: tableId(edge.to), jobId: job });
      for (const { from, to } of level === 'column' ? (edge.columns ?? []) : []) {
        addColumn(edge.from, from);
        addColumn(edge.to, to);
        columnLineage.push({ source: columnId(edge.from, from), destination: columnId(edge.to, to), jobId: job });
      }
    }
  }
  const nodes = new Map<string, { readonly node: JsonObject; readonly tables: JsonObject[] }>();
  for (const { id, names } of graph.nodes) {
    const { table, ...place } = placeOf(id);
    const key = write('n', [place.connector, place.catalogName, place.databaseName]);
    const known = nodes.get(key) ?? { node: { id: key, ...place, isTemporary: false }, tables: [] };
    nodes.set(key, known);
    known.tables.push({
      id: tableId(id),
      tableName: table,
      with: {},
      properties: { name: id, ...(names.length === 0 ? {} : { names }) },
      columns: [...(columns.get(id) ?? [])].sort().map((name) => columnOf(id, name)),
    });
  }
  return {
    nodes: [...nodes.values()].map(({ node, tables }) => ({ ...node, tables })),
    edges: { tableLineage, columnLineage },
    jobInfos: [...jobs.values()].sort(by((job) => String(job['id']))),
  };
}

function columnId(table: string, column: string): string {
  return write('c', [table, column]);
}

/** What nobody told us of a column is empty. */
function columnOf(table: string, columnName: string): JsonObject {
  return {
    id: columnId(table, columnName),
    columnName,
    columnType: '',
    columnNativeType: '',
    nullable: true,
    description: '',
    createdAt: 0,
    modifiedAt: 0,
    creator: '',
    modifier: '',
  };
}

/** `vendor:a.b.c` or `scheme://place/a.b.c` as catalog, database and table. */
function placeOf(id: string) {
  const [, vendor, own] = /^(dataphin|dataarts|flink):(?!\/\/)(.+)$/s.exec(id) ?? [];
  if (vendor !== undefined && own !== undefined) {
    const parts = own.split('.');
    const table = parts.pop() ?? own;
    const databaseName = parts.pop() ?? '';
    return { catalogName: parts.join('.') || vendor, databaseName, connector: vendor, table };
  }
  const [, namespace = '', name = id] = /^([a-z][a-z0-9+.-]*:\/\/[^/]*|[^/]+)\/(.+)$/is.exec(id) ?? [];
  const dot = name.lastIndexOf('.');
  return {
    catalogName: namespace,
    databaseName: dot < 0 ? '' : name.slice(0, dot),
    connector: /^([a-z][a-z0-9+.-]*):\/\//i.exec(namespace)?.[1] ?? '',
    table: dot < 0 ? name : name.slice(dot + 1),
  };
}

/** What the real Flink told, in the shape in which it told it; private values stay masked. */
export function lineageInfoOfVendor({ tables, edges, jobs }: VendorLineage, level: 'table' | 'column'): JsonObject {
  const nodes = new Map<string, { readonly node: JsonObject; readonly tables: JsonObject[] }>();
  for (const { details } of tables) {
    const { node, ...table } = (details ?? {}) as { node?: JsonObject };
    if (node === undefined) continue;
    const key = JSON.stringify(node);
    const known = nodes.get(key) ?? { node, tables: [] };
    nodes.set(key, known);
    if (Object.keys(table).length > 0) known.tables.push(table as JsonObject);
  }
  const end = (at: number) => String(tables[at]?.details?.['id'] ?? tables[at]?.name ?? '');
  const columnEnd = (at: number, column: string) => {
    const listed = (tables[at]?.details?.['columns'] ?? []) as readonly JsonObject[];
    const found = listed.find((each) => each['columnName'] === column);
    return String(found?.['id'] ?? `${end(at)}.${column}`);
  };
  const tableLineage: JsonObject[] = [];
  const columnLineage: JsonObject[] = [];
  for (const { from, to, jobs: by, columns } of edges) {
    for (const job of by.length === 0 ? [''] : by) {
      tableLineage.push({ source: end(from), destination: end(to), jobId: job });
      for (const pair of level === 'column' ? columns : []) {
        columnLineage.push({ source: columnEnd(from, pair.from), destination: columnEnd(to, pair.to), jobId: job });
      }
    }
  }
  return {
    nodes: [...nodes.values()].map(({ node, tables: own }) => ({ ...node, tables: own })),
    edges: { tableLineage, columnLineage },
    jobInfos: jobs.map(({ id, details }) => ({ ...details, id })),
  };
}

/** The answer of GetLineageInfo, which is HTTP 200 whatever it says. */
export function envelope(
  requestId: string,
  said: { readonly data: JsonObject } | { readonly problem: Problem },
): JsonObject {
  const failed = 'problem' in said;
  return {
    requestId,
    success: !failed,
    httpCode: 200,
    errorCode: failed ? said.problem.code : '',
    errorMessage: failed ? said.problem.message : '',
    data: failed ? null : said.data,
  };
}
