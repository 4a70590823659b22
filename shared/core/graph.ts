import { columnsOf, wish } from './claims.ts';
import { type EdgeAtTarget, edgeAtTarget, type HeldHere, type Outcome } from './edge-outcome.ts';
import { NONE } from './mask.ts';
import { by } from './order.ts';
import type { ColumnPair } from './plan-document.ts';
import { groupNames, type NameGroups } from './same-names.ts';
import type { UnitState, UnitTable } from './unit-state.ts';

export type { EdgeAtTarget, Mark, Outcome } from './edge-outcome.ts';
export type { ColumnPair } from './plan-document.ts';

/** Lineage as people ask for it: datasets and the edges between them, whatever units and vendors they came from. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  /** `namespace/name`, else `vendor:name`. */
  readonly id: string;
  /** Names at the vendors, e.g. `dataphin:odps.1.p.t`, and further identities of the same table. */
  readonly names: readonly string[];
  /** Edges of this dataset that were left out, because the answer ends here. */
  readonly more?: More;
}

/** How many edges go on where the answer ends. */
export interface More {
  readonly upstream: number;
  readonly downstream: number;
  /** Counting stopped: there are at least so many. */
  readonly atLeast?: true;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** Owners (manifests) that declare it. */
  readonly declaredBy: readonly string[];
  /** `namespace/name` of the jobs that its manifests name; live, the vendor's job ids. */
  readonly jobs?: readonly string[];
  readonly targets: readonly EdgeAtTarget[];
  /** First registered at any target. */
  readonly registeredAt?: string;
  /** Last change at any target. */
  readonly changedAt?: string;
  readonly columns?: readonly GraphColumn[];
  /** Where vendors were compared with the ledger: how the edge stands at each of them. */
  readonly compared?: readonly ComparedAt[];
}

/** One edge at one target, in the ledger and at the vendor itself. */
export interface ComparedAt {
  readonly target: string;
  /** As the ledger knows it; null: nothing is declared there. */
  readonly ledger: Outcome | null;
  /** Whether the vendor shows it, asked just now; null: it could not be asked. */
  readonly shown: boolean | null;
  /**
   * `same`: registered and shown. `missing`: registered, not shown. `extra`: shown, not declared. `absent`: neither, but another has
   * it. `waiting`: declared, not registered yet, not shown. `unread`: the vendor could not be asked.
   */
  readonly verdict: 'same' | 'missing' | 'extra' | 'absent' | 'waiting' | 'unread';
  /** Column pairs, where both have the edge and the vendor tells columns. */
  readonly columns?: { readonly missing: readonly ColumnPair[]; readonly extra: readonly ColumnPair[] };
}

export interface GraphColumn {
  readonly from: string;
  readonly to: string;
  readonly direct: boolean;
}

export interface GraphOptions {
  readonly columns: boolean;
  /** Job of an owner, `namespace/name`. */
  readonly jobs?: ReadonlyMap<string, string>;
  /** Units that only tell which names stand for one table. */
  readonly names?: readonly UnitState[];
  /** Which pairs of a unit's tables to show, by their positions; all by default. */
  readonly keeps?: (unit: UnitState, from: number, to: number) => boolean;
  /** Held withdrawals, by unit id. */
  readonly held?: ReadonlyMap<string, HeldHere>;
}

export function nodeId(table: UnitTable, vendor: string): string {
  return table.dataset ?? `${vendor}:${table.name}`;
}

/** Every name a table goes by: its identity first, if it has one. */
export function namesOf(table: UnitTable, vendor: string): string[] {
  const own = `${vendor}:${table.name}`;
  const { dataset, same } = table;
  return [...(dataset === undefined ? [] : [dataset]), ...(same === undefined || same === own ? [] : [same]), own];
}

interface Building {
  readonly from: string;
  readonly to: string;
  readonly owners: Set<string>;
  readonly targets: EdgeAtTarget[];
  readonly columns: Map<string, GraphColumn>;
}

/** Names that stand for one table, over all tables of the units: what shares a name, or is given as the same, is one. */
export function nameGroups(units: readonly UnitState[]): NameGroups {
  const identities = new Set<string>();
  const primaries = new Set<string>();
  const sets: string[][] = [];
  for (const unit of units) {
    for (const table of [...unit.from, ...unit.to]) {
      if (table.dataset !== undefined) identities.add(table.dataset);
      else if (table.same !== undefined) primaries.add(table.same);
      sets.push(namesOf(table, unit.vendor));
    }
  }
  return groupNames(
    sets,
    (name) => identities.has(name),
    (name) => primaries.has(name),
  );
}

/** Units as one graph; edges that several units share become one, nodes and edges are sorted. */
export function graphOf(units: readonly UnitState[], options: GraphOptions): Graph {
  const groups = nameGroups([...units, ...(options.names ?? [])]);
  const idOf = (table: UnitTable, unit: UnitState) => groups.idOf(nodeId(table, unit.vendor));
  const nodes = new Set<string>();
  const edges = new Map<string, Building>();
  for (const unit of units) {
    const wanted = wish(unit);
    const columns = columnsOf(unit, wanted.mask === NONE ? unit.shown : wanted.mask);
    const here = edgeAtTarget(unit, options.held?.get(unit.id));
    for (const [fromIndex, fromTable] of unit.from.entries()) {
      for (const [toIndex, toTable] of unit.to.entries()) {
        if (options.keeps?.(unit, fromIndex, toIndex) === false) continue;
        const from = idOf(fromTable, unit);
        const to = idOf(toTable, unit);
        nodes.add(from).add(to);
        const key = JSON.stringify([from, to]);
        const edge: Building = edges.get(key) ?? { from, to, owners: new Set(), targets: [], columns: new Map() };
        edges.set(key, edge);
        for (const owner of Object.keys(unit.claims)) edge.owners.add(owner);
        edge.targets.push(here);
        for (const column of columns) {
          if (column.from.table !== fromIndex || column.to.table !== toIndex) continue;
          const pair = { from: column.from.column, to: column.to.column };
          const place = JSON.stringify([pair.from, pair.to]);
          edge.columns.set(place, { ...pair, direct: column.direct || edge.columns.get(place)?.direct === true });
        }
      }
    }
  }
  return {
    nodes: [...nodes].map((id) => ({ id, names: groups.othersOf(id) })).sort(by((node) => node.id)),
    edges: [...edges.values()]
      .map((edge) => finished(edge, options))
      .sort(by((edge) => JSON.stringify([edge.from, edge.to]))),
  };
}

function finished({ from, to, owners, targets, columns }: Building, options: GraphOptions): GraphEdge {
  const declaredBy = [...owners].sort();
  const jobs = new Set(declaredBy.flatMap((owner) => options.jobs?.get(owner) ?? []));
  const registeredAt = targets.flatMap((each) => each.registeredAt ?? []).sort()[0];
  const changedAt = targets
    .flatMap((each) => each.changedAt ?? [])
    .sort()
    .at(-1);
  return {
    from,
    to,
    declaredBy,
    ...(options.jobs === undefined ? {} : { jobs: [...jobs].sort() }),
    targets: targets.sort(by((each) => `${each.target} ${each.receipt ?? ''}`)),
    ...(registeredAt === undefined ? {} : { registeredAt }),
    ...(changedAt === undefined ? {} : { changedAt }),
    ...(options.columns ? { columns: [...columns.values()].sort(by((each) => `${each.to} ${each.from}`)) } : {}),
  };
}
