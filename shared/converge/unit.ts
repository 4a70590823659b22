import { columnsOf, compact, wish } from '../core/claims.ts';
import { readBack, stillShown } from '../core/drift.ts';
import { asFailure, type Failure } from '../core/failure.ts';
import { NONE } from '../core/mask.ts';
import { type Capabilities, nextStep, type Step } from '../core/plan.ts';
import {
  dropped,
  failing,
  folded,
  intend,
  looked,
  proved,
  refusedBy,
  succeeded,
  trusted,
  uncertain,
} from '../core/transition.ts';
import { decodeUnit, type Intent, newUnit, type UnitState } from '../core/unit-state.ts';
import { BUDGET_SPENT } from '../http/budget.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Receipt } from '../vendors/vendor.ts';
import { commit, insist } from './commit.ts';
import { capabilitiesOf, type UnitTask, withWish } from './task.ts';
import { unitKey, unitRow } from './unit-row.ts';
import {
  NO_TIME,
  OWN_RULES,
  opened,
  reconsidered,
  refusalOf,
  shutFor,
  timeLeft,
  type UnitContext,
  type UnitResult,
} from './unit-turn.ts';
import { vendorReads } from './vendor-reads.ts';

export type { UnitContext, UnitResult } from './unit-turn.ts';

/** So often a change is tried to be read back while reading fails, later and later each time; then the vendor's answers are believed. */
const MOST_UNREAD = 10;

/** Whether what was found says which of the creates in doubt was carried out. */
function tells({ uncertain: doubts }: UnitState, found: readonly string[]): boolean {
  const contents = new Set(doubts.map((each) => `${each.mask} ${each.options}`));
  return found.length === 0 || found.length >= doubts.length || contents.size === 1;
}

/**
 * Brings one unit to what all its owners want: claim, intent, call, confirm, again until nothing is left to do
 * (protocol: a claim and an intent are one conditional write before the call, the confirm one after it).
 */
export async function settleUnit(task: UnitTask, preread: Row | undefined, context: UnitContext): Promise<UnitResult> {
  const { deps } = context;
  const { vendor } = task.target;
  const createOnly = !vendor.abilities.withdraw;
  let unreadable = false;
  let unread: string | undefined;
  const can: Capabilities = capabilitiesOf(task.target);
  const result = (rest: Omit<UnitResult, 'id' | 'target' | 'called' | 'claimed'>, claimed = true): UnitResult => ({
    id: task.id,
    target: task.target.name,
    called,
    claimed,
    ...rest,
  });
  const reads = vendorReads(task.target, context.shut, callDeadline);
  let called = false;
  let row = preread;
  /** What `row` says, as long as it is what we wrote: a unit of thousands of columns is not read anew for each of its calls. */
  let written: UnitState | undefined;
  for (;;) {
    // Later than this our lease on the owner may be somebody else's, who knows better what the owner wants.
    if (deps.now() >= context.deadlineMs)
      return result({ open: { reason: NO_TIME, until: deps.now(), waiting: true } }, false);
    const stored = written ?? (row ? decodeUnit(row.body) : undefined);
    if (stored === undefined && task.want === undefined) return result({ done: { verdict: 'gone' } });
    if (stored?.lease && stored.lease.token !== context.token && deps.alive(stored.lease)) {
      const open = { reason: 'another convergence works on it', busy: true };
      return result({ state: stored, open }, false);
    }
    const before = folded(stored ?? newUnit((task.want as NonNullable<UnitTask['want']>).origin), createOnly);
    const wished = withWish(can.verify ? before : trusted(before), task);
    let state = reconsidered(wished, task, context);
    const anew = state !== wished;
    let step = nextStep(state, { ...can, locate: can.locate && !unreadable }, deps.now());
    if (step.do === 'look') {
      const shut = await shutFor(task, context);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await reads.look(state);
      if ('failure' in found) {
        const { failure } = found;
        if (failure.retryable || OWN_RULES.has(failure.code)) return writeClaim(state, before, step, failure);
        const message = `presence could not be read: ${failure.message}`;
        state = refusedBy(state, { ...refusalOf(state, failure, task, deps.now()), message });
      } else state = looked(state, found);
      step = nextStep(state, can, deps.now());
    }
    if (step.do === 'locate') {
      const shut = await shutFor(task, context);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await reads.locate(state);
      if (Array.isArray(found) && tells(state, found)) state = proved(state, found, deps.now());
      else if (Array.isArray(found)) unreadable = true;
      else if (found.failure.retryable) return writeClaim(state, before, step, found.failure);
      // The account cannot be read after all: then a person has to look.
      else unreadable = true;
      step = nextStep(state, { ...can, locate: can.locate && !unreadable }, deps.now());
    }
    if (step.do === 'verify') {
      const shut = await shutFor(task, context);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await reads.lookBack(state);
      if ('failure' in found) {
        const { failure } = found;
        // What only waits for its turn is no reason to give up.
        if (OWN_RULES.has(failure.code) || failure.kind === 'throttled')
          return writeClaim(state, before, step, failure);
        const times = (state.unread ?? 0) + 1;
        if (failure.retryable && times < MOST_UNREAD) {
          return writeClaim({ ...state, unread: times }, before, step, failure);
        }
        unread = `what ${vendor.title} shows of it could not be read back, so its answers are believed: ${failure.message}`;
      }
      const keep = can.keep === true;
      state = readBack(state, 'failure' in found ? undefined : found, { at: deps.now(), keep });
      step = nextStep(state, can, deps.now());
    }
    if (step.do === 'withdraw' && anew && can.verify && wish(state).mask === NONE) {
      const shut = await shutFor(task, context);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      // Somebody may have removed it by hand meanwhile; what they put there in its place is not ours.
      const found = await reads.lookBack(state);
      if (!('failure' in found)) state = stillShown(state, found);
      else if (found.failure.retryable || OWN_RULES.has(found.failure.code))
        return writeClaim(state, before, step, found.failure);
      step = nextStep(state, can, deps.now());
    }
    if (step.do !== 'register' && step.do !== 'withdraw') {
      if (state !== stored && !(await put(state))) continue;
      if (step.do === 'wait') return result({ state, open: { until: step.until, reason: step.reason } });
      const done = step as Extract<Step, { do: 'nothing' }>;
      return result({ state, done: unread === undefined ? done : { ...done, unread } });
    }
    const shut = await shutFor(task, context);
    if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);

    const deadlineMs = callDeadline();
    const until = deadlineMs + deps.settings.lateBoundMs + 2 * deps.settings.clockSkewMs;
    const intent = intend(state, {
      op: step.do,
      mask: step.mask,
      cascade: step.do === 'withdraw' && step.cascade,
      until,
      ...(step.part && can.verify ? { part: true } : {}),
    });
    const lease = { token: context.token, until: context.leaseUntil, step: deps.id() };
    state = { ...state, intent, lease };
    if (!(await put(state))) continue;

    called = true;
    const answer = await call(state, intent, deadlineMs);
    const confirmed = await confirm(state, (current) => afterCall(current, answer));
    if (confirmed === undefined) {
      return result({ state, open: { reason: 'another convergence took it over', busy: true } });
    }
    if (!('failure' in answer)) continue;
    const { failure } = answer;
    if (failure.kind === 'denied' || failure.code === BUDGET_SPENT) context.shut.set(task.target.name, failure);
    if (OWN_RULES.has(failure.code) || (failure.retryable && !(createOnly && failure.maybeApplied))) {
      return result({ state: confirmed, open: opened(failure, deps.now()) });
    }
  }

  /** By when a call that begins now has to be over. */
  function callDeadline(): number {
    const { callBudgetMs, ledgerTimeoutMs } = deps.settings;
    return Math.min(deps.now() + callBudgetMs, context.deadlineMs - ledgerTimeoutMs);
  }

  /** Writes the state iff the row is as we read it; refreshes `row` either way. `through` is how each call of the ledger is made. */
  async function put(
    state: UnitState,
    through: <T>(call: () => Promise<T>) => Promise<T> = (call) => call(),
  ): Promise<boolean> {
    const kept = compact(state);
    const next = unitRow(kept, deps);
    written = undefined;
    if (await through(() => commit(deps.ledger, next, row?.rev ?? null))) {
      row = next;
      written = kept;
      return true;
    }
    row = await through(() => deps.ledger.get(unitKey(task.id)));
    return false;
  }

  /** No call can be made now: the claim is kept all the same, so that whoever comes next knows of it. */
  async function writeClaim(state: UnitState, before: UnitState, step: Step, failure?: Failure): Promise<UnitResult> {
    const open = failure ? opened(failure, deps.now()) : { reason: NO_TIME, until: deps.now(), waiting: true };
    const { intent: _unsent, ...claimed } = state;
    const same = claimed.claims === before.claims && claimed.unread === before.unread && row !== undefined;
    const kept = same || (await put(claimed));
    const what = step.do === 'look' ? 'presence' : step.do === 'verify' ? 'what came of it' : undefined;
    const said = what !== undefined && failure && !OWN_RULES.has(failure.code);
    const reason = said ? `${what} could not be read: ${open.reason}` : open.reason;
    return result({ state: claimed, open: { ...open, reason } }, kept);
  }

  async function call(state: UnitState, intent: Intent, deadlineMs: number): Promise<Receipt | { failure: Failure }> {
    const { from, to, spec } = state;
    const options = state.lastOptions ?? wish(state).options;
    const request = { from, to, spec, columns: columnsOf(state, intent.mask), options };
    const { client } = task.target;
    try {
      if (intent.op === 'register' && client.register) return await client.register(request, { deadlineMs });
      if (intent.op === 'withdraw' && client.withdraw) {
        return await client.withdraw({ ...request, cascade: intent.cascade }, { deadlineMs });
      }
      throw new Error(`${vendor.name} has no ${intent.op}`);
    } catch (thrown) {
      return { failure: asFailure(thrown) };
    }
  }

  function afterCall(state: UnitState, answer: Receipt | { failure: Failure }): UnitState {
    const at = deps.now();
    // Bits may have moved when another owner's claim was written into the row: its own intent is the one to confirm.
    const intent = state.intent as Intent;
    if (!('failure' in answer)) return succeeded(state, intent, { ...answer, at, createOnly });
    const { failure } = answer;
    if (failure.maybeApplied) return failing(uncertain(state, intent, createOnly), failure, at);
    if (OWN_RULES.has(failure.code)) return dropped(state);
    if (failure.retryable) return failing(dropped(state), failure, at);
    return refusedBy(state, refusalOf(state, failure, task, deps.now()));
  }

  /**
   * Writes what the call led to, on the item that carries our own intent and no other. Undefined when a successor took the
   * unit: it has taken our intent for uncertain, so there is nothing left for us to say. What is forgotten here is an edge in doubt.
   */
  async function confirm(sent: UnitState, next: (current: UnitState) => UnitState): Promise<UnitState | undefined> {
    let current = sent;
    for (;;) {
      const state = next(current);
      if (await put(state, (write) => insist(write, { now: () => deps.now(), untilMs: context.deadlineMs })))
        return state;
      if (row === undefined) return undefined;
      current = decodeUnit(row.body);
      if (current.lease?.token !== context.token || current.lease.step !== sent.lease?.step) return undefined;
    }
  }
}
