import { EDGE_LIMITS, type EdgeLimits, edgeRoom, inOrder } from './edge-room.ts';
import { type DatasetId, datasetOf, type Facts, type Indirect, idOf, readLink } from './facts.ts';
import { countPairs, holds, type Product } from './pairs.ts';

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

export interface Derived {
  /** No more than a manifest has room for: what it would keep of all of them. */
  readonly edges: readonly DatasetEdge[];
  /** How many there are, those that there is no room for included. */
  readonly count: number;
}

/** The edges that facts stand for, see `derive`. */
export function deriveEdges(facts: Facts, options: DeriveOptions): readonly DatasetEdge[] {
  return derive(facts, options).edges;
}

/**
 * The edges that facts stand for, in the order of precedence of OpenLineage's explicit-lineage proposal: what the lineage facet says of a
 * target; else what its columnLineage facet says; else, if there was no lineage facet at all, every input to every output. What grows with
 * the product of two lists is not written out beyond what there is room for.
 */
export function derive(facts: Facts, options: DeriveOptions, limits: EdgeLimits = EDGE_LIMITS): Derived {
  const main = mainNames(facts);
  const { linked, throughJob } = readLinks(facts, main, options);
  const sides = sidesOf(facts, main);
  const room = edgeRoom(limits);
  const edges: DatasetEdge[] = [];
  const datasets = new Map<string, DatasetId>();
  const dataset = (id: string): DatasetId => {
    const known = datasets.get(id) ?? datasetOf(id);
    datasets.set(id, known);
    return known;
  };
  let products = [throughJob, sides];
  for (const from of inOrder([...linked.keys(), ...throughJob.from, ...sides.from])) {
    if (room.full()) break;
    const own = linked.get(from);
    const of = products.filter((each) => each.from.has(from));
    let shut = false;
    for (const to of inOrder([...(own?.keys() ?? []), ...of.flatMap((each) => [...each.to])])) {
      if (from === to && !options.selfEdges) continue;
      if (!room.take(to)) {
        shut ||= of.some((each) => each.to.has(to));
        continue;
      }
      const columns = own?.get(to);
      const told = columns !== undefined || holds(throughJob, from, to);
      edges.push({
        from: dataset(from),
        to: dataset(to),
        columns: columns ? sortedColumns(columns) : [],
        guess: sides.guess && !told,
      });
    }
    // So that no source looks in vain at targets that are full, however many sources there are.
    if (shut) products = products.map((each) => ({ ...each, to: new Set([...each.to].filter(room.fits)) }));
  }
  return { edges, count: countAll(linked, throughJob, sides, options.selfEdges) };
}

type Columns = Map<string, ColumnPair>;
/** By source, then by target. */
type Linked = ReadonlyMap<string, ReadonlyMap<string, Columns>>;

/** What the facets name: edges, and what comes to and from the job itself. */
function readLinks(
  facts: Facts,
  main: (id: string) => string,
  options: DeriveOptions,
): { readonly linked: Linked; readonly throughJob: Product } {
  const linked = new Map<string, Map<string, Columns>>();
  const toJob = new Set<string>();
  const fromJob = new Set<string>();
  const targets = new Set(facts.targets.map(main));
  for (const text of facts.links) {
    const { basis, from, to, fromColumn, toColumn, direct } = readLink(text);
    if (!direct && options.indirect === 'drop') continue;
    const source = from && main(idOf(from));
    const target = to && main(idOf(to));
    if (source === undefined || target === undefined) {
      if (source !== undefined) toJob.add(source);
      if (target !== undefined) fromJob.add(target);
      continue;
    }
    if ((basis === 'columns' && targets.has(target)) || (source === target && !options.selfEdges)) continue;
    const known = linked.get(source) ?? new Map<string, Columns>();
    linked.set(source, known);
    const columns = known.get(target) ?? new Map<string, ColumnPair>();
    known.set(target, columns);
    if (fromColumn === undefined || toColumn === undefined || !(direct || options.indirect === 'keep')) continue;
    const name = JSON.stringify([fromColumn, toColumn]);
    if (columns.get(name)?.[2] !== true) columns.set(name, [fromColumn, toColumn, direct]);
  }
  return { linked, throughJob: { from: toJob, to: fromJob } };
}

/** Inputs and those outputs that no facet tells the sources of. */
function sidesOf(facts: Facts, main: (id: string) => string): Product & { readonly guess: boolean } {
  if (facts.explicit) return { from: new Set(), to: new Set(), guess: false };
  const told = new Set([...facts.columned, ...facts.targets].map(main));
  const from = new Set(facts.inputs.map(main));
  const outputs = new Set(facts.outputs.map(main));
  for (const each of facts.dropped) outputs.delete(main(each));
  const to = new Set([...outputs].filter((each) => !told.has(each)));
  return { from, to, guess: from.size > 1 && outputs.size > 1 };
}

function countAll(linked: Linked, throughJob: Product, sides: Product, selves: boolean): number {
  let count = countPairs(throughJob, sides, selves);
  for (const [from, targets] of linked) {
    for (const to of targets.keys()) if (!holds(throughJob, from, to) && !holds(sides, from, to)) count += 1;
  }
  return count;
}

function sortedColumns(columns: Columns): readonly ColumnPair[] {
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
