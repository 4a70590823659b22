import { type GraphNode, nameGroups, namesOf, nodeId } from '../../shared/core/graph.ts';
import { matchesName } from '../../shared/core/name-search.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import type { UnitReader } from './units.ts';

export interface Found {
  readonly nodes: readonly GraphNode[];
  readonly next?: string;
  /** Not all names were looked at: `next` goes on, or a longer part of the name narrows it down. */
  readonly partial?: true;
}

/** Units looked at in one answer. */
const LOOKED_AT = 5_000;
const PAGE = 500;

/**
 * Datasets that have a part of a name. An exact name is found at once; a part by going through the units, so many an answer: what
 * was not looked at is said, and `next` goes on from there.
 */
export async function search(
  q: string,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  reader: UnitReader,
): Promise<Found> {
  const nodes = new Map<string, GraphNode>();
  if (after === undefined) {
    const exact = await reader.at([q], 1);
    collect(exact.get(q)?.units ?? [], q, nodes);
  }
  let next = after;
  for (let looked = 0; ; looked += PAGE) {
    const page = await reader.page({ limit: PAGE, ...(next === undefined ? {} : { after: next }) });
    collect(page.items, q, nodes);
    next = page.next;
    if (next === undefined || nodes.size >= limit || looked + PAGE >= LOOKED_AT) break;
  }
  const found = [...nodes.values()].sort((a, b) => rank(a, q) - rank(b, q) || (a.id < b.id ? -1 : 1));
  return { nodes: found, ...(next === undefined ? {} : { next, partial: true as const }) };
}

function collect(units: readonly UnitState[], q: string, nodes: Map<string, GraphNode>): void {
  const groups = nameGroups(units);
  for (const unit of units) {
    for (const table of [...unit.from, ...unit.to]) {
      const names = namesOf(table, unit.vendor);
      if (!names.some((name) => matchesName(name, q))) continue;
      const id = groups.idOf(nodeId(table, unit.vendor));
      const known = nodes.get(id)?.names ?? [];
      nodes.set(id, { id, names: [...new Set([...known, ...groups.othersOf(id)])].sort() });
    }
  }
}

/** The name itself first, then names that end with it, then the rest. */
function rank(node: GraphNode, q: string): number {
  const wanted = q.toLowerCase();
  const names = [node.id, ...node.names].map((name) => name.toLowerCase());
  if (names.includes(wanted)) return 0;
  return names.some((name) => name.endsWith(wanted)) ? 1 : 2;
}
