import { columnsOf, leftover, notOurs, twinsOf, wish } from './claims.ts';
import type { ColumnEdge } from './edge.ts';
import { EDGE, has, type Mask, maskOf, NONE, without } from './mask.ts';
import { pairKey } from './parts.ts';
import { dropped, pardoned, refusedBy, trusted } from './transition.ts';
import type { CreatedNode, UnitState } from './unit-state.ts';

/** What a read of the vendor said about one unit. */
export interface Seen {
  readonly edge: boolean;
  readonly columns: readonly ColumnEdge[];
  /** Receipts of the nodes that look like it, and all that the complete list holds: only where nodes are created. */
  readonly nodes?: readonly string[];
  readonly all?: ReadonlySet<string>;
}

/** How the vendor differs from what the ledger believes. */
export interface Drift {
  /** Believed to be shown, and not there. */
  readonly missing: Mask;
  /** Taken away by us before, and there again. */
  readonly returned: Mask;
  /** Nodes of ours that are not there any more. */
  readonly lost: readonly CreatedNode[];
  /** Columns on our pair that somebody else put there. */
  readonly foreign: readonly ColumnEdge[];
  /** Wanted, but given up, because the vendor took it and did not show it; `NONE` also if it shows it now. */
  readonly unshown: Mask;
}

/** Kind of the refusal of a unit whose parts the vendor took and did not show. */
const UNSHOWN = 'unshown';

/** Given up, until somebody looks again. */
export function isUnshown(state: UnitState): boolean {
  return state.refusal?.kind === UNSHOWN;
}

/** The parts that the vendor shows. Reads do not tell the direct flag, so both readings of a column count. */
function visible(state: UnitState, seen: Seen): Mask {
  const keys = new Set(seen.columns.map(pairKey));
  const edge = seen.edge || keys.size > 0 ? EDGE : NONE;
  return edge | maskOf(state.parts.flatMap((part, at) => (keys.has(pairKey(part)) ? [at + 1] : [])));
}

/**
 * Compares. `provedBefore`: nodes younger than this may not be listed yet, so their absence proves nothing (epoch ms). Only
 * meaningful while no call about the unit can still take effect, and for a read that began after the state was read.
 */
export function driftOf(state: UnitState, seen: Seen, provedBefore: number): Drift {
  const there = visible(state, seen);
  const { mask: wanted } = wish(state);
  const known = new Set(
    columnsOf(state, state.shown | state.maybe | wanted | (state.foreign ?? NONE) | (state.past ?? NONE)).map(pairKey),
  );
  // Reads do not tell the direct flag: what may be there with the other one is no return of it.
  const expected = wanted | state.shown | state.maybe;
  const past = without(state.past ?? NONE, expected | (state.past === undefined ? NONE : twinsOf(state, expected)));
  return {
    missing: without(state.shown, there),
    returned: without(past, notOurs(state, past)) & there,
    lost: seen.all === undefined ? [] : lostNodes(state, seen, provedBefore),
    foreign: seen.columns.filter((column) => !known.has(pairKey(column))),
    unshown: isUnshown(state) ? without(wanted, state.shown | there) : NONE,
  };
}

/**
 * A node is gone when the complete list does not have it, and every node like it is another one of ours, or may be one of the creates whose
 * outcome is not known.
 */
function lostNodes(state: UnitState, { nodes = [], all = new Set() }: Seen, provedBefore: number): CreatedNode[] {
  const ours = new Set(state.nodes.map((node) => node.receipt));
  if (nodes.filter((receipt) => !ours.has(receipt)).length > state.uncertain.length) return [];
  return state.nodes.filter((node) => node.at < provedBefore && !all.has(node.receipt));
}

/**
 * The unit once the ledger believes what was seen. What is missing counts as uncertain and not as gone: then it is registered again if it
 * is wanted, and withdrawn for certain if it is not. With `prune`, so is what returned; only once, because what stays then is not ours.
 */
export function believing(state: UnitState, drift: Drift, options: { readonly prune: boolean }): UnitState {
  const returned = options.prune ? drift.returned : NONE;
  const lost = new Set(drift.lost);
  const { shownOptions, refusal, ...rest } = state;
  return {
    ...rest,
    // What was given up is worth another try.
    ...(refusal === undefined || isUnshown(state) ? {} : { refusal }),
    ...(shownOptions === undefined || has(drift.missing, EDGE) ? {} : { shownOptions }),
    shown: without(state.shown, drift.missing),
    maybe: state.maybe | drift.missing | returned,
    ...(state.past === undefined ? {} : { past: without(state.past, returned) }),
    nodes: state.nodes.filter((node) => !lost.has(node)),
  };
}

const TRIES = 2;
/** The edge itself has one more: somebody may take its last columns before us, and then a call with these leaves it bare. */
const BARE_TRIES = 3;

/**
 * After the calls of one change: nothing more to prove, or what is missing is sent again and what is still there is taken away again, once
 * (a bare edge twice); then the vendor does not do it. `keep`: nothing may be taken away now.
 */
export function readBack(
  state: UnitState,
  seen: Seen | undefined,
  { at, keep = false }: { readonly at: number; readonly keep?: boolean },
): UnitState {
  const { unproved = 0, taken = NONE } = state;
  const proved = trusted(state);
  if (seen === undefined) return proved;
  const missing = without(state.shown & wish(state).mask, visible(state, seen));
  const still = keep ? NONE : stillThere(state, seen);
  if ((missing | still) === NONE) return proved;
  const drift = { missing, returned: NONE, lost: [], foreign: [], unshown: NONE };
  const believed = believing(proved, drift, { prune: false });
  const next = { ...believed, shown: believed.shown | still };
  const times = unproved + 1;
  const bare = missing === NONE && still === EDGE;
  if (times < (bare ? BARE_TRIES : TRIES)) return { ...next, unproved: times, taken };
  const message = `${unkept(state, missing, still)} ${wish(state).mask === NONE ? REMOVE : AGAIN}`;
  return refusedBy(dropped(next), { kind: UNSHOWN, message, at });
}

/**
 * What the calls took away and the vendor shows all the same. The edge itself counts only without columns of anybody else: theirs would
 * go with it.
 */
function stillThere(state: UnitState, seen: Seen): Mask {
  const taken = state.taken ?? NONE;
  // None of it is wanted, in either direct flag, or was there before us: a register takes its parts out, and no withdraw holds what is not ours.
  const still = taken & visible(state, seen);
  const ours = new Set(columnsOf(state, taken).map(pairKey));
  return seen.columns.every((column) => ours.has(pairKey(column))) ? still : without(still, EDGE);
}

/**
 * A unit that nobody wants any more and the vendor refuses to take back: what of it is there still. With columns of others the edge stays,
 * as it does when ours are withdrawn. The same object when all of it is there. Only meaningful when no call can take effect any more.
 */
export function stillShown(state: UnitState, seen: Seen): UnitState {
  // What the vendor said it took away counts as ours until that was read back.
  const ours = new Set(columnsOf(state, state.shown | state.maybe | (state.taken ?? NONE)).map(pairKey));
  const there = visible(state, seen);
  const rest = seen.columns.every((column) => ours.has(pairKey(column))) ? there : without(there, EDGE);
  const [shown, maybe] = [state.shown & rest, state.maybe & rest];
  if (shown === state.shown && maybe === state.maybe) return state;
  const next = { ...state, shown, maybe };
  return leftover(next) === NONE ? pardoned(next) : next;
}

const AGAIN =
  'Look there. It is sent again when the manifest changes, once a day, and at once with POST /reconcile and its "owners".';
const REMOVE = 'Look there.';

/** What the vendor did not do, for people. */
function unkept(state: UnitState, missing: Mask, still: Mask): string {
  const name = (tables: UnitState['from']): string => tables.map((table) => table.name).join(', ');
  const lost = columnsOf(state, missing).length;
  const left = columnsOf(state, still).length;
  const said: string[] = [];
  if (missing !== NONE)
    said.push(`took all columns, twice, and does not show ${lost === 0 ? 'the edge' : `${lost} of them`}`);
  if (still !== NONE)
    said.push(
      `deleted what was withdrawn, twice, and still shows ${left === 0 ? 'the edge' : `${left} column(s) of it`}`,
    );
  return `${name(state.from)} -> ${name(state.to)}: the vendor answered that it ${said.join('; it ')}.`;
}
