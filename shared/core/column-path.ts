import type { Graph } from './graph.ts';

/** One column of a dataset as a key of sets. */
export const columnKey = (dataset: string, column: string): string => JSON.stringify([dataset, column]);

/** A column edge as a key of sets. */
export const columnEdgeKey = (from: string, fromColumn: string, to: string, toColumn: string): string =>
  JSON.stringify([from, fromColumn, to, toColumn]);

export interface ColumnPath {
  /** `columnKey`s, the start included. */
  readonly columns: ReadonlySet<string>;
  /** `columnEdgeKey`s. */
  readonly edges: ReadonlySet<string>;
}

/** Everything a column comes from and everything that comes from it; not what else comes from its sources. Cycles end. */
export function columnPath(graph: Graph, dataset: string, column: string): ColumnPath {
  const into = new Map<string, { readonly other: string; readonly edge: string }[]>();
  const outOf: typeof into = new Map();
  for (const edge of graph.edges) {
    for (const pair of edge.columns ?? []) {
      const [from, to] = [columnKey(edge.from, pair.from), columnKey(edge.to, pair.to)];
      const key = columnEdgeKey(edge.from, pair.from, edge.to, pair.to);
      push(into, to, { other: from, edge: key });
      push(outOf, from, { other: to, edge: key });
    }
  }
  const start = columnKey(dataset, column);
  const columns = new Set([start]);
  const edges = new Set<string>();
  for (const steps of [into, outOf]) {
    const seen = new Set([start]);
    for (const at of seen) {
      columns.add(at);
      for (const { other, edge } of steps.get(at) ?? []) {
        edges.add(edge);
        seen.add(other);
      }
    }
  }
  return { columns, edges };
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
