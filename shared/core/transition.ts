import { contentOf, loudOptions, notOurs, twinsOf, wish } from './claims.ts';
import type { ColumnEdge } from './edge.ts';
import { answerOf, type Failure } from './failure.ts';
import { EDGE, has, latest, type Mask, NONE, without } from './mask.ts';
import { intern, pairKey } from './parts.ts';
import type { Intent, Refusal, UnitState } from './unit-state.ts';

/**
 * How knowledge about a unit changes. Each function takes a state and gives the next; the ledger write that makes it true is
 * converge's business. `repeatable` vendors keep masks of what is shown, create-only vendors a list of nodes.
 */

/** What a successful call leaves: the parts are there (or gone). An ambiguous success keeps the opposite waiting. */
export function succeeded(
  state: UnitState,
  intent: Intent,
  result: { readonly receipt: string; readonly ambiguous: boolean; readonly at: number; readonly createOnly: boolean },
): UnitState {
  const { intent: _done, lease: _released, refusal: _gone, lastFailure: _over, ...rest } = state;
  const base: UnitState = { ...rest, changedAt: result.at };
  if (intent.op === 'withdraw') {
    return {
      ...base,
      ...remembering(state, intent.mask),
      ...(intent.part || state.unproved !== undefined
        ? { unproved: state.unproved ?? 0, taken: (state.taken ?? NONE) | intent.mask }
        : {}),
      receipt: result.receipt,
      shown: without(state.shown, intent.mask),
      maybe: without(state.maybe, intent.mask),
      delUntil: result.ambiguous ? Math.max(state.delUntil, intent.until) : state.delUntil,
    };
  }
  const registered = { receipt: result.receipt, registeredAt: state.registeredAt ?? result.at };
  if (result.createOnly) {
    const node = { mask: intent.mask, options: intent.options, receipt: result.receipt, at: result.at };
    return { ...base, ...registered, nodes: [...state.nodes, node] };
  }
  const { addOptions: _past, ...now } = base;
  const calm = !result.ambiguous && result.at >= state.addUntil;
  const twins = twinsOf(state, intent.mask);
  return {
    ...(calm ? now : base),
    ...(state.past === undefined ? {} : { past: without(state.past, intent.mask | twins) }),
    ...(intent.part ? { unproved: state.unproved ?? 0 } : {}),
    ...(state.taken === undefined ? {} : { taken: without(state.taken, intent.mask | twins) }),
    ...registered,
    shown: without(state.shown, twins) | intent.mask,
    maybe: without(state.maybe, twins | intent.mask),
    shownOptions: intent.options,
    ...(result.ambiguous ? mayArrive(state, intent) : {}),
  };
}

const MOST_PAST = 40;

/** Columns that go now and were surely ours. */
function remembering(state: UnitState, gone: Mask): Pick<UnitState, 'past'> {
  const ours = without(gone & state.shown, EDGE | notOurs(state, gone));
  if (ours === NONE) return {};
  return { past: latest((state.past ?? NONE) | ours, MOST_PAST) };
}

/** A register that may still be carried out: no withdraw, and no register of anything else, before it cannot any more. */
function mayArrive(state: UnitState, intent: Intent): Pick<UnitState, 'addUntil'> & { readonly addOptions: string } {
  const same = state.addOptions === undefined || state.addOptions === intent.options;
  return { addUntil: Math.max(state.addUntil, intent.until), addOptions: same ? intent.options : '*' };
}

/** A call whose answer is not known, our own or a dead worker's: its parts are uncertain and the opposite call waits. */
export function uncertain(state: UnitState, intent: Intent, createOnly: boolean): UnitState {
  const { intent: _folded, lease: _released, ...base } = state;
  if (createOnly) {
    const node = { mask: intent.mask, options: intent.options, until: intent.until };
    return { ...base, uncertain: [...state.uncertain, node] };
  }
  if (intent.op === 'register') {
    // It may have replaced the options, and columns by their twins.
    const twins = twinsOf(state, intent.mask) & (state.shown | state.maybe);
    const { shownOptions, ...rest } = base;
    return {
      ...rest,
      ...(shownOptions === intent.options ? { shownOptions } : {}),
      shown: without(state.shown, twins),
      maybe: state.maybe | twins | without(intent.mask, state.shown),
      ...mayArrive(state, intent),
    };
  }
  // A cascade may have taken the table edge too; the mask says so, because the last chunk carries its bit.
  return {
    ...base,
    shown: without(state.shown, intent.mask),
    maybe: state.maybe | (intent.mask & (state.shown | state.maybe)),
    delUntil: Math.max(state.delUntil, intent.until),
  };
}

/** A call that certainly did nothing. */
export function dropped(state: UnitState): UnitState {
  const { intent: _dropped, lease: _released, ...base } = state;
  return base;
}

const LONGEST_MESSAGE = 300;

/** Remembers why a call came to nothing, for whoever reports on the unit while it waits for its next turn. */
export function failing(state: UnitState, failure: Failure, at: number): UnitState {
  const answer = answerOf(failure);
  const message = failure.message.slice(0, LONGEST_MESSAGE);
  return { ...state, lastFailure: { message, at, ...(answer === undefined ? {} : { answer }) } };
}

/** What was refused is tried again before its time: a person asked, or the secret is another one. */
export function pardoned(state: UnitState): UnitState {
  const { refusal: _forgotten, ...rest } = state;
  return rest;
}

/** Nothing is left to be read back: what the vendor answered is believed. */
export function trusted(state: UnitState): UnitState {
  if (state.unproved === undefined) return state;
  const { unproved: _read, taken: _gone, unread: _failures, ...rest } = state;
  return rest;
}

/** The vendor refuses what is wanted now; remembered so that it is not sent again and again. */
export function refusedBy(state: UnitState, refusal: Omit<Refusal, 'content' | 'attempts'>): UnitState {
  const content = contentOf(state, wish(state));
  const attempts = state.refusal?.content === content ? state.refusal.attempts + 1 : 1;
  return { ...dropped(state), refusal: { ...refusal, content, attempts } };
}

/** A leftover intent of a holder that is gone. */
export function folded(state: UnitState, createOnly: boolean): UnitState {
  return state.intent ? uncertain(state, state.intent, createOnly) : state;
}

/** What was at the vendor before our first register; never deleted by us. */
export function looked(
  state: UnitState,
  found: { readonly edge: boolean; readonly columns: readonly ColumnEdge[] },
): UnitState {
  const known = new Set(found.columns.map(pairKey));
  const twins = state.parts.filter((part) => known.has(pairKey(part)));
  const { parts, mask } = intern(state.parts, [...twins, ...found.columns]);
  const foreign: Mask = found.edge || found.columns.length > 0 ? mask : NONE;
  return { ...state, parts, foreign };
}

/**
 * What a complete read of the vendor says about creates whose outcome was not known: what it found is ours, and where it found nothing
 * there is nothing. Only to be asked once no such create can be carried out any more.
 */
export function proved(state: UnitState, found: readonly string[], at: number): UnitState {
  const { uncertain, ...rest } = state;
  const nodes = uncertain
    .slice(-found.length)
    .map(({ mask, options }, index) => ({ mask, options, receipt: found[index] ?? '', at }));
  if (found.length === 0) return { ...rest, uncertain: [] };
  return {
    ...rest,
    uncertain: [],
    nodes: [...state.nodes, ...nodes],
    registeredAt: state.registeredAt ?? at,
    changedAt: at,
  };
}

/** Whether the vendor had the edge before us. */
export function adopted(state: UnitState): boolean {
  return has(state.foreign ?? NONE, EDGE);
}

/** Nothing of ours is left, at the vendor or in anybody's wish, and that was read back where it can be. */
export function finished(state: UnitState): boolean {
  return (
    Object.keys(state.claims).length === 0 &&
    state.nodes.length === 0 &&
    state.uncertain.length === 0 &&
    state.unproved === undefined &&
    notOurs(state, state.shown | state.maybe) === (state.shown | state.maybe) &&
    state.intent === undefined
  );
}

/** The intent of a call about to be made. */
export function intend(
  state: UnitState,
  call: {
    readonly op: Intent['op'];
    readonly mask: Mask;
    readonly cascade: boolean;
    readonly until: number;
    readonly part?: true;
  },
): Intent {
  return { ...call, options: call.op === 'register' ? loudOptions(state, wish(state).options) : '' };
}
