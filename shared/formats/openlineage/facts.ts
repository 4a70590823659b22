/** A dataset's OpenLineage identity. */
export interface DatasetId {
  readonly namespace: string;
  readonly name: string;
}

/** What to do with columns that only filter, join, group or sort: leave them out, keep their table, or keep them as not direct. */
export type Indirect = 'drop' | 'table' | 'keep';

/**
 * What one or more events say about lineage, and nothing else. Every list is a sorted set of texts and every number a maximum, so
 * that merging is commutative, associative and idempotent: order, repetition and concurrency of deliveries cannot matter.
 */
export interface Facts {
  /** Ids (`idOf`). */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** `[id, id of another name of it]` */
  readonly aliases: readonly string[];
  /** `linkOf` texts. */
  readonly links: readonly string[];
  /** Datasets whose sources the lineage facet names (perhaps as none). */
  readonly targets: readonly string[];
  /** Datasets that have a columnLineage facet which says something. */
  readonly columned: readonly string[];
  /** Datasets that the events drop. */
  readonly dropped: readonly string[];
  /** Whether there was a lineage facet on the job: then nothing is guessed from inputs and outputs. */
  readonly explicit: boolean;
  /** INDIRECT column statements that were left out, per event at most. */
  readonly indirect: number;
}

/** `facet`: lineage facet; `columns`: columnLineage facet; `to-job` and `from-job`: ends at the event's own job. */
export type Basis = 'facet' | 'columns' | 'to-job' | 'from-job';

export interface Link {
  readonly basis: Basis;
  readonly from: DatasetId | undefined;
  readonly to: DatasetId | undefined;
  readonly fromColumn: string | undefined;
  readonly toColumn: string | undefined;
  readonly direct: boolean;
}

export const NO_FACTS: Facts = {
  inputs: [],
  outputs: [],
  aliases: [],
  links: [],
  targets: [],
  columned: [],
  dropped: [],
  explicit: false,
  indirect: 0,
};

export const idOf = (dataset: DatasetId): string => JSON.stringify([dataset.namespace, dataset.name]);

export function datasetOf(id: string): DatasetId {
  const [namespace, name] = JSON.parse(id) as [string, string];
  return { namespace, name };
}

const pair = (dataset: DatasetId | undefined): readonly [string, string] => [
  dataset?.namespace ?? '',
  dataset?.name ?? '',
];

export const linkOf = (link: Link): string =>
  JSON.stringify([
    link.basis,
    ...pair(link.from),
    ...pair(link.to),
    link.fromColumn ?? null,
    link.toColumn ?? null,
    link.direct ? 1 : 0,
  ]);

export function readLink(text: string): Link {
  const [basis, fromNamespace, fromName, toNamespace, toName, fromColumn, toColumn, direct] = JSON.parse(text) as [
    Basis,
    string,
    string,
    string,
    string,
    string | null,
    string | null,
    number,
  ];
  return {
    basis,
    from: basis === 'from-job' ? undefined : { namespace: fromNamespace, name: fromName },
    to: basis === 'to-job' ? undefined : { namespace: toNamespace, name: toName },
    fromColumn: fromColumn ?? undefined,
    toColumn: toColumn ?? undefined,
    direct: direct === 1,
  };
}

/** Every dataset that facts name, sorted; not their other names. */
export function idsOf(facts: Facts): readonly string[] {
  const ids = new Set([...facts.inputs, ...facts.outputs, ...facts.targets]);
  for (const text of facts.links) {
    const { from, to } = readLink(text);
    if (from) ids.add(idOf(from));
    if (to) ids.add(idOf(to));
  }
  return [...ids].sort();
}

function union(left: readonly string[], right: readonly string[]): readonly string[] {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const all = new Set(left);
  const before = all.size;
  for (const each of right) all.add(each);
  return all.size === before ? left : [...all].sort();
}

export function mergeFacts(left: Facts, right: Facts): Facts {
  return {
    inputs: union(left.inputs, right.inputs),
    outputs: union(left.outputs, right.outputs),
    aliases: union(left.aliases, right.aliases),
    links: union(left.links, right.links),
    targets: union(left.targets, right.targets),
    columned: union(left.columned, right.columned),
    dropped: union(left.dropped, right.dropped),
    explicit: left.explicit || right.explicit,
    indirect: Math.max(left.indirect, right.indirect),
  };
}
