import { type DatasetId, datasetOf, type Facts, type Indirect, idOf, readLink } from './facts.ts';

export interface DeriveOptions {
  readonly indirect: Indirect;
  /** Whether a dataset may feed itself (MERGE INTO). */
  readonly selfEdges: boolean;
}

/** One dataset that feeds another. `columns` are `[from, to, direct]`, sorted. */
export interface DatasetEdge {
  readonly from: DatasetId;
  readonly to: DatasetId;
  readonly columns: readonly ColumnPair[];
  /** One of several pairs of inputs and outputs that no facet tells apart. */
  readonly guess: boolean;
}

export type ColumnPair = readonly [from: string, to: string, direct: boolean];

interface Building {
  readonly from: string;
  readonly to: string;
  readonly columns: Map<string, ColumnPair>;
  guess: boolean;
}

/**
 * The edges that facts stand for, in the order of precedence of OpenLineage's explicit-lineage proposal: what the lineage facet says of a
 * target; else what its columnLineage facet says; else, if there was no lineage facet at all, every input to every output.
 */
export function deriveEdges(facts: Facts, options: DeriveOptions): readonly DatasetEdge[] {
  const edges = new Map<string, Building>();
  const main = mainNames(facts);
  const add = (from: string, to: string, column: ColumnPair | undefined, guess: boolean) => {
    const [source, target] = [main(from), main(to)];
    if (source === target && !options.selfEdges) return;
    const key = JSON.stringify([source, target]);
    const edge: Building = edges.get(key) ?? { from: source, to: target, columns: new Map(), guess };
    edges.set(key, edge);
    edge.guess &&= guess;
    if (!column) return;
    const name = JSON.stringify(column.slice(0, 2));
    if (edge.columns.get(name)?.[2] !== true) edge.columns.set(name, column);
  };

  const targets = new Set(facts.targets.map(main));
  const toJob: { id: string; direct: boolean }[] = [];
  const fromJob: { id: string; direct: boolean }[] = [];
  for (const text of facts.links) {
    const { basis, from, to, fromColumn, toColumn, direct } = readLink(text);
    if (!direct && options.indirect === 'drop') continue;
    if (from && to) {
      if (basis === 'columns' && targets.has(main(idOf(to)))) continue;
      const columns = fromColumn !== undefined && toColumn !== undefined && (direct || options.indirect === 'keep');
      add(idOf(from), idOf(to), columns ? [fromColumn, toColumn, direct] : undefined, false);
    } else if (from) toJob.push({ id: idOf(from), direct });
    else if (to) fromJob.push({ id: idOf(to), direct });
  }
  for (const source of toJob) for (const target of fromJob) add(source.id, target.id, undefined, false);

  if (!facts.explicit) {
    const told = new Set([...facts.columned, ...facts.targets].map(main));
    const inputs = new Set(facts.inputs.map(main));
    const outputs = new Set(facts.outputs.map(main));
    for (const each of facts.dropped) outputs.delete(main(each));
    const guess = inputs.size > 1 && outputs.size > 1;
    for (const to of outputs) if (!told.has(to)) for (const from of inputs) add(from, to, undefined, guess);
  }
  return [...edges.values()]
    .map(({ from, to, columns, guess }) => ({
      from: datasetOf(from),
      to: datasetOf(to),
      columns: sortedColumns(columns),
      guess,
    }))
    .sort((a, b) => compare(idOf(a.from), idOf(b.from)) || compare(idOf(a.to), idOf(b.to)));
}

function sortedColumns(columns: ReadonlyMap<string, ColumnPair>): readonly ColumnPair[] {
  return [...columns].sort(([a], [b]) => compare(a, b)).map(([, column]) => column);
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A facet may name an input by one of its other names; it is then the dataset of the lists. */
function mainNames(facts: Facts): (id: string) => string {
  const own = new Set([...facts.inputs, ...facts.outputs, ...facts.targets]);
  const names = new Map<string, string>();
  for (const text of facts.aliases) {
    const [id, other] = JSON.parse(text) as [string, string];
    if (!own.has(other) && !names.has(other)) names.set(other, id);
  }
  return (id) => names.get(id) ?? id;
}
