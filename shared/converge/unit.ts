import { claim, columnsOf, compact, unclaim, wish } from '../core/claims.ts';
import type { ColumnEdge } from '../core/edge.ts';
import { asFailure, type Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { type Capabilities, nextStep, type Step, type Verdict } from '../core/plan.ts';
import {
  dropped,
  finished,
  folded,
  intend,
  looked,
  proved,
  refusedBy,
  succeeded,
  uncertain,
} from '../core/transition.ts';
import { decodeUnit, encodeUnit, type Intent, newUnit, type UnitOrigin, type UnitState } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Receipt } from '../vendors/vendor.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps, Target } from './deps.ts';

/** One owner's wish about one unit: these columns and options, or, without `want`, nothing any more. */
export interface UnitTask {
  readonly id: string;
  readonly owner: string;
  readonly target: Target;
  readonly want?: {
    readonly origin: UnitOrigin;
    readonly columns: readonly ColumnEdge[];
    readonly options: JsonObject;
  };
  /** Keep the claim as it stands and only settle what a dead worker left. */
  readonly settleOnly?: boolean;
}

/** How far a unit got. `open` means: come back, not before `until` if given. */
export interface UnitResult {
  readonly id: string;
  readonly target: string;
  readonly state?: UnitState;
  readonly done?: { readonly verdict: Verdict; readonly reason?: string };
  readonly open?: {
    readonly until?: number;
    readonly reason: string;
    readonly failure?: Failure;
    /** Another convergence is at work on it, and may be dead. */
    readonly busy?: boolean;
  };
  /** A vendor call of this convergence was about it. */
  readonly called: boolean;
  /** False while the owner's wish is not in the ledger yet. */
  readonly claimed: boolean;
}

/** What the units of one convergence share. */
export interface UnitContext {
  readonly deps: ConvergeDeps;
  readonly token: string;
  readonly leaseUntil: number;
  /** Hard end of the invocation. */
  readonly deadlineMs: number;
  /** Targets that refused our credentials during this convergence: asking again only makes it worse. */
  readonly shut: Map<string, Failure>;
}

export const unitKey = (id: string): string => `unit/${id}`;

const NO_TIME = 'no time left in this slice';

/** Whether a further vendor call could still finish before the deadline. */
function timeLeft(context: UnitContext): boolean {
  const { deps, deadlineMs } = context;
  return deps.now() + Math.min(deps.settings.callBudgetMs, 5_000) + deps.settings.ledgerTimeoutMs < deadlineMs;
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
  const can: Capabilities = {
    repeatable: vendor.abilities.repeatable,
    withdraw: vendor.abilities.withdraw,
    look: task.target.client.present !== undefined,
    locate: task.target.client.locate !== undefined,
    columnsPerCall: vendor.limits.columnsPerCall,
  };
  const result = (rest: Omit<UnitResult, 'id' | 'target' | 'called' | 'claimed'>, claimed = true): UnitResult => ({
    id: task.id,
    target: task.target.name,
    called,
    claimed,
    ...rest,
  });
  let called = false;
  let row = preread;
  for (;;) {
    // Later than this our lease on the owner may be somebody else's, who knows better what the owner wants.
    if (deps.now() >= context.deadlineMs) return result({ open: { reason: NO_TIME, until: deps.now() } }, false);
    const stored = row ? decodeUnit(row.body) : undefined;
    if (stored === undefined && task.want === undefined) return result({ done: { verdict: 'gone' } });
    if (stored?.lease && stored.lease.token !== context.token && deps.alive(stored.lease)) {
      const open = { reason: 'another convergence works on it', busy: true };
      return result({ state: stored, open }, false);
    }
    const before = folded(stored ?? newUnit((task.want as NonNullable<UnitTask['want']>).origin), createOnly);
    let state = withWish(before, task);
    let step = nextStep(state, { ...can, locate: can.locate && !unreadable }, deps.now());
    if (step.do === 'look') {
      const shut = context.shut.get(task.target.name);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await look(state);
      if ('failure' in found) return writeClaim(state, before, step, found.failure);
      state = looked(state, found);
      step = nextStep(state, can, deps.now());
    }
    if (step.do === 'locate') {
      const shut = context.shut.get(task.target.name);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await locate(state);
      if (Array.isArray(found)) state = proved(state, found, deps.now());
      else if (found.failure.retryable) return writeClaim(state, before, step, found.failure);
      // The account cannot be read after all: then a person has to look.
      else unreadable = true;
      step = nextStep(state, { ...can, locate: can.locate && !unreadable }, deps.now());
    }
    if (step.do !== 'register' && step.do !== 'withdraw') {
      if (state !== stored && !(await put(state))) continue;
      if (step.do === 'wait') return result({ state, open: { until: step.until, reason: step.reason } });
      return result({ state, done: step as Extract<Step, { do: 'nothing' }> });
    }
    const shut = context.shut.get(task.target.name);
    if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);

    const callDeadline = Math.min(
      deps.now() + deps.settings.callBudgetMs,
      context.deadlineMs - deps.settings.ledgerTimeoutMs,
    );
    const until = callDeadline + deps.settings.lateBoundMs + 2 * deps.settings.clockSkewMs;
    const intent = intend(state, {
      op: step.do,
      mask: step.mask,
      cascade: step.do === 'withdraw' && step.cascade,
      until,
    });
    const lease = { token: context.token, until: context.leaseUntil, step: deps.id() };
    state = { ...state, intent, lease };
    if (!(await put(state))) continue;

    called = true;
    const answer = await call(state, intent, callDeadline);
    const confirmed = await confirm(state, (current) => afterCall(current, answer));
    if (confirmed === undefined) {
      return result({ state, open: { reason: 'another convergence took it over', busy: true } });
    }
    if (!('failure' in answer)) continue;
    const { failure } = answer;
    if (failure.kind === 'denied') context.shut.set(task.target.name, failure);
    if (failure.retryable && !(createOnly && failure.maybeApplied)) {
      return result({ state: confirmed, open: { reason: failure.message, failure } });
    }
  }

  /** Writes the state iff the row is as we read it; refreshes `row` either way. */
  async function put(state: UnitState): Promise<boolean> {
    const next = unitRow(compact(state), deps);
    if (await commit(deps.ledger, next, row?.rev ?? null)) {
      row = next;
      return true;
    }
    row = await deps.ledger.get(unitKey(task.id));
    return false;
  }

  /** No call can be made now: the claim is kept all the same, so that whoever comes next knows of it. */
  async function writeClaim(state: UnitState, before: UnitState, step: Step, failure?: Failure): Promise<UnitResult> {
    const reason = failure?.message ?? NO_TIME;
    const open = failure ? { reason, failure } : { reason, until: deps.now() };
    const { intent: _unsent, ...claimed } = state;
    const kept = (claimed.claims === before.claims && row !== undefined) || (await put(claimed));
    const why = step.do === 'look' && failure ? `presence could not be read: ${reason}` : reason;
    return result({ state: claimed, open: { ...open, reason: why } }, kept);
  }

  async function look(
    state: UnitState,
  ): Promise<{ edge: boolean; columns: readonly ColumnEdge[] } | { failure: Failure }> {
    const wanted = wish(state);
    const { from, to, spec } = state;
    const request = { from, to, spec, columns: columnsOf(state, wanted.mask), options: wanted.options };
    try {
      const deadlineMs = Math.min(
        deps.now() + deps.settings.callBudgetMs,
        context.deadlineMs - deps.settings.ledgerTimeoutMs,
      );
      const found = await task.target.client.present?.(request, { deadlineMs });
      return found ?? { edge: false, columns: [] };
    } catch (thrown) {
      const failure = asFailure(thrown);
      // What cannot be read at all (no GUID, an old edition) is taken for ours. Any other refusal proves nothing: nothing is sent then.
      if (failure.kind === 'unsupported') return { edge: false, columns: [] };
      if (failure.kind === 'denied') context.shut.set(task.target.name, failure);
      return { failure };
    }
  }

  /** Receipts of what looks like an uncertain create and is not already known as ours. */
  async function locate(state: UnitState): Promise<string[] | { failure: Failure }> {
    const { from, to, spec } = state;
    const wanted = wish(state);
    const request = { from, to, spec, columns: columnsOf(state, wanted.mask), options: wanted.options };
    const deadlineMs = Math.min(
      deps.now() + deps.settings.callBudgetMs,
      context.deadlineMs - deps.settings.ledgerTimeoutMs,
    );
    try {
      const found = (await task.target.client.locate?.(request, { deadlineMs })) ?? [];
      return found.filter((receipt) => !state.nodes.some((node) => node.receipt === receipt));
    } catch (thrown) {
      return { failure: asFailure(thrown) };
    }
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
    if (failure.maybeApplied) return uncertain(state, intent, createOnly);
    if (failure.retryable) return dropped(state);
    const curable = failure.kind === 'denied' || failure.kind === 'missing';
    const attempts = state.refusal?.attempts ?? 0;
    const refusal = { kind: failure.kind, message: failure.message, at };
    return refusedBy(
      state,
      curable ? { ...refusal, retryAt: at + Math.min(3_600_000, 30_000 * 2 ** attempts) } : refusal,
    );
  }

  /**
   * Writes what the call led to, on the item that carries our own intent and no other. Undefined when a successor took the
   * unit: it has taken our intent for uncertain, so there is nothing left for us to say.
   */
  async function confirm(sent: UnitState, next: (current: UnitState) => UnitState): Promise<UnitState | undefined> {
    let current = sent;
    for (;;) {
      const state = next(current);
      if (await put(state)) return state;
      if (row === undefined) return undefined;
      current = decodeUnit(row.body);
      if (current.lease?.token !== context.token || current.lease.step !== sent.lease?.step) return undefined;
    }
  }
}

function withWish(state: UnitState, task: UnitTask): UnitState {
  if (task.settleOnly) return state;
  if (task.want === undefined) return unclaim(state, task.owner);
  const { origin, columns, options } = task.want;
  const claimed = claim(state, task.owner, columns, options);
  // The newest declaration names the unit best (an identity may have been added since).
  return claimed === state
    ? state
    : { ...claimed, from: origin.from, to: origin.to, spec: origin.spec, target: origin.target };
}

/** The row of a unit: indexed while anything of it matters, a tombstone with an end when nothing does. */
export function unitRow(state: UnitState, deps: Pick<ConvergeDeps, 'id' | 'now' | 'settings'>): Row {
  const row = { key: unitKey(state.id), rev: deps.id(), body: encodeUnit(state) };
  if (finished(state)) {
    const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
    const last = Math.max(state.addUntil, state.delUntil, deps.now() + ledgerTimeoutMs + 2 * clockSkewMs);
    return { ...row, expiresAt: Math.ceil((last + 2 * clockSkewMs) / 1_000) };
  }
  const names = [...state.from, ...state.to].flatMap((table) => [
    `dataset:${state.vendor}:${table.name}`,
    ...(table.dataset === undefined ? [] : [`dataset:${table.dataset}`]),
  ]);
  return { ...row, index: ['units', `account:${state.account}`, ...new Set(names)] };
}
