import { type Graph, isNamed, type More, namesOf, nodeId } from '../../shared/core/graph.ts';
import { append } from '../../shared/core/large-lists.ts';
import type { NameGroups } from '../../shared/core/same-names.ts';
import type { UnitState, UnitTable } from '../../shared/core/unit-state.ts';
import type { Direction, UnitReader } from './units.ts';

export type { Direction } from './units.ts';

/** Units within reach of datasets. `cut`: names where the walk ended although there may be more, per direction. */
export interface Reached {
  readonly units: readonly UnitState[];
  /** Units that only tell further names of the datasets. */
  readonly names: readonly UnitState[];
  readonly cut: Readonly<Record<Direction, ReadonlySet<string>>>;
  /** Whether the walk went from one table of a unit to another: of a unit of many tables, only those are of interest. */
  keeps(unit: UnitState, from: number, to: number): boolean;
  /** The walk ended at `most` units, not at `depth`. */
  readonly full: boolean;
}

export interface Walk {
  readonly start: string;
  readonly directions: readonly Direction[];
  /** Edges away from the start. */
  readonly depth: number;
  /** Units after which the walk ends. */
  readonly most: number;
}

const NAMES_AT_ONCE = 16;

/** What lies on the near side of a unit (where the walk comes from) and on its far side. */
export function sidesOf(unit: UnitState, direction: Direction): readonly [readonly UnitTable[], readonly UnitTable[]] {
  return direction === 'upstream' ? [unit.to, unit.from] : [unit.from, unit.to];
}

/** Of one table on each side a walk can only have gone from the one to the other. */
const isPair = (unit: UnitState): boolean => unit.from.length === 1 && unit.to.length === 1;

/** Positions of the tables of a unit of several where a walk came in; on the side where it came from. */
export type Entered = Map<string, { readonly from: Set<number>; readonly to: Set<number> }>;

export const keptBy =
  (entered: Entered): Reached['keeps'] =>
  (unit, from, to) => {
    if (isPair(unit)) return true;
    const at = entered.get(unit.id);
    return at !== undefined && (at.from.has(from) || at.to.has(to));
  };

/** Walks breadth first, in a fixed order. A dataset is followed under each of its names, so what two vendors call differently meets. */
export async function reach(walk: Walk, reader: UnitReader): Promise<Reached> {
  const found = new Map<string, UnitState>();
  const entered: Entered = new Map();
  const cut: Record<Direction, Set<string>> = { upstream: new Set(), downstream: new Set() };
  const names = new Map<string, UnitState>();
  let full = false;
  for (const direction of walk.directions) {
    const seen = new Set([walk.start]);
    let frontier = [walk.start];
    for (let depth = 0; frontier.length > 0; depth += 1) {
      if (depth === walk.depth || found.size >= walk.most) {
        full ||= depth < walk.depth;
        for (const name of frontier) cut[direction].add(name);
        break;
      }
      const room = walk.most - found.size;
      const step = await expand(frontier, direction, seen, room, { found, entered, names }, reader);
      for (const name of step.unread) cut[direction].add(name);
      full ||= step.unread.length > 0;
      frontier = step.next;
    }
  }
  // Where the answer ends, datasets go by all their names, too.
  for (const unit of await reader.alike([...cut.upstream, ...cut.downstream])) names.set(unit.id, unit);
  return { units: [...found.values()], names: [...names.values()], cut, full, keeps: keptBy(entered) };
}

/** What a walk has found so far. */
export interface Walked {
  readonly found: Map<string, UnitState>;
  readonly entered: Entered;
  readonly names: Map<string, UnitState>;
}

/** One step: the units at these names, and the names beyond them. `unread` are names not (wholly) read, because `most` was reached. */
export async function expand(
  frontier: readonly string[],
  direction: Direction,
  seen: Set<string>,
  most: number,
  { found, entered, names: telling }: Walked,
  reader: UnitReader,
): Promise<{ readonly next: string[]; readonly unread: string[] }> {
  const before = found.size;
  const next: string[] = [];
  const unread: string[] = [];
  const queue = [...frontier];
  for (let at = 0; at < queue.length; ) {
    const room = most - (found.size - before);
    if (room <= 0) {
      append(unread, queue.slice(at));
      break;
    }
    const names = queue.slice(at, at + NAMES_AT_ONCE);
    at += names.length;
    const pages = await reader.at(names, direction, room);
    // Afterwards, for only what these units do not tell is asked.
    for (const unit of await reader.alike(names)) telling.set(unit.id, unit);
    // Further names of the same dataset: followed at once, they are no step away.
    for (const name of names) for (const other of reader.othersOf(name)) add(other, seen, queue);
    for (const name of names) {
      const page = pages.get(name);
      if (page?.more) unread.push(name);
      for (const unit of page?.units ?? []) {
        const [near, far] = sidesOf(unit, direction);
        if (!near.some((table) => isNamed(table, unit.vendor, name))) continue;
        if (!found.has(unit.id) && found.size - before >= most) {
          unread.push(name);
          break;
        }
        found.set(unit.id, unit);
        if (!isPair(unit)) enter(unit, direction, name, entered);
        for (const table of far) for (const other of namesOf(table, unit.vendor)) add(other, seen, next);
      }
    }
  }
  return { next, unread };
}

function enter(unit: UnitState, direction: Direction, name: string, entered: Entered): void {
  const [near] = sidesOf(unit, direction);
  const at = entered.get(unit.id) ?? { from: new Set(), to: new Set() };
  entered.set(unit.id, at);
  const side = direction === 'upstream' ? at.to : at.from;
  for (const [place, table] of near.entries()) if (isNamed(table, unit.vendor, name)) side.add(place);
}

function add(name: string, seen: Set<string>, to: string[]): void {
  if (seen.has(name)) return;
  seen.add(name);
  to.push(name);
}

/** Edges counted per dataset at the most; beyond it, `atLeast`. */
const COUNTED = 20;

/** Writes on the nodes where an answer ends how many edges go on from there. `groups`: the names of what was reached. */
export async function withMore<G extends Graph>(
  graph: G,
  { cut }: Pick<Reached, 'cut'>,
  groups: NameGroups,
  reader: UnitReader,
): Promise<G> {
  const more = new Map<string, More>();
  for (const direction of ['upstream', 'downstream'] as const) {
    const ids = [...new Set([...cut[direction]].map((name) => groups.idOf(name)))];
    const drawn = beyond(graph, direction, ids);
    for (let at = 0; at < ids.length; at += NAMES_AT_ONCE) {
      const batch = ids.slice(at, at + NAMES_AT_ONCE).map((id) => ({ id, own: [id, ...groups.othersOf(id)] }));
      const pages = await reader.at([...new Set(batch.flatMap(({ own }) => own))], direction, COUNTED);
      for (const { id, own } of batch) {
        const others = new Set<string>();
        let atLeast = false;
        for (const name of new Set(own)) {
          const { units = [], more: further = false } = pages.get(name) ?? {};
          atLeast ||= further;
          for (const unit of units) {
            const [near, far] = sidesOf(unit, direction);
            if (!near.some((table) => own.some((each) => isNamed(table, unit.vendor, each)))) continue;
            for (const table of far) {
              const other = groups.idOf(nodeId(table, unit.vendor));
              if (!drawn.get(id)?.has(other)) others.add(other);
            }
          }
        }
        if (others.size === 0 && !atLeast) continue;
        const before = more.get(id) ?? { upstream: 0, downstream: 0 };
        more.set(id, { ...before, [direction]: others.size, ...(atLeast ? { atLeast } : {}) });
      }
    }
  }
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const left = more.get(node.id);
      return left === undefined ? node : { ...node, more: left };
    }),
  };
}

/** What an answer shows next to some datasets, in one direction. */
function beyond(graph: Graph, direction: Direction, ids: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const drawn = new Map(ids.map((id) => [id, new Set<string>()]));
  for (const { from, to } of graph.edges) {
    if (direction === 'upstream') drawn.get(to)?.add(from);
    else drawn.get(from)?.add(to);
  }
  return drawn;
}
