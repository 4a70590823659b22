import type { ColumnEdge, ColumnRef } from './edge.ts';
import type { ColumnName, ColumnsList, ColumnsMap, DatasetRef, LineageEntry, OneOrMore } from './manifest-schema.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, quoted, type Remark } from './problems.ts';

/** One side of an entry: its datasets, each once, in the order written. */
export interface Side {
  readonly refs: readonly DatasetRef[];
  /** `refKey` of each. */
  readonly keys: readonly string[];
  /** What messages call the datasets of this side. */
  readonly word: 'inputs' | 'outputs';
}

export function sideOf(refs: OneOrMore<DatasetRef>, word: Side['word']): Side {
  if (typeof refs === 'string') return { refs: [refs], keys: [refs], word };
  const keys = new Set<string>();
  const once = listOf(refs).filter((ref) => keys.size < keys.add(refKey(ref)).size);
  return { refs: once, keys: [...keys], word };
}

/** Equal for references to the same alias, or to the same namespace and name. */
export function refKey(ref: DatasetRef): string {
  return typeof ref === 'string' ? ref : `${ref.namespace}\u0000${ref.name}`;
}

export function listOf<T>(value: OneOrMore<T>): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

export interface Expansion {
  /** Each pair of columns once; direct if any mention is. */
  readonly edges: readonly ColumnEdge[];
  /** Pairs as written, repetitions included. */
  readonly pairs: number;
  readonly remarks: readonly Remark[];
}

/** An entry's sides and columns, looked up. */
export interface Expanded {
  readonly from: Side;
  readonly to: Side;
  readonly expansion: Expansion;
}

/** One object for each column of a side's table, because the same names come again and again. */
type Refs = Map<string, ColumnRef>;

const expanded = new WeakMap<readonly LineageEntry[], { readonly entries: Expanded[]; readonly refs: Refs }>();

/** Sides and columns of an entry; worked out once, because checking a manifest and resolving it both need them. */
export function expandEntry(lineage: readonly LineageEntry[], at: number): Expanded {
  let known = expanded.get(lineage);
  if (known === undefined) {
    known = { entries: [], refs: new Map() };
    expanded.set(lineage, known);
  }
  const before = known.entries[at];
  if (before !== undefined) return before;
  const entry = lineage[at] as LineageEntry;
  const from = sideOf(entry.from, 'inputs');
  const to = sideOf(entry.to, 'outputs');
  const now = { from, to, expansion: expandColumns(entry, from, to, ['lineage', at], known.refs) };
  known.entries[at] = now;
  return now;
}

/** Both forms of `columns` as pairs. `path` is the entry's; time is linear in what is written. */
function expandColumns(entry: LineageEntry, from: Side, to: Side, path: Path, refs: Refs): Expansion {
  const columns = entry.columns ?? {};
  return isLong(columns) ? expandList(columns, from, to, path, refs) : expandMap(columns, from, to, path, refs);
}

function expandList(columns: ColumnsList, from: Side, to: Side, path: Path, refs: Refs): Expansion {
  const remarks: Remark[] = [];
  const edges = new Map<string, ColumnEdge>();
  let pairs = 0;
  columns.forEach((item, at) => {
    const target = columnOf(item.to, to, refs);
    if (typeof target === 'string') tell(remarks, [...path, 'columns', at, 'to'], target);
    const { direct = true } = item;
    listOf(item.from).forEach((name, place) => {
      pairs += 1;
      const source = columnOf(name, from, refs);
      const listed = Array.isArray(item.from) ? [place] : [];
      if (typeof source === 'string') tell(remarks, [...path, 'columns', at, 'from', ...listed], source);
      else if (typeof target !== 'string') put(edges, { from: source, to: target, direct });
    });
  });
  return { edges: [...edges.values()], pairs, remarks };
}

function expandMap(columns: ColumnsMap, from: Side, to: Side, path: Path, refs: Refs): Expansion {
  const remarks: Remark[] = [];
  const edges: ColumnEdge[] = [];
  let pairs = 0;
  // Without a dot each key is another column, so that nothing can come twice.
  let once = true;
  for (const key of Object.keys(columns)) {
    const written = columns[key] as OneOrMore<ColumnName>;
    const target = columnOf(key, to, refs);
    if (typeof target === 'string') tell(remarks, [...path, 'columns', key], target);
    const many = Array.isArray(written);
    once &&= !many && !key.includes('.');
    const sources = listOf(written);
    for (let at = 0; at < sources.length; at += 1) {
      pairs += 1;
      const source = columnOf(sources[at] as ColumnName, from, refs);
      if (typeof source === 'string') tell(remarks, [...path, 'columns', key, ...(many ? [at] : [])], source);
      else if (typeof target !== 'string') edges.push({ from: source, to: target, direct: true });
    }
  }
  if (once) return { edges, pairs, remarks };
  const different = new Map<string, ColumnEdge>();
  for (const edge of edges) put(different, edge);
  return { edges: [...different.values()], pairs, remarks };
}

/** Each pair of columns once; direct if any mention is. */
export function put(edges: Map<string, ColumnEdge>, edge: ColumnEdge): void {
  const key = `${edge.from.table}:${edge.from.column}\u0000${edge.to.table}:${edge.to.column}`;
  if (edges.get(key)?.direct !== true) edges.set(key, edge);
}

function tell(remarks: Remark[], path: Path, message: string): void {
  if (remarks.length <= MAX_PROBLEMS) remarks.push({ path, message });
}

function isLong<L extends readonly unknown[]>(columns: object | L): columns is L {
  return Array.isArray(columns);
}

/** Where a column is, or what is wrong with its name. */
function columnOf(name: ColumnName, side: Side, refs: Refs): ColumnRef | string {
  if (typeof name !== 'string') {
    const table = side.keys.indexOf(refKey(name.dataset));
    return table === -1 ? notOnSide(name.dataset, side) : refOf(table, name.column, refs);
  }
  const dot = name.indexOf('.');
  if (dot === -1) {
    if (side.refs.length === 1) return refOf(0, name, refs);
    return `column ${quoted(name)} does not say which of the ${side.refs.length} ${side.word} has it; write alias.${name}`;
  }
  const alias = name.slice(0, dot);
  const column = name.slice(dot + 1);
  if (alias === '' || column === '') return `${quoted(name)} is not \`alias.column\``;
  const table = side.keys.indexOf(alias);
  if (table !== -1) return refOf(table, column, refs);
  return `${notOnSide(alias, side)}. If the dot belongs to the column's name, write the long form with { dataset, column }`;
}

function refOf(table: number, column: string, refs: Refs): ColumnRef {
  const key = table === 0 ? column : `${column}\u0000${table}`;
  let ref = refs.get(key);
  if (ref === undefined) {
    ref = { table, column };
    refs.set(key, ref);
  }
  return ref;
}

function notOnSide(ref: DatasetRef, side: Side): string {
  const label = (each: DatasetRef): string => (typeof each === 'string' ? each : `${each.namespace}/${each.name}`);
  const shown = side.refs.slice(0, 5).map(label).join(', ') + (side.refs.length > 5 ? ', …' : '');
  return `${quoted(label(ref))} is not among the ${side.word} of this entry (${shown})`;
}
