import type { OwnerState } from '../../shared/converge/owner.ts';
import { oldestUnknown, type StatusDocument } from '../../shared/converge/status.ts';

/** What a pass has seen so far. Bounded, however many owners there are: it is kept in one row while the pass goes on. */
export interface Tally {
  owners: number;
  /** Owners by what became of them: `unchanged`, `queued`, `done`, `unfinished`, `busy`, `waiting`, `failed` … */
  readonly outcomes: Record<string, number>;
  /** Edges by outcome, as their status documents say. */
  readonly edges: Record<string, number>;
  /** Owners by the state of their status document. */
  readonly verdicts: Record<string, number>;
  readonly held: HeldGroup[];
  /** Owners with a verdict that somebody should look at, at most so many as are listed. */
  readonly attention: { readonly owner: string; readonly state: string }[];
  readonly failures: { readonly owner: string; readonly reason: string }[];
  readonly slowest: { readonly owner: string; readonly ms: number }[];
  /** Since when (epoch ms) the oldest work is left, and since when the first edge is unknown that only a person can tell about. */
  oldest?: { unsettled?: number; unknown?: number };
  /** What the lists above had no room for. */
  readonly more: { held: number; attention: number; failures: number };
}

/** Changes held under one id, of one owner or of many that vanished together. */
export interface HeldGroup {
  readonly id: string;
  /** Since when (epoch ms). */
  readonly since: number;
  readonly reason: string;
  owners: number;
  edges: number;
}

const MOST = { held: 50, attention: 50, failures: 50, slowest: 10 };
const LOOK_AT: ReadonlySet<string> = new Set(['failed', 'invalid', 'incomplete']);
const REASON_LENGTH = 300;

export function newTally(): Tally {
  return {
    owners: 0,
    outcomes: {},
    edges: {},
    verdicts: {},
    held: [],
    attention: [],
    failures: [],
    slowest: [],
    more: { held: 0, attention: 0, failures: 0 },
  };
}

/** Counts an owner by what its row says; `since`: only convergences after that are news enough to be among the slowest. */
export function countRow(tally: Tally, outcome: string, state: OwnerState | undefined, since: number): void {
  count(tally, outcome);
  if (state === undefined) return;
  if (!OVER.has(outcome)) countAge(tally, state);
  addAll(tally.edges, state.outcomes ?? {});
  const { held, last } = state;
  if (last !== undefined) countVerdict(tally, state.owner, last.state);
  if (last !== undefined && last.at >= since) countTime(tally, state.owner, last.ms);
  if (held !== undefined) {
    const edges = state.outcomes?.['held'] ?? ('ids' in held.units ? held.units.ids.length : 0);
    countHeld(tally, { id: held.id, since: held.at, reason: held.reason, owners: 1, edges });
  }
}

/** Counts an owner by how its convergence ended just now. */
export function countStatus(tally: Tally, outcome: string, status: StatusDocument, since: number, ms: number): void {
  count(tally, outcome);
  addAll(tally.edges, status.counts);
  countVerdict(tally, status.owner, status.state);
  countTime(tally, status.owner, ms);
  note(tally, 'unknown', oldestUnknown(status.edges));
  const { id, reason, since: heldSince } = status.held ?? {};
  if (typeof id !== 'string') return;
  const from = typeof heldSince === 'string' ? Date.parse(heldSince) : since;
  countHeld(tally, { id, since: from, reason: String(reason ?? ''), owners: 1, edges: status.counts['held'] ?? 0 });
}

/** Counts since when an owner is not settled, or has an edge that only a person can tell about. */
export function countAge(tally: Tally, state: OwnerState, now = Number.POSITIVE_INFINITY): void {
  if (!state.settled) note(tally, 'unsettled', state.goal?.since ?? state.vanish?.at ?? state.queued?.at ?? now);
  // Rows of before it was written down say only when they were looked at last.
  if ((state.outcomes?.['unknown'] ?? 0) > 0) note(tally, 'unknown', state.unknownSince ?? state.last?.at);
}

function note(tally: Tally, which: 'unsettled' | 'unknown', since: number | undefined): void {
  if (since === undefined || since === Number.POSITIVE_INFINITY) return;
  tally.oldest = { ...tally.oldest, [which]: Math.min(tally.oldest?.[which] ?? since, since) };
}

/** How it ends for owners about which nothing is left to do, whatever their rows said before. */
const OVER: ReadonlySet<string> = new Set(['absent', 'dropped']);

export function countFailure(tally: Tally, owner: string, reason: string): void {
  count(tally, 'failed');
  if (tally.failures.length < MOST.failures) tally.failures.push({ owner, reason: reason.slice(0, REASON_LENGTH) });
  else tally.more.failures += 1;
}

function count(tally: Tally, outcome: string): void {
  tally.owners += 1;
  addAll(tally.outcomes, { [outcome]: 1 });
}

function countVerdict(tally: Tally, owner: string, state: string): void {
  addAll(tally.verdicts, { [state]: 1 });
  if (!LOOK_AT.has(state)) return;
  if (tally.attention.length < MOST.attention) tally.attention.push({ owner, state });
  else tally.more.attention += 1;
}

function countTime(tally: Tally, owner: string, ms: number): void {
  const { slowest } = tally;
  const place = slowest.findIndex((each) => each.ms < ms);
  slowest.splice(place === -1 ? slowest.length : place, 0, { owner, ms });
  slowest.length = Math.min(slowest.length, MOST.slowest);
}

function countHeld(tally: Tally, group: HeldGroup): void {
  const known = tally.held.find((each) => each.id === group.id);
  if (known !== undefined) {
    known.owners += group.owners;
    known.edges += group.edges;
  } else if (tally.held.length < MOST.held) tally.held.push({ ...group, reason: group.reason.slice(0, REASON_LENGTH) });
  else tally.more.held += 1;
}

function addAll(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + number;
}
