import { contentOf, loudOptions, wish } from './claims.ts';
import type { ColumnEdge } from './edge.ts';
import { EDGE, has, type Mask, NONE, without } from './mask.ts';
import type { Intent } from './unit-state.ts';
import { intern, pairKey, type Refusal, type UnitState } from './unit-state.ts';

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
  const { intent: _done, lease: _released, refusal: _gone, ...rest } = state;
  const base: UnitState = { ...rest, changedAt: result.at };
  if (intent.op === 'withdraw') {
    return {
      ...base,
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
  return {
    ...base,
    ...registered,
    shown: state.shown | intent.mask,
    maybe: without(state.maybe, intent.mask),
    shownOptions: intent.options,
    addUntil: result.ambiguous ? Math.max(state.addUntil, intent.until) : state.addUntil,
  };
}

/** A call whose answer is not known, our own or a dead worker's: its parts are uncertain and the opposite call waits. */
export function uncertain(state: UnitState, intent: Intent, createOnly: boolean): UnitState {
  const { intent: _folded, lease: _released, ...base } = state;
  if (createOnly) {
    const node = { mask: intent.mask, options: intent.options, until: intent.until };
    return { ...base, uncertain: [...state.uncertain, node] };
  }
  if (intent.op === 'register') {
    return {
      ...base,
      maybe: state.maybe | without(intent.mask, state.shown),
      addUntil: Math.max(state.addUntil, intent.until),
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

/** Whether the vendor had the edge before us. */
export function adopted(state: UnitState): boolean {
  return has(state.foreign ?? NONE, EDGE);
}

/** Nothing of ours is left, at the vendor or in anybody's wish. */
export function finished(state: UnitState): boolean {
  return (
    Object.keys(state.claims).length === 0 &&
    state.nodes.length === 0 &&
    state.uncertain.length === 0 &&
    without(state.shown | state.maybe, state.foreign ?? NONE) === NONE &&
    state.intent === undefined
  );
}

/** The intent of a call about to be made. */
export function intend(
  state: UnitState,
  call: { readonly op: Intent['op']; readonly mask: Mask; readonly cascade: boolean; readonly until: number },
): Intent {
  return { ...call, options: call.op === 'register' ? loudOptions(state, wish(state).options) : '' };
}
