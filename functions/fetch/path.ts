import { Failure } from '../../shared/core/failure.ts';
import { nameGroups, nodeId } from '../../shared/core/graph.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import { type Direction, type Entered, expand } from './reach.ts';
import type { UnitReader } from './units.ts';

/** Units read on the way, at most. */
const MOST = 20_000;

/** Units, and which pairs of their tables lie on the way. */
export interface Way {
  readonly units: readonly UnitState[];
  /** Units that only tell further names of the datasets. */
  readonly names: readonly UnitState[];
  keeps(unit: UnitState, from: number, to: number): boolean;
}

const NO_WAY: Way = { units: [], names: [], keeps: () => false };

interface Side {
  readonly direction: Direction;
  readonly found: Map<string, UnitState>;
  readonly entered: Entered;
  readonly names: Map<string, UnitState>;
  readonly seen: Set<string>;
  frontier: string[];
  steps: number;
}

/**
 * Units on all shortest ways from one dataset down to another, of at most `depth` edges; empty when there is none. Walks from both
 * ends, the narrower one first, so that a hub at one end is met late.
 */
export async function between(from: string, to: string, depth: number, reader: UnitReader): Promise<Way> {
  const side = (start: string, direction: Direction): Side => ({
    direction,
    found: new Map(),
    entered: new Map(),
    names: new Map(),
    seen: new Set([start]),
    frontier: [start],
    steps: 0,
  });
  const down = side(from, 'downstream');
  const up = side(to, 'upstream');
  while (down.steps + up.steps < depth) {
    const next = await narrower(down, up, reader);
    if (next === undefined) return NO_WAY;
    const room = MOST - down.found.size - up.found.size;
    const step = await expand(next.frontier, next.direction, next.seen, room, next, reader);
    if (step.unread.length > 0) {
      throw new Failure(
        'rejected',
        `no path found among the nearest ${MOST} edges; ask with a smaller depth or from nearer`,
      );
    }
    next.frontier = step.next;
    next.steps += 1;
    const units = [...new Map([...down.found, ...up.found]).values()];
    const path = shortest(units, [...down.names.values(), ...up.names.values()], from, to);
    if (path.units.length > 0) return path;
  }
  return NO_WAY;
}

/** Datasets, and units at each, that are looked at to see which end is the narrower one. */
const PROBED = 20;

/** The end with fewer units ahead, as far as a look can tell; none when one end has nowhere to go. */
async function narrower(down: Side, up: Side, reader: UnitReader): Promise<Side | undefined> {
  const weights: { side: Side; weight: number }[] = [];
  for (const side of [down, up]) {
    if (side.frontier.length === 0) return undefined;
    const pages = await reader.at(side.frontier.slice(0, PROBED), side.direction, PROBED);
    let weight = Math.max(0, side.frontier.length - PROBED);
    for (const { units, more } of pages.values()) weight += units.length + (more ? PROBED * PROBED : 0);
    weights.push({ side, weight });
  }
  return weights.sort((a, b) => a.weight - b.weight)[0]?.side;
}

/** What of a set of units lies on a shortest way. */
export function shortest(units: readonly UnitState[], names: readonly UnitState[], from: string, to: string): Way {
  const groups = nameGroups(units, names);
  const ends = new Map(
    units.map((unit) => [
      unit.id,
      {
        from: unit.from.map((table) => groups.idOf(nodeId(table, unit.vendor))),
        to: unit.to.map((table) => groups.idOf(nodeId(table, unit.vendor))),
      },
    ]),
  );
  const pairs = [...ends.values()].flatMap((each) => each.from.flatMap((a) => each.to.map((b) => [a, b] as const)));
  const [start, goal] = [groups.idOf(from), groups.idOf(to)];
  const forth = distances(start, pairs);
  const back = distances(
    goal,
    pairs.map(([a, b]) => [b, a] as const),
  );
  const length = forth.get(goal);
  if (length === undefined || length === 0) return NO_WAY;
  const on = (a = '', b = ''): boolean =>
    (forth.get(a) ?? Number.POSITIVE_INFINITY) + 1 + (back.get(b) ?? Number.POSITIVE_INFINITY) === length;
  return {
    units: units.filter(({ id }) => ends.get(id)?.from.some((a) => ends.get(id)?.to.some((b) => on(a, b)))),
    names,
    keeps: ({ id }, i, j) => on(ends.get(id)?.from[i], ends.get(id)?.to[j]),
  };
}

function distances(start: string, edges: readonly (readonly [string, string])[]): Map<string, number> {
  const next = new Map<string, string[]>();
  for (const [a, b] of edges) {
    const list = next.get(a);
    if (list) list.push(b);
    else next.set(a, [b]);
  }
  const known = new Map([[start, 0]]);
  for (const [at, distance] of known) {
    for (const beyond of next.get(at) ?? []) if (!known.has(beyond)) known.set(beyond, distance + 1);
  }
  return known;
}
