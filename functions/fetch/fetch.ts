import { Failure } from '../../shared/core/failure.ts';
import { type Graph, graphOf, nodeId } from '../../shared/core/graph.ts';
import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import type { Services } from '../../shared/wiring.ts';

export interface LineageQuery {
  /** `namespace/name` or `vendor:name`; without it everything, a page at a time. */
  readonly dataset?: string;
  readonly direction: 'upstream' | 'downstream' | 'both';
  /** How many edges away from the dataset. */
  readonly depth: number;
  readonly level: 'table' | 'column';
  readonly after?: string;
  readonly limit: number;
}

export interface LineageAnswer extends Graph {
  readonly next?: string;
}

/** Answers "what feeds this table?" from the ledger. Reads grow with the answer, not with the ledger. */
export async function lineage(query: LineageQuery, services: Services): Promise<LineageAnswer> {
  const columns = query.level === 'column';
  if (query.dataset === undefined) {
    const { limit, after } = query;
    const page = await services.deps.ledger.find('units', { limit, ...(after === undefined ? {} : { after }) });
    const units = await unitsOf(page.items, services);
    return { ...graphOf(units, { columns }), ...(page.next === undefined ? {} : { next: page.next }) };
  }
  const { units, cut } = await around(query.dataset, query, services);
  if (units.length === 0) throw new Failure('missing', `no lineage is known for ${query.dataset.slice(0, 300)}`);
  const graph = graphOf(units, { columns });
  return { ...graph, nodes: graph.nodes.map((node) => (cut.has(node.id) ? { ...node, more: true } : node)) };
}

/** Units within reach of a dataset, breadth first; `cut` are the datasets beyond which there may be more. */
async function around(start: string, query: LineageQuery, services: Services) {
  const found = new Map<string, UnitState>();
  const cut = new Set<string>();
  const directions = query.direction === 'both' ? (['upstream', 'downstream'] as const) : ([query.direction] as const);
  for (const direction of directions) {
    const seen = new Set<string>();
    let names = new Set([start]);
    for (let depth = 0; names.size > 0; depth += 1) {
      if (depth === query.depth || found.size >= query.limit) {
        for (const name of names) cut.add(name);
        break;
      }
      const next = new Set<string>();
      for (const name of names) {
        seen.add(name);
        for (const unit of await touching(name, services)) {
          const [near, far] = direction === 'upstream' ? [unit.to, unit.from] : [unit.from, unit.to];
          if (!near.some((table) => namesOf(table, unit).includes(name))) continue;
          found.set(unit.id, unit);
          for (const table of far) if (!seen.has(nodeId(table, unit.vendor))) next.add(nodeId(table, unit.vendor));
        }
      }
      names = next;
    }
  }
  return { units: [...found.values()], cut };
}

const namesOf = (table: UnitState['from'][number], unit: UnitState): string[] => [
  nodeId(table, unit.vendor),
  `${unit.vendor}:${table.name}`,
];

async function touching(name: string, services: Services): Promise<UnitState[]> {
  const units: UnitState[] = [];
  let after: string | undefined;
  do {
    const page = await services.deps.ledger.find(`dataset:${name}`, after === undefined ? {} : { after });
    units.push(...(await unitsOf(page.items, services)));
    after = page.next;
  } while (after !== undefined);
  return units;
}

async function unitsOf(keys: readonly string[], services: Services): Promise<UnitState[]> {
  const rows = await services.deps.ledger.getMany(keys);
  return keys.flatMap((key) => {
    const row = rows.get(key);
    return row?.index ? [decodeUnit(row.body)] : [];
  });
}
