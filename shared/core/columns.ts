import type { ColumnEdge, ColumnRef } from './edge.ts';
import type { ColumnName, DatasetRef, LineageEntry, OneOrMore } from './manifest-schema.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, quoted, type Remark } from './problems.ts';

/** One side of an entry: its datasets, each once, in the order written. */
export interface Side {
  readonly refs: readonly DatasetRef[];
  /** What messages call the datasets of this side. */
  readonly word: 'inputs' | 'outputs';
  readonly index: ReadonlyMap<string, number>;
}

export function sideOf(refs: OneOrMore<DatasetRef>, word: Side['word']): Side {
  const index = new Map<string, number>();
  const once: DatasetRef[] = [];
  for (const ref of listOf(refs)) {
    const key = refKey(ref);
    if (index.has(key)) continue;
    index.set(key, once.length);
    once.push(ref);
  }
  return { refs: once, word, index };
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

/** Both forms of `columns` as pairs. `path` is the entry's; time is linear in what is written. */
export function expandColumns(entry: LineageEntry, from: Side, to: Side, path: Path): Expansion {
  const remarks: Remark[] = [];
  const edges = new Map<string, ColumnEdge>();
  let pairs = 0;

  function add(
    sources: OneOrMore<ColumnName>,
    sourcesPath: Path,
    target: ColumnRef | undefined,
    direct: boolean,
  ): void {
    const many = Array.isArray(sources);
    listOf(sources).forEach((name, at) => {
      pairs += 1;
      const source = columnOf(name, from, many ? [...sourcesPath, at] : sourcesPath, remarks);
      if (source === undefined || target === undefined) return;
      const key = `${source.table}:${source.column}\u0000${target.table}:${target.column}`;
      const known = edges.get(key);
      if (known === undefined) edges.set(key, { from: source, to: target, direct });
      else if (direct && !known.direct) edges.set(key, { ...known, direct });
    });
  }

  const columns = entry.columns ?? {};
  if (isLong(columns)) {
    columns.forEach((item, at) => {
      const itemPath = [...path, 'columns', at];
      const target = columnOf(item.to, to, [...itemPath, 'to'], remarks);
      add(item.from, [...itemPath, 'from'], target, item.direct ?? true);
    });
  } else {
    for (const [key, sources] of Object.entries(columns)) {
      const keyPath = [...path, 'columns', key];
      add(sources, keyPath, columnOf(key, to, keyPath, remarks), true);
    }
  }
  return { edges: [...edges.values()], pairs, remarks };
}

function isLong<L extends readonly unknown[]>(columns: object | L): columns is L {
  return Array.isArray(columns);
}

function columnOf(name: ColumnName, side: Side, path: Path, remarks: Remark[]): ColumnRef | undefined {
  const fail = (message: string): undefined => {
    if (remarks.length <= MAX_PROBLEMS) remarks.push({ path, message });
  };
  if (typeof name !== 'string') {
    const table = side.index.get(refKey(name.dataset));
    return table === undefined ? fail(notOnSide(name.dataset, side)) : { table, column: name.column };
  }
  const dot = name.indexOf('.');
  if (dot === -1) {
    if (side.refs.length === 1) return { table: 0, column: name };
    return fail(
      `column ${quoted(name)} does not say which of the ${side.refs.length} ${side.word} has it; write alias.${name}`,
    );
  }
  const alias = name.slice(0, dot);
  const column = name.slice(dot + 1);
  if (alias === '' || column === '') return fail(`${quoted(name)} is not \`alias.column\``);
  const table = side.index.get(alias);
  if (table !== undefined) return { table, column };
  return fail(
    `${notOnSide(alias, side)}. If the dot belongs to the column's name, write the long form with { dataset, column }`,
  );
}

function notOnSide(ref: DatasetRef, side: Side): string {
  const label = (each: DatasetRef): string => (typeof each === 'string' ? each : `${each.namespace}/${each.name}`);
  const shown = side.refs.slice(0, 5).map(label).join(', ') + (side.refs.length > 5 ? ', …' : '');
  return `${quoted(label(ref))} is not among the ${side.word} of this entry (${shown})`;
}
