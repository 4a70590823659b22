/** One end of a lineage: what it is called, and the key under which it is the same as another. */
export interface End {
  readonly key: string;
  /** The GUID, or `catalog.schema.name`. */
  readonly label: string;
  readonly guid?: string;
  readonly name: string;
  /** `DEV` or `PROD`, when it was said. */
  readonly env?: string;
}

export type Column = readonly [from: string, to: string, direct: boolean];

/** A table pair that was registered through OpenAPI, with its column pairs. */
export interface Pair {
  readonly source: End;
  readonly target: End;
  readonly columns: ReadonlyMap<string, Column>;
  readonly relationProperties: Readonly<Record<string, unknown>>;
}

export type LineageEvent =
  | {
      readonly kind: 'put';
      readonly source: End;
      readonly target: End;
      readonly columns: readonly Column[];
      readonly relationProperties?: Readonly<Record<string, unknown>> | undefined;
      /** Whether the columns replace those held, instead of joining them. */
      readonly replace?: true | undefined;
    }
  | { readonly kind: 'cut'; readonly source: End; readonly target: End; readonly columns: readonly Column[] }
  | { readonly kind: 'drop'; readonly source: End; readonly target: End };

export interface Lineage {
  find(source: End, target: End): Pair | undefined;
  apply(event: LineageEvent): void;
  pairs(): Iterable<Pair>;
  /** Pairs whose target has this GUID. */
  upstream(guid: string): Iterable<Pair>;
  /** Pairs whose source has this GUID. */
  downstream(guid: string): Iterable<Pair>;
}

export function columnKey([from, to]: Column): string {
  return JSON.stringify([from, to]);
}

interface Held extends Pair {
  readonly columns: Map<string, Column>;
  relationProperties: Record<string, unknown>;
}

/** Registered lineage as a fold over its events, indexed by pair and by the GUID of either end. */
export function emptyLineage(): Lineage {
  const held = new Map<string, Held>();
  const bySource = new Map<string, Set<Pair>>();
  const byTarget = new Map<string, Set<Pair>>();
  const keyOf = (source: End, target: End) => `${source.key}\n${target.key}`;

  function put(event: LineageEvent & { kind: 'put' }): void {
    const key = keyOf(event.source, event.target);
    let pair = held.get(key);
    if (pair === undefined) {
      pair = { source: event.source, target: event.target, columns: new Map(), relationProperties: {} };
      held.set(key, pair);
      index(bySource, event.source.guid, pair);
      index(byTarget, event.target.guid, pair);
    }
    if (event.replace === true) pair.columns.clear();
    for (const column of event.columns) pair.columns.set(columnKey(column), column);
    pair.relationProperties = { ...pair.relationProperties, ...event.relationProperties };
  }

  return {
    find: (source, target) => held.get(keyOf(source, target)),
    apply(event) {
      if (event.kind === 'put') return put(event);
      const key = keyOf(event.source, event.target);
      const pair = held.get(key);
      if (pair === undefined) return;
      if (event.kind === 'cut') {
        for (const column of event.columns) pair.columns.delete(columnKey(column));
        return;
      }
      held.delete(key);
      if (pair.source.guid !== undefined) bySource.get(pair.source.guid)?.delete(pair);
      if (pair.target.guid !== undefined) byTarget.get(pair.target.guid)?.delete(pair);
    },
    pairs: () => held.values(),
    upstream: (guid) => byTarget.get(guid) ?? [],
    downstream: (guid) => bySource.get(guid) ?? [],
  };
}

function index(pairs: Map<string, Set<Pair>>, guid: string | undefined, pair: Pair): void {
  if (guid === undefined) return;
  const set = pairs.get(guid);
  if (set === undefined) pairs.set(guid, new Set([pair]));
  else set.add(pair);
}
