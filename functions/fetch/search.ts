import { type GraphNode, nameGroups, namesOf, nodeId } from '../../shared/core/graph.ts';
import { matchesName } from '../../shared/core/name-search.ts';
import { searchEntry } from '../../shared/core/unit-index.ts';
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
/** With names found already, so many are enough to see whether the graph is a small one. */
const LOOKED_ON = 500;
const PAGE = 500;

/** Where a search goes on: among the units of its word, or among all. */
interface Place {
  readonly entry: 'word' | 'units';
  readonly after?: string;
}

/**
 * Datasets that have a part of a name: first the name itself, then those that have a word beginning like it in their table's
 * name, by the index, then, if there are few, those that have it anywhere else, by going through the units. What was not looked at is
 * said, and `next` goes on from there.
 */
export async function search(
  q: string,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  reader: UnitReader,
): Promise<Found> {
  const units = new Map<string, UnitState>();
  let nodes: GraphNode[] = [];
  const look = (more: readonly UnitState[]) => {
    for (const unit of more) units.set(unit.id, unit);
    nodes = named([...units.values()], q);
  };
  const word = searchEntry(q);
  if (after === undefined) {
    const sides = await Promise.all([
      reader.at([q], 'upstream', 1),
      reader.at([q], 'downstream', 1),
      reader.alike([q]),
    ]);
    const [up, down, alike] = sides;
    look([...(up.get(q)?.units ?? []), ...(down.get(q)?.units ?? []), ...alike]);
  }
  let place: Place | undefined = placeOf(after) ?? { entry: word === undefined ? 'units' : 'word' };
  for (let looked = 0, on = 0; place !== undefined; ) {
    const entry = place.entry === 'word' ? word : undefined;
    const page = await reader.page({
      limit: PAGE,
      ...(entry === undefined ? {} : { entry }),
      ...(place.after === undefined ? {} : { after: place.after }),
    });
    look(page.items);
    looked += PAGE;
    if (entry === undefined) on += PAGE;
    if (page.next !== undefined) place = { entry: place.entry, after: page.next };
    else place = place.entry === 'word' ? { entry: 'units' } : undefined;
    if (nodes.length >= limit || looked >= LOOKED_AT || (nodes.length > 0 && on >= LOOKED_ON)) break;
  }
  const found = nodes.sort((a, b) => rank(a, q) - rank(b, q) || (a.id < b.id ? -1 : 1));
  if (place === undefined) return { nodes: found };
  return { nodes: found, next: `${place.entry}:${place.after ?? ''}`, partial: true };
}

function placeOf(after: string | undefined): Place | undefined {
  const [, entry, key = ''] = /^(word|units):(.*)$/s.exec(after ?? '') ?? [];
  if (entry === undefined) return undefined;
  return { entry: entry === 'word' ? 'word' : 'units', ...(key === '' ? {} : { after: key }) };
}

/** The datasets of these units that have it in one of their names. */
function named(units: readonly UnitState[], q: string): GraphNode[] {
  const groups = nameGroups(units);
  const ids = new Set<string>();
  for (const unit of units) {
    for (const table of [...unit.from, ...unit.to]) {
      if (namesOf(table, unit.vendor).some((name) => matchesName(name, q))) {
        ids.add(groups.idOf(nodeId(table, unit.vendor)));
      }
    }
  }
  return [...ids].map((id) => ({ id, names: groups.othersOf(id) }));
}

/** The name itself first, then names that end with it, then the rest. */
function rank(node: GraphNode, q: string): number {
  const wanted = q.toLowerCase();
  const names = [node.id, ...node.names].map((name) => name.toLowerCase());
  if (names.includes(wanted)) return 0;
  return names.some((name) => name.endsWith(wanted)) ? 1 : 2;
}
