import { columnsOf, wish } from './claims.ts';
import { type EdgeAtTarget, edgeAtTargets, type HeldHere, type Outcome } from './edge-outcome.ts';
import { isoTimes } from './iso-time.ts';
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
  /** What `nameGroups` makes of the units and of `names`, by who has it already. */
  readonly groups?: NameGroups;
}

export function nodeId(table: UnitTable, vendor: string): string {
  return table.dataset ?? `${vendor}:${table.name}`;
}

/** Every name a table goes by: its identity first, if it has one. */
export function namesOf(table: UnitTable, vendor: string): string[] {
  if (vendor === '') return [table.name];
  const own = `${vendor}:${table.name}`;
  const { dataset, same } = table;
  if (dataset === undefined && same === undefined) return [own];
  return [...(dataset === undefined ? [] : [dataset]), ...(same === undefined || same === own ? [] : [same]), own];
}

/** Whether one of a table's names is this; the same as `namesOf` says, and makes none of them. */
export function isNamed(table: UnitTable, vendor: string, name: string): boolean {
  if (table.dataset === name || table.same === name) return true;
  const { length } = vendor;
  return (
    name.length === length + 1 + table.name.length &&
    name.endsWith(table.name) &&
    name.startsWith(vendor) &&
    name.charAt(length) === ':'
  );
}

interface Building {
  readonly from: string;
  readonly to: string;
  /** Some may be there twice. */
  readonly owners: string[];
  readonly targets: EdgeAtTarget[];
  readonly columns: GraphColumn[];
  /** Whether all columns are. */
  direct: boolean;
}

/** Names that stand for one table, over all tables of the units: what shares a name, or is given as the same, is one. */
export function nameGroups(...many: readonly (readonly UnitState[])[]): NameGroups {
  const identities = new Set<string>();
  const primaries = new Set<string>();
  const sets: string[][] = [];
  const add = (table: UnitTable, vendor: string) => {
    if (table.dataset !== undefined) identities.add(table.dataset);
    else if (table.same !== undefined) primaries.add(table.same);
    sets.push(namesOf(table, vendor));
  };
  for (const units of many) {
    for (const { from, to, vendor } of units) {
      for (const table of from) add(table, vendor);
      for (const table of to) add(table, vendor);
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
  const groups = options.groups ?? nameGroups(units, options.names ?? []);
  const time = isoTimes();
  const nodes = new Set<string>();
  /** By where they come from, then where they go. */
  const edges = new Map<string, Map<string, Building>>();
  for (const unit of units) {
    const wanted = wish(unit);
    const here = edgeAtTargets(unit, { held: options.held?.get(unit.id), wanted, time });
    const columns = options.columns ? columnsOf(unit, wanted.mask === NONE ? unit.shown : wanted.mask) : [];
    const owners = Object.keys(unit.claims);
    const tos = unit.to.map((table) => groups.idOf(nodeId(table, unit.vendor)));
    for (const [fromIndex, table] of unit.from.entries()) {
      const from = groups.idOf(nodeId(table, unit.vendor));
      for (const [toIndex, to] of tos.entries()) {
        if (options.keeps?.(unit, fromIndex, toIndex) === false) continue;
        const edge = edgeBetween(from, to, edges);
        nodes.add(from).add(to);
        edge.owners.push(...owners);
        edge.targets.push(...here);
        for (const { from: source, to: sink, direct } of columns) {
          if (source.table !== fromIndex || sink.table !== toIndex) continue;
          edge.columns.push({ from: source.column, to: sink.column, direct });
          edge.direct &&= direct;
        }
      }
    }
  }
  return {
    nodes: [...nodes].sort().map((id) => ({ id, names: groups.othersOf(id) })),
    edges: inOrder(edges).flatMap((beyond) => inOrder(beyond).map((edge) => finished(edge, options))),
  };
}

function edgeBetween(from: string, to: string, edges: Map<string, Map<string, Building>>): Building {
  let beyond = edges.get(from);
  if (beyond === undefined) {
    beyond = new Map();
    edges.set(from, beyond);
  }
  let edge = beyond.get(to);
  if (edge === undefined) {
    edge = { from, to, owners: [], targets: [], columns: [], direct: true };
    beyond.set(to, edge);
  }
  return edge;
}

function inOrder<T>(named: ReadonlyMap<string, T>): T[] {
  return [...named.keys()].sort().map((name) => named.get(name) as T);
}

const byTarget = by((each: EdgeAtTarget) => `${each.target} ${each.receipt ?? ''}`);
const byColumn = by(
  (column: GraphColumn) => column.to,
  (column) => column.from,
);

function finished({ from, to, owners, targets, columns, direct }: Building, options: GraphOptions): GraphEdge {
  const declaredBy = unique(owners);
  const { jobs } = options;
  const edge: { -readonly [key in keyof GraphEdge]: GraphEdge[key] } = {
    from,
    to,
    declaredBy,
    ...(jobs && { jobs: unique(declaredBy.flatMap((owner) => jobs.get(owner) ?? [])) }),
    targets: sorted(targets, byTarget),
  };
  for (const { registeredAt, changedAt } of targets) {
    if (registeredAt !== undefined && !((edge.registeredAt ?? registeredAt) < registeredAt)) {
      edge.registeredAt = registeredAt;
    }
    if (changedAt !== undefined && !((edge.changedAt ?? changedAt) > changedAt)) edge.changedAt = changedAt;
  }
  // A unit has a column pair twice only when one of the two is not direct.
  if (options.columns) edge.columns = sorted(targets.length > 1 || !direct ? once(columns) : columns, byColumn);
  return edge;
}

function unique(texts: readonly string[]): readonly string[] {
  return texts.length > 1 ? [...new Set(texts)].sort() : texts;
}

function sorted<T>(values: T[], order: (left: T, right: T) => number): T[] {
  return values.length > 1 ? values.sort(order) : values;
}

/** Each pair once; it is direct if anybody says so. */
function once(columns: readonly GraphColumn[]): GraphColumn[] {
  const pairs = new Map<string, GraphColumn>();
  for (const column of columns) {
    const place = JSON.stringify([column.from, column.to]);
    pairs.set(place, { ...column, direct: column.direct || pairs.get(place)?.direct === true });
  }
  return [...pairs.values()];
}
