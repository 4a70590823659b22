import { columnsOf, wish } from './claims.ts';
import { NONE } from './mask.ts';
import type { UnitState, UnitTable } from './unit-state.ts';

/** Lineage as people ask for it: datasets and the edges between them, whatever units and vendors they came from. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  /** `namespace/name`, else `vendor:name`. */
  readonly id: string;
  /** Names at the vendors, e.g. `dataphin:odps.1.p.t`. */
  readonly names: readonly string[];
  /** Edges of this dataset that were left out, because the answer ends here. */
  readonly more?: boolean;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** Owners (manifests) that declare it. */
  readonly declaredBy: readonly string[];
  readonly targets: readonly EdgeAtTarget[];
  readonly columns?: readonly { readonly from: string; readonly to: string; readonly direct: boolean }[];
}

export interface EdgeAtTarget {
  readonly target: string;
  /** As far as the ledger knows: `shown`, `pending` (something is still to be done), `unknown`, `failed` or `left-behind`. */
  readonly state: 'shown' | 'pending' | 'unknown' | 'failed' | 'left-behind';
  readonly receipt?: string;
  readonly registeredAt?: string;
  readonly changedAt?: string;
}

export function nodeId(table: UnitTable, vendor: string): string {
  return table.dataset ?? `${vendor}:${table.name}`;
}

interface Building {
  readonly from: string;
  readonly to: string;
  readonly owners: Set<string>;
  readonly targets: EdgeAtTarget[];
  readonly columns: Map<string, { from: string; to: string; direct: boolean }>;
}

/** Units as one graph; edges that several units share become one, nodes and edges are sorted. */
export function graphOf(units: readonly UnitState[], options: { readonly columns: boolean }): Graph {
  const nodes = new Map<string, Set<string>>();
  const edges = new Map<string, Building>();
  for (const unit of units) {
    const wanted = wish(unit);
    for (const table of [...unit.from, ...unit.to]) {
      const id = nodeId(table, unit.vendor);
      const names = nodes.get(id) ?? new Set();
      nodes.set(id, names.add(`${unit.vendor}:${table.name}`));
    }
    const columns = columnsOf(unit, wanted.mask === NONE ? unit.shown : wanted.mask);
    for (const [fromIndex, fromTable] of unit.from.entries()) {
      for (const [toIndex, toTable] of unit.to.entries()) {
        const from = nodeId(fromTable, unit.vendor);
        const to = nodeId(toTable, unit.vendor);
        const key = JSON.stringify([from, to]);
        const edge: Building = edges.get(key) ?? { from, to, owners: new Set(), targets: [], columns: new Map() };
        edges.set(key, edge);
        for (const owner of Object.keys(unit.claims)) edge.owners.add(owner);
        edge.targets.push(atTarget(unit));
        for (const column of columns) {
          if (column.from.table !== fromIndex || column.to.table !== toIndex) continue;
          const pair = { from: column.from.column, to: column.to.column, direct: column.direct };
          const known = edge.columns.get(JSON.stringify([pair.from, pair.to]));
          edge.columns.set(JSON.stringify([pair.from, pair.to]), {
            ...pair,
            direct: pair.direct || known?.direct === true,
          });
        }
      }
    }
  }
  return {
    nodes: [...nodes].map(([id, names]) => ({ id, names: [...names].sort() })).sort(by((node) => node.id)),
    edges: [...edges.values()]
      .map(({ from, to, owners, targets, columns }) => ({
        from,
        to,
        declaredBy: [...owners].sort(),
        targets: targets.sort(by((each) => `${each.target} ${each.receipt ?? ''}`)),
        ...(options.columns ? { columns: [...columns.values()].sort(by((each) => `${each.to} ${each.from}`)) } : {}),
      }))
      .sort(by((edge) => JSON.stringify([edge.from, edge.to]))),
  };
}

function atTarget(unit: UnitState): EdgeAtTarget {
  const receipt = unit.nodes.at(-1)?.receipt ?? unit.receipt;
  return {
    target: unit.target,
    state: stateOf(unit),
    ...(receipt === undefined ? {} : { receipt }),
    ...(unit.registeredAt === undefined ? {} : { registeredAt: new Date(unit.registeredAt).toISOString() }),
    ...(unit.changedAt === undefined ? {} : { changedAt: new Date(unit.changedAt).toISOString() }),
  };
}

function stateOf(unit: UnitState): EdgeAtTarget['state'] {
  const { mask } = wish(unit);
  if (mask === NONE) return unit.shown === NONE && unit.nodes.length > 0 ? 'left-behind' : 'pending';
  if (unit.refusal) return 'failed';
  const made = unit.nodes.some((node) => (node.mask & mask) === mask);
  if (!made && unit.uncertain.some((node) => (node.mask & mask) === mask)) return 'unknown';
  return made || (unit.shown & mask) === mask ? 'shown' : 'pending';
}

function by<T>(key: (value: T) => string): (left: T, right: T) => number {
  return (left, right) => {
    const [a, b] = [key(left), key(right)];
    return a < b ? -1 : a > b ? 1 : 0;
  };
}
