import { createHash } from 'node:crypto';
import { mergeOptions } from '../../core/claims.ts';
import { type Dataset, identity } from '../../core/dataset.ts';
import type { ColumnEdge, Entry } from '../../core/edge.ts';
import type { JsonObject } from '../../core/json.ts';
import { append } from '../../core/large-lists.ts';
import { unitId } from '../../core/unit-id.ts';
import type { Mapping, MappingInput, Unit, UnitTable, Unresolved } from '../vendor.ts';
import type { DatasetBlock, EntryBlock } from './blocks.ts';
import { readEntry, tableBlock } from './entry.ts';
import { groupCount, MAX_COLUMNS_PER_GROUP, MAX_GROUPS, MAX_TABLES, type NodeSpec, type TableSpec } from './wire.ts';

/** A changed name alone is not worth a second node: DataArts cannot delete the first. */
export const QUIET_OPTIONS = ['nodeName'] as const;

const MAX_PARTS = 65_536;
const MAX_NAME = 64;

interface Table {
  readonly spec: TableSpec;
  readonly table: UnitTable;
}

interface Node {
  readonly inputs: readonly Table[];
  readonly outputs: readonly Table[];
  readonly identity: readonly string[];
  readonly workspaceId: string;
  readonly jobId: string | undefined;
  readonly columns: Map<string, ColumnEdge>;
  readonly options: JsonObject[];
  readonly paths: string[];
}

/**
 * One unit per job node: deployment, account, workspace, job (the given jobId, else the manifest's job, else none), inputs
 * and outputs. Entries that say the same node share it. More than 100 column groups become 2, 4, 8 … units, the columns
 * spread by a hash of the output column, so that adding one column moves no other.
 */
export function units(input: MappingInput): Mapping {
  const nodes = new Map<string, Node>();
  const unresolved: Unresolved[] = [];
  for (const entry of input.entries) {
    const read = readEntry(entry);
    const without = [...entry.from, ...entry.to].filter((dataset) => tableBlock(dataset) === undefined);
    const missing = [...new Set(without.map(labelOf))];
    const reason = 'problem' in read ? read.problem : missing.length > 0 ? nameless(missing) : undefined;
    if (reason !== undefined || 'problem' in read) {
      append(unresolved, pairsOf(entry, reason ?? ''));
      continue;
    }
    addEntry(entry, read.options, input, nodes);
  }
  return { units: [...nodes.values()].flatMap((node) => unitsOf(node, input, unresolved)), unresolved };
}

/** It stands at each pair of the entry, of which there may be thousands. */
const MOST_NAMED = 5;

function nameless(labels: readonly string[]): string {
  const named = labels.slice(0, MOST_NAMED).join(', ');
  const more = labels.length > MOST_NAMED ? ` and ${labels.length - MOST_NAMED} more` : '';
  const what = labels.length === 1 ? 'has no name at DataArts; give it' : 'have no names at DataArts; give each';
  return `${named}${more} ${what} a dataarts block with a table, or a naming rule`;
}

function addEntry(entry: Entry, options: EntryBlock, input: MappingInput, nodes: Map<string, Node>): void {
  const { jobId, workspaceId = String(input.secret['workspace_id'] ?? ''), ...rest } = options;
  const from = sortedTables(entry.from);
  const to = sortedTables(entry.to);
  const job = jobId !== undefined ? ['id', jobId] : input.job ? ['job', input.job.namespace, input.job.name] : ['none'];
  const names = (tables: readonly Table[]) => JSON.stringify(tables.map(({ spec }) => tableKey(spec)));
  const parts = [
    'dataarts',
    input.deployment,
    input.account,
    workspaceId,
    JSON.stringify(job),
    names(from.tables),
    names(to.tables),
  ];
  const key = JSON.stringify(parts);
  const node: Node = nodes.get(key) ?? {
    inputs: from.tables,
    outputs: to.tables,
    identity: parts,
    workspaceId,
    jobId,
    columns: new Map(),
    options: [],
    paths: [],
  };
  nodes.set(key, node);
  if (!node.paths.includes(entry.path)) node.paths.push(entry.path);
  node.options.push(rest as JsonObject);
  for (const edge of entry.columns) {
    const moved = {
      from: { table: from.place[edge.from.table] ?? 0, column: edge.from.column },
      to: { table: to.place[edge.to.table] ?? 0, column: edge.to.column },
      // Not expressible at DataArts: without this, a change of it would look like a change of the node.
      direct: true,
    };
    node.columns.set(JSON.stringify([moved.from, moved.to]), moved);
  }
}

function unitsOf(node: Node, input: MappingInput, unresolved: Unresolved[]): Unit[] {
  if (node.inputs.length > MAX_TABLES || node.outputs.length > MAX_TABLES) {
    const reason = `a DataArts node takes at most ${MAX_TABLES} tables a side; split the entry`;
    for (const path of node.paths) unresolved.push({ path, from: label(node.inputs), to: label(node.outputs), reason });
    return [];
  }
  const all = withoutGiants([...node.columns.values()], node, unresolved);
  const { options, conflicts } = mergeOptions(node.options);
  const parts = partition(all, node);
  return parts.map(({ columns, part }) => {
    const id = unitId(part === undefined ? node.identity : [...node.identity, `part ${part[0]} of ${part[1]}`]);
    const spec: NodeSpec = {
      workspaceId: node.workspaceId,
      jobId: node.jobId ?? `lf-${input.deployment}-${id}`,
      nodeName: input.job?.name || shortened(node.outputs[0]?.table.name ?? 'lineage'),
      inputs: node.inputs.map((table) => table.spec),
      outputs: node.outputs.map((table) => table.spec),
      ...(part === undefined ? {} : { part: [...part] as [number, number] }),
    };
    const warnings = conflicts.map((option) => ({
      path: node.paths[0] ?? '',
      message: `entries of the same DataArts node differ in ${option}; the first one counts`,
    }));
    return {
      id,
      from: node.inputs.map((each) => each.table),
      to: node.outputs.map((each) => each.table),
      spec: spec as unknown as JsonObject,
      columns,
      options,
      quietOptions: QUIET_OPTIONS,
      paths: node.paths,
      ...(warnings.length > 0 ? { warnings } : {}),
    };
  });
}

interface Part {
  readonly columns: readonly ColumnEdge[];
  readonly part?: readonly [number, number];
}

/** The fewest parts, a power of two, of which none needs more than 100 groups. */
function partition(columns: readonly ColumnEdge[], node: Node): readonly Part[] {
  if (groupCount(columns) <= MAX_GROUPS) return [{ columns }];
  const hashes = new Map(columns.map((edge) => [edge, outputHash(edge, node)]));
  for (let count = 2; count <= MAX_PARTS; count *= 2) {
    const parts: ColumnEdge[][] = Array.from({ length: count }, () => []);
    for (const [edge, hash] of hashes) parts[hash % count]?.push(edge);
    if (parts.every((part) => groupCount(part) <= MAX_GROUPS)) {
      return parts.flatMap((part, at) =>
        part.length === 0 ? [] : [{ columns: part, part: [at + 1, count] as const }],
      );
    }
  }
  return [{ columns: [] }];
}

function outputHash({ to }: ColumnEdge, node: Node): number {
  const table = node.outputs[to.table];
  const key = JSON.stringify([table === undefined ? [] : tableKey(table.spec), to.column]);
  return createHash('sha256').update(key).digest().readUInt32BE(0);
}

/** One output column with more sources than fit into one call cannot be said at all. */
function withoutGiants(columns: readonly ColumnEdge[], node: Node, unresolved: Unresolved[]): readonly ColumnEdge[] {
  const limit = MAX_GROUPS * MAX_COLUMNS_PER_GROUP;
  if (columns.length <= limit) return columns;
  const groups = Map.groupBy(columns, ({ to }) => JSON.stringify([to.table, to.column]));
  const kept: ColumnEdge[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (group.length <= limit || first === undefined) append(kept, group);
    else {
      unresolved.push({
        path: node.paths[0] ?? '',
        from: `${group.length} columns`,
        to: `${node.outputs[first.to.table]?.table.name}.${first.to.column}`,
        reason: `DataArts takes at most ${limit} source columns of one column; the table edge is registered without them`,
      });
    }
  }
  return kept;
}

/** Tables once each, in the order of their names, and where each dataset of the entry went. */
function sortedTables(datasets: readonly Dataset[]): {
  readonly tables: readonly Table[];
  readonly place: readonly number[];
} {
  const byKey = new Map<string, Table>();
  const keys = datasets.map((dataset) => {
    const spec = specOf(tableBlock(dataset));
    const key = JSON.stringify(tableKey(spec));
    const known = identity(dataset) ?? byKey.get(key)?.table.dataset;
    const same = dataset.same ?? byKey.get(key)?.table.same;
    const table = {
      name: nameOf(spec),
      ...(known === undefined ? {} : { dataset: known }),
      ...(known !== undefined || same === undefined ? {} : { same }),
    };
    byKey.set(key, { spec, table });
    return key;
  });
  const order = [...byKey.keys()].sort();
  return { tables: order.flatMap((key) => byKey.get(key) ?? []), place: keys.map((key) => order.indexOf(key)) };
}

/** A dataset block as its tables are called in graphs and status documents. */
export function nameOfBlock(block: JsonObject): string | undefined {
  const known = tableBlock({ vendors: { dataarts: block } });
  return known && nameOf(specOf(known));
}

/** A dataset block as nothing but what says which table it is. */
export function tablesOf(block: JsonObject): readonly JsonObject[] {
  const known = tableBlock({ vendors: { dataarts: block } });
  if (known === undefined) return [];
  const { catalog, database, schema, table } = specOf(known);
  const named = Object.entries({ catalog, database, schema, table }).filter(
    ([, part]) => part !== undefined && part !== '',
  );
  return [Object.fromEntries(named) as JsonObject];
}

/** Of three parts the first may be a catalog or a database. */
export function blockOf(name: string): JsonObject | undefined {
  const parts = name.split('.');
  if (parts.length === 3 || parts.length > 4 || parts.some((part) => part === '')) return undefined;
  const [table = '', second, third, fourth] = parts.toReversed();
  return {
    ...(fourth === undefined ? {} : { catalog: fourth }),
    ...(parts.length === 4 ? { database: third ?? '', schema: second ?? '' } : {}),
    ...(parts.length === 2 ? { database: second ?? '' } : {}),
    table,
  };
}

function specOf(block: DatasetBlock | undefined): TableSpec {
  return {
    ...(block?.catalog === undefined ? {} : { catalog: block.catalog }),
    ...(block?.database === undefined ? {} : { database: block.database }),
    schema: block?.schema ?? '',
    table: block?.table ?? '',
  };
}

function tableKey(spec: TableSpec): readonly string[] {
  return [spec.catalog ?? '', spec.database ?? '', spec.schema, spec.table];
}

function nameOf(spec: TableSpec): string {
  return tableKey(spec)
    .filter((part) => part !== '')
    .join('.');
}

/** The end of a name says more than its beginning. */
function shortened(name: string): string {
  return name.length > MAX_NAME ? `…${name.slice(1 - MAX_NAME)}` : name;
}

function pairsOf(entry: Entry, reason: string): Unresolved[] {
  return entry.from.flatMap((from) =>
    entry.to.map((to) => ({ path: entry.path, from: labelOf(from), to: labelOf(to), reason })),
  );
}

function label(tables: readonly Table[]): string {
  return tables.length === 1 ? (tables[0]?.table.name ?? '') : `${tables.length} tables`;
}

function labelOf(dataset: Dataset): string {
  return identity(dataset) ?? dataset.alias ?? '(unnamed)';
}
