import type { ColumnEdge, ColumnRef } from './edge.ts';
import type { ColumnName, ColumnsList, ColumnsMap, DatasetRef, LineageEntry, OneOrMore } from './manifest-schema.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, quoted, type Remark } from './problems.ts';

/** One side of an entry: its datasets, each once, in the order written. */
export interface Side {
  readonly refs: readonly DatasetRef[];
  /** `refKey` of each. */
  readonly keys: readonly string[];
}

/** What messages call the datasets of a side. */
export type Word = 'inputs' | 'outputs';

export function sideOf(refs: OneOrMore<DatasetRef>): Side {
  if (typeof refs === 'string') return { refs: [refs], keys: [refs] };
  const keys = new Set<string>();
  const once = listOf(refs).filter((ref) => keys.size < keys.add(refKey(ref)).size);
  return { refs: once, keys: [...keys] };
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

/** A name without a dot as a column of the only table of either side, and the edge that takes it from one to the other. */
interface Plain {
  readonly ref: ColumnRef;
  readonly through: ColumnEdge;
}

/** What has been worked out of a manifest. */
interface Known {
  readonly entries: Expanded[];
  /** By alias. */
  readonly sides: Map<string, Side>;
  readonly refs: Refs;
  readonly plain: Map<string, Plain>;
}

const expanded = new WeakMap<readonly LineageEntry[], Known>();

/** Sides and columns of an entry; worked out once, because checking a manifest and resolving it both need them. */
export function expandEntry(lineage: readonly LineageEntry[], at: number): Expanded {
  let known = expanded.get(lineage);
  if (known === undefined) {
    known = { entries: [], sides: new Map(), refs: new Map(), plain: new Map() };
    expanded.set(lineage, known);
  }
  const before = known.entries[at];
  if (before !== undefined) return before;
  const entry = lineage[at] as LineageEntry;
  const from = sideOnce(entry.from, known.sides);
  const to = sideOnce(entry.to, known.sides);
  const now = { from, to, expansion: expandColumns(entry, from, to, at, known) };
  known.entries[at] = now;
  return now;
}

/** One object for each alias that is a side by itself. */
function sideOnce(refs: OneOrMore<DatasetRef>, sides: Map<string, Side>): Side {
  if (typeof refs !== 'string') return sideOf(refs);
  let side = sides.get(refs);
  if (side === undefined) {
    side = sideOf(refs);
    sides.set(refs, side);
  }
  return side;
}

const NOTHING: Expansion = { edges: [], pairs: 0, remarks: [] };

/** Both forms of `columns` as pairs. `at` is the entry's index; time is linear in what is written. */
function expandColumns(entry: LineageEntry, from: Side, to: Side, at: number, known: Known): Expansion {
  const { columns } = entry;
  if (columns === undefined) return NOTHING;
  if (isLong(columns)) return expandList(columns, from, to, ['lineage', at], known.refs);
  const edges = from.refs.length === 1 && to.refs.length === 1 ? plainEdges(columns, known) : undefined;
  if (edges !== undefined) return { edges, pairs: edges.length, remarks: NOTHING.remarks };
  return expandMap(columns, from, to, ['lineage', at], known.refs);
}

/** What `expandMap` gives for the most common form, a source without a dot for each target without one; undefined for any other. */
function plainEdges(columns: ColumnsMap, known: Known): readonly ColumnEdge[] | undefined {
  const targets = Object.keys(columns);
  const edges = new Array<ColumnEdge>(targets.length);
  for (let at = 0; at < targets.length; at += 1) {
    const target = targets[at] as string;
    const source = columns[target];
    const to = plainColumn(target, known);
    if (to === undefined || typeof source !== 'string') return undefined;
    const from = source === target ? to : plainColumn(source, known);
    if (from === undefined) return undefined;
    edges[at] = from === to ? to.through : { from: from.ref, to: to.ref, direct: true };
  }
  return edges;
}

function plainColumn(name: string, { plain, refs }: Known): Plain | undefined {
  let column = plain.get(name);
  if (column === undefined) {
    if (name.includes('.')) return undefined;
    const ref = refOf(0, name, refs);
    column = { ref, through: { from: ref, to: ref, direct: true } };
    plain.set(name, column);
  }
  return column;
}

function expandList(columns: ColumnsList, from: Side, to: Side, path: Path, refs: Refs): Expansion {
  const remarks: Remark[] = [];
  const edges = new Map<string, ColumnEdge>();
  let pairs = 0;
  columns.forEach((item, at) => {
    const target = columnOf(item.to, to, 'outputs', refs);
    if (typeof target === 'string') tell(remarks, [...path, 'columns', at, 'to'], target);
    const { direct = true } = item;
    listOf(item.from).forEach((name, place) => {
      pairs += 1;
      const source = columnOf(name, from, 'inputs', refs);
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
    const target = columnOf(key, to, 'outputs', refs);
    if (typeof target === 'string') tell(remarks, [...path, 'columns', key], target);
    const many = Array.isArray(written);
    once &&= !many && !key.includes('.');
    const sources = listOf(written);
    for (let at = 0; at < sources.length; at += 1) {
      pairs += 1;
      const source = columnOf(sources[at] as ColumnName, from, 'inputs', refs);
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
export function columnOf(name: ColumnName, side: Side, word: Word, refs: Refs): ColumnRef | string {
  if (typeof name !== 'string') {
    const table = side.keys.indexOf(refKey(name.dataset));
    return table === -1 ? notOnSide(name.dataset, side, word) : refOf(table, name.column, refs);
  }
  const dot = name.indexOf('.');
  if (dot === -1) {
    if (side.refs.length === 1) return refOf(0, name, refs);
    return `column ${quoted(name)} does not say which of the ${side.refs.length} ${word} has it; write alias.${name}`;
  }
  const alias = name.slice(0, dot);
  const column = name.slice(dot + 1);
  if (alias === '' || column === '') return `${quoted(name)} is not \`alias.column\``;
  const table = side.keys.indexOf(alias);
  if (table !== -1) return refOf(table, column, refs);
  return `${notOnSide(alias, side, word)}. If the dot belongs to the column's name, write the long form with { dataset, column }`;
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

function notOnSide(ref: DatasetRef, side: Side, word: Word): string {
  const label = (each: DatasetRef): string => (typeof each === 'string' ? each : `${each.namespace}/${each.name}`);
  const shown = side.refs.slice(0, 5).map(label).join(', ') + (side.refs.length > 5 ? ', …' : '');
  return `${quoted(label(ref))} is not among the ${word} of this entry${shown === '' ? '' : ` (${shown})`}`;
}
