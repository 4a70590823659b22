import { contentOf, covers, loudOptions, notOurs, twinsOf, type Wish, wish } from './claims.ts';
import { EDGE, has, type Mask, NONE, positions, take, without } from './mask.ts';
import type { UnitState } from './unit-state.ts';

/** What a vendor can do, as far as planning cares. */
export interface Capabilities {
  /** Repeating a register adds nothing twice. */
  readonly repeatable: boolean;
  readonly withdraw: boolean;
  /** Presence can be read before the first register. */
  readonly look: boolean;
  /** Whether a create whose outcome is not known can be looked for. */
  readonly locate: boolean;
  /** Whether a change can be read back. */
  readonly verify?: boolean;
  readonly columnsPerCall: number;
  /** Nothing may be withdrawn now: what is no longer wanted stays until it may. */
  readonly keep?: boolean;
}

/** The next thing to do about a unit, with its reason. */
export type Step =
  | { readonly do: 'nothing'; readonly verdict: Verdict; readonly reason?: string }
  | { readonly do: 'look' }
  | { readonly do: 'locate' }
  | { readonly do: 'verify' }
  | {
      readonly do: 'register';
      readonly mask: Mask;
      /** More calls belong to the same change. */
      readonly part?: true;
      readonly reason: string;
    }
  | {
      readonly do: 'withdraw';
      readonly mask: Mask;
      readonly cascade: boolean;
      /** More calls belong to the same change, or the edge goes with its last columns. */
      readonly part?: true;
      readonly reason: string;
    }
  | { readonly do: 'wait'; readonly until: number; readonly reason: string };

export type Verdict =
  /** Shown as the owners want it. */
  | 'shown'
  /** Nobody wants it and nothing of ours is left. */
  | 'gone'
  /** Nobody wants it (or not like this) and the vendor cannot take it back. */
  | 'left-behind'
  /** A create may or may not have happened and nobody can tell. */
  | 'unknown'
  /** The vendor refuses this content. */
  | 'refused';

/**
 * The next step of one unit: what its owners want against what is known to be at the vendor. Pure; planning again after
 * the step succeeded leads to `nothing`.
 *
 * | vendor can withdraw | wanted | known | step |
 * |---|---|---|---|
 * | yes | some | never looked, nothing registered | look (once, so that what others put there is never deleted) |
 * | yes | column direct, shown indirect (or the reverse) | | withdraw the old column first, then register |
 * | yes | more than shown | no withdraw outstanding | register, at most `columnsPerCall` columns a call |
 * | yes | more than shown | a withdraw may still arrive | wait |
 * | yes | other options or direct flags than an outstanding register | it may still arrive | wait |
 * | yes | less than shown or uncertain, edge stays | no register outstanding | withdraw columns without cascade |
 * | yes | as known | a change of several calls, or an edge's withdrawal, was not read back yet | verify |
 * | yes | nothing | some columns known | withdraw columns, uncertain first, cascade on the last call |
 * | yes | nothing | no column known | withdraw the pair without columns |
 * | yes | less | a register may still arrive | wait |
 * | no | some | a node covers it | nothing: shown |
 * | no | some | a possible node, the vendor can be read | wait until it cannot arrive any more, then locate |
 * | no | some | a possible node covers it, the vendor cannot be read | nothing: unknown |
 * | no | some | no node covers it | register all of it as a new node |
 * | no | nothing | a node | nothing: left-behind |
 * | any | refused before, content unchanged | | nothing: refused (or wait until it is worth trying) |
 *
 * With `keep` no row withdraws: a column whose direct flag changed waits, and what would go is `shown` with that reason.
 */
export function nextStep(state: UnitState, can: Capabilities, now: number): Step {
  const wanted = wish(state);
  const refusal = state.refusal && state.refusal.content === contentOf(state, wanted) ? state.refusal : undefined;
  if (refusal && refusal.retryAt === undefined) return { do: 'nothing', verdict: 'refused', reason: refusal.message };
  if (refusal?.retryAt !== undefined && now < refusal.retryAt) {
    return { do: 'wait', until: refusal.retryAt, reason: refusal.message };
  }
  return can.withdraw ? nextOfPair(state, wanted, can, now) : nextOfNode(state, wanted, can, now);
}

function nextOfPair(state: UnitState, wanted: Wish, can: Capabilities, now: number): Step {
  const missing = without(wanted.mask, state.shown);
  const unwanted = without(state.shown | state.maybe, wanted.mask);
  const toDelete = without(unwanted, notOurs(state, unwanted));
  // With the other direct flag it is one thing at the vendor: the old one goes before the new one comes.
  const first = toDelete & twinsOf(state, missing);
  const toAdd = can.keep ? without(missing, twinsOf(state, first)) : missing;
  if (first !== NONE && !can.keep) {
    const change = { edgeGoes: false, more: true, reason: 'direct flag changed: the old column edge goes first' };
    return withdraw(state, first, can, now, change);
  }
  const more = toDelete !== NONE && !can.keep;
  if (toAdd !== NONE) {
    if (can.look && state.foreign === undefined) return { do: 'look' };
    const reason = has(wanted.mask & state.shown, EDGE) ? 'columns added' : 'declared';
    return register(state, toAdd, can, now, { more, reason });
  }
  if (wanted.mask !== NONE && state.shownOptions !== loudOptions(state, wanted.options)) {
    return register(state, EDGE, can, now, { more, reason: 'options changed' });
  }
  if (!more && can.verify && state.unproved !== undefined) return { do: 'verify' };
  if (toDelete === NONE && wanted.mask !== NONE) return { do: 'nothing', verdict: 'shown' };
  if (toDelete === NONE && unwanted !== NONE) {
    return {
      do: 'nothing',
      verdict: 'left-behind',
      reason: 'it was at the vendor before it was declared here, so it stays',
    };
  }
  if (toDelete === NONE) return { do: 'nothing', verdict: 'gone' };
  if (can.keep) {
    const what = has(toDelete, EDGE) ? 'it' : `${positions(toDelete).length} column edge(s)`;
    return {
      do: 'nothing',
      verdict: 'shown',
      reason: `${what} would be withdrawn, but ${state.target} is upsert-only`,
    };
  }
  const edgeGoes = has(toDelete, EDGE);
  const reason = edgeGoes ? 'no owner declares it any more' : 'columns withdrawn';
  return withdraw(state, toDelete, can, now, { edgeGoes, more: false, reason });
}

/** What a call belongs to: `more` calls of another kind follow. */
interface Change {
  readonly more: boolean;
  readonly reason: string;
}

function register(state: UnitState, toAdd: Mask, can: Capabilities, now: number, { more, reason }: Change): Step {
  if (now < state.delUntil) return { do: 'wait', until: state.delUntil, reason: 'a withdraw may still arrive' };
  if (now < state.addUntil && overtakes(state, toAdd)) {
    return { do: 'wait', until: state.addUntil, reason: 'a register of something else may still arrive' };
  }
  // Every register call carries the table edge, so a chunk counts columns only.
  const mask = take(without(toAdd, EDGE), can.columnsPerCall) | EDGE;
  return { do: 'register', mask, ...(more || without(toAdd, mask) !== NONE ? { part: true } : {}), reason };
}

/** Whether an earlier register, should it arrive after this one, would undo it: other options, or the other direct flag. */
function overtakes(state: UnitState, toAdd: Mask): boolean {
  const { options } = wish(state);
  if (state.addOptions !== undefined && state.addOptions !== loudOptions(state, options)) return true;
  return (twinsOf(state, toAdd) & (state.shown | state.maybe)) !== NONE;
}

/** One withdraw call: uncertain columns first, the known ones last, cascade with the last of them. */
function withdraw(
  state: UnitState,
  toDelete: Mask,
  can: Capabilities,
  now: number,
  { edgeGoes, more, reason }: Change & { readonly edgeGoes: boolean },
): Step {
  if (now < state.addUntil) return { do: 'wait', until: state.addUntil, reason: 'a register may still arrive' };
  const columns = without(toDelete, EDGE);
  const uncertain = without(columns, state.shown);
  const known = columns & state.shown;
  if (columns === NONE) return { do: 'withdraw', mask: EDGE, cascade: true, reason };
  const chunk = take(uncertain === NONE ? known : uncertain, can.columnsPerCall);
  const last = edgeGoes && chunk === columns && uncertain === NONE;
  // A cascade takes the edge only if the vendor found a last column to take: whoever took it before leaves the edge bare.
  const part = more || edgeGoes || chunk !== columns ? ({ part: true } as const) : {};
  return { do: 'withdraw', mask: last ? chunk | EDGE : chunk, cascade: last, ...part, reason };
}

function nextOfNode(state: UnitState, wanted: Wish, can: Capabilities, now: number): Step {
  if (wanted.mask === NONE) {
    if (state.nodes.length > 0) return { do: 'nothing', verdict: 'left-behind' };
    return { do: 'nothing', verdict: state.uncertain.length > 0 ? 'left-behind' : 'gone' };
  }
  const accepted = acceptedOptions(state, wanted);
  const fits = (node: { readonly mask: Mask; readonly options: string }): boolean =>
    covers(node.mask, wanted.mask) && accepted.has(node.options);
  if (state.nodes.some(fits)) return { do: 'nothing', verdict: 'shown' };
  // Before another one is made, what may have been made is looked for: of two that are in doubt, nobody could tell which is there.
  if (can.locate && state.uncertain.length > 0) {
    const until = Math.max(...state.uncertain.map((each) => each.until));
    return now < until
      ? { do: 'wait', until, reason: 'it may still be created; then the vendor is asked' }
      : { do: 'locate' };
  }
  if (state.uncertain.some(fits)) return { do: 'nothing', verdict: 'unknown' };
  const reason = state.nodes.length > 0 ? 'content grew: a new node supersedes the old one' : 'declared';
  return { do: 'register', mask: wanted.mask, reason };
}

/** Any owner's own options are as good as the merged ones: a node that cannot be changed must not be made again over them. */
function acceptedOptions(state: UnitState, wanted: Wish): ReadonlySet<string> {
  const own = Object.values(state.claims).map((each) => loudOptions(state, each.options));
  return new Set([loudOptions(state, wanted.options), ...own]);
}
