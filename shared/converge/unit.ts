import { columnsOf, compact, wish } from '../core/claims.ts';
import { readBack } from '../core/drift.ts';
import { answerOf, asFailure, type Failure } from '../core/failure.ts';
import { type Capabilities, nextStep, type Step, type Verdict } from '../core/plan.ts';
import {
  dropped,
  failing,
  folded,
  intend,
  looked,
  pardoned,
  proved,
  refusedBy,
  succeeded,
  uncertain,
} from '../core/transition.ts';
import { decodeUnit, type Intent, newUnit, type UnitState } from '../core/unit-state.ts';
import { BUDGET_SPENT } from '../http/budget.ts';
import { CIRCUIT_OPEN } from '../http/circuit.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Receipt } from '../vendors/vendor.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps, Target } from './deps.ts';
import { capabilitiesOf, type UnitTask, withWish } from './task.ts';
import { unitKey, unitRow } from './unit-row.ts';
import { vendorReads } from './vendor-reads.ts';

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
    /** Nothing went wrong: its turn has not come, for want of time or of budget. */
    readonly waiting?: boolean;
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
  /** When a person asked for this; what was refused before is tried again. */
  readonly askedAt?: number;
  /** Targets that refused our credentials during this convergence, or whose budget has no call left for it. */
  readonly shut: Map<string, Failure>;
  /** Circuits looked at so far. */
  readonly circuits: Map<Target, Promise<void>>;
}

const NO_TIME = 'its turn has not come in this run; the next one goes on with it by itself, within seconds';

/** Nothing was sent, because our own rules forbid it now. */
const OWN_RULES: ReadonlySet<string | undefined> = new Set([BUDGET_SPENT, CIRCUIT_OPEN]);

/** Why the target must not be called now. Reads its circuit once per convergence. */
async function shutFor({ target }: UnitTask, context: UnitContext): Promise<Failure | undefined> {
  const { circuit } = target;
  if (circuit) {
    const looked = context.circuits.get(target) ?? circuit.look(context.askedAt);
    context.circuits.set(target, looked);
    await looked;
  }
  return context.shut.get(target.name) ?? circuit?.refusal();
}

/** Whether what was found says which of the creates in doubt was carried out. */
function tells({ uncertain: doubts }: UnitState, found: readonly string[]): boolean {
  const contents = new Set(doubts.map((each) => `${each.mask} ${each.options}`));
  return found.length === 0 || found.length >= doubts.length || contents.size === 1;
}

/** When nothing was sent by our own rules, they say when to come back. */
function opened(failure: Failure, now: number): NonNullable<UnitResult['open']> {
  const { message: reason, code, retryAfterMs = 0 } = failure;
  if (!OWN_RULES.has(code) || failure.maybeApplied) return { reason, failure };
  return { reason, failure, until: now + retryAfterMs, ...(code === BUDGET_SPENT ? { waiting: true } : {}) };
}

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
  const can: Capabilities = { ...capabilitiesOf(task.target), verify: task.target.client.verify !== undefined };
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
    let state = withWish(asked(before), task);
    let step = nextStep(state, { ...can, locate: can.locate && !unreadable }, deps.now());
    if (step.do === 'look') {
      const shut = await shutFor(task, context);
      if (shut || !timeLeft(context)) return writeClaim(state, before, step, shut);
      const found = await reads.look(state);
      if ('failure' in found) return writeClaim(state, before, step, found.failure);
      state = looked(state, found);
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
      if (found && 'failure' in found && found.failure.retryable) return writeClaim(state, before, step, found.failure);
      state = readBack(state, found && 'failure' in found ? undefined : found, deps.now());
      step = nextStep(state, can, deps.now());
    }
    if (step.do !== 'register' && step.do !== 'withdraw') {
      if (state !== stored && !(await put(state))) continue;
      if (step.do === 'wait') return result({ state, open: { until: step.until, reason: step.reason } });
      return result({ state, done: step as Extract<Step, { do: 'nothing' }> });
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
      ...(step.do === 'register' && step.part ? { part: true } : {}),
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

  /** Without a refusal that need not be waited out: a person asked since, or the secret is another one. */
  function asked(state: UnitState): UnitState {
    const { refusal } = state;
    if (refusal?.retryAt === undefined) return state;
    const secret = task.target.circuit?.secret;
    const anew = refusal.secret !== undefined && secret !== undefined && refusal.secret !== secret;
    return anew || refusal.at < (context.askedAt ?? Number.NEGATIVE_INFINITY) ? pardoned(state) : state;
  }

  /** By when a call that begins now has to be over. */
  function callDeadline(): number {
    const { callBudgetMs, ledgerTimeoutMs } = deps.settings;
    return Math.min(deps.now() + callBudgetMs, context.deadlineMs - ledgerTimeoutMs);
  }

  /** Writes the state iff the row is as we read it; refreshes `row` either way. */
  async function put(state: UnitState): Promise<boolean> {
    const kept = compact(state);
    const next = unitRow(kept, deps);
    written = undefined;
    if (await commit(deps.ledger, next, row?.rev ?? null)) {
      row = next;
      written = kept;
      return true;
    }
    row = await deps.ledger.get(unitKey(task.id));
    return false;
  }

  /** No call can be made now: the claim is kept all the same, so that whoever comes next knows of it. */
  async function writeClaim(state: UnitState, before: UnitState, step: Step, failure?: Failure): Promise<UnitResult> {
    const open = failure ? opened(failure, deps.now()) : { reason: NO_TIME, until: deps.now(), waiting: true };
    const { intent: _unsent, ...claimed } = state;
    const kept = (claimed.claims === before.claims && row !== undefined) || (await put(claimed));
    const unread = step.do === 'look' && failure && !OWN_RULES.has(failure.code);
    const reason = unread ? `presence could not be read: ${open.reason}` : open.reason;
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
    const curable = failure.kind === 'denied' || failure.kind === 'missing';
    const attempts = state.refusal?.attempts ?? 0;
    const secret = failure.kind === 'denied' ? task.target.circuit?.secret : undefined;
    const vendor = answerOf(failure);
    const refusal = {
      kind: failure.kind,
      message: failure.message,
      at,
      ...(vendor === undefined ? {} : { answer: vendor }),
      ...(secret === undefined ? {} : { secret }),
    };
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
