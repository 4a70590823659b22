import { answerOf, type Failure } from '../core/failure.ts';
import type { Verdict } from '../core/plan.ts';
import { isRefused, isWorthTrying } from '../core/refusal.ts';
import { pardoned } from '../core/transition.ts';
import type { Refusal, UnitState } from '../core/unit-state.ts';
import { BUDGET_SPENT } from '../http/budget.ts';
import { CIRCUIT_OPEN } from '../http/circuit.ts';
import type { ConvergeDeps, Target } from './deps.ts';
import type { UnitTask } from './task.ts';

/** How far a unit got. `open` means: come back, not before `until` if given. */
export interface UnitResult {
  readonly id: string;
  readonly target: string;
  readonly state?: UnitState;
  readonly done?: {
    readonly verdict: Verdict;
    readonly reason?: string;
    /** Why what the vendor shows of it could not be read back: its answers are believed. */
    readonly unread?: string;
  };
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
  /** Since when another goal is applied than was settled last: a withdrawal that was refused before is tried again. */
  readonly editedAt?: number;
  /** Targets that refused our credentials during this convergence, or whose budget has no call left for it. */
  readonly shut: Map<string, Failure>;
  /** Circuits looked at so far. */
  readonly circuits: Map<Target, Promise<void>>;
}

export const NO_TIME = 'its turn has not come in this run; the next one goes on with it by itself, within seconds';

/** Nothing was sent, because our own rules forbid it now. */
export const OWN_RULES: ReadonlySet<string | undefined> = new Set([BUDGET_SPENT, CIRCUIT_OPEN]);

/**
 * The unit, with its owner's wish, without a refusal that does not count any more: of other content, or of something that is tried again now.
 * The same object when there is none.
 */
export function reconsidered(state: UnitState, task: UnitTask, { deps, askedAt, editedAt }: UnitContext): UnitState {
  const { refusal } = state;
  if (refusal === undefined) return state;
  const withdraws = task.want === undefined && task.settleOnly !== true;
  const occasion = {
    now: deps.now(),
    askedAt,
    editedAt: withdraws ? editedAt : undefined,
    secret: task.target.circuit?.secret,
  };
  return isRefused(state) && !isWorthTrying(refusal, occasion) ? state : pardoned(state);
}

/** Why the target must not be called now. Reads its circuit once per convergence. */
export async function shutFor({ target }: UnitTask, context: UnitContext): Promise<Failure | undefined> {
  const { circuit } = target;
  if (circuit) {
    const looked = context.circuits.get(target) ?? circuit.look(context.askedAt);
    context.circuits.set(target, looked);
    await looked;
  }
  return context.shut.get(target.name) ?? circuit?.refusal();
}

/** When nothing was sent by our own rules, they say when to come back. */
export function opened(failure: Failure, now: number): NonNullable<UnitResult['open']> {
  const { message: reason, code, retryAfterMs = 0 } = failure;
  if (!OWN_RULES.has(code) || failure.maybeApplied) return { reason, failure };
  return { reason, failure, until: now + retryAfterMs, ...(code === BUDGET_SPENT ? { waiting: true } : {}) };
}

/** What is remembered of a failure that trying again does not cure; what somebody may cure there is tried again by itself, later and later. */
export function refusalOf(
  state: UnitState,
  failure: Failure,
  { target }: UnitTask,
  at: number,
): Omit<Refusal, 'content' | 'attempts'> {
  const curable = failure.kind === 'denied' || failure.kind === 'missing';
  const attempts = state.refusal?.attempts ?? 0;
  const secret = failure.kind === 'denied' ? target.circuit?.secret : undefined;
  const answer = answerOf(failure);
  return {
    kind: failure.kind,
    message: failure.message,
    at,
    ...(answer === undefined ? {} : { answer }),
    ...(secret === undefined ? {} : { secret }),
    ...(curable ? { retryAt: at + Math.min(3_600_000, 30_000 * 2 ** attempts) } : {}),
  };
}

/** Whether a further vendor call could still finish before the deadline. */
export function timeLeft(context: UnitContext): boolean {
  const { deps, deadlineMs } = context;
  return deps.now() + Math.min(deps.settings.callBudgetMs, 5_000) + deps.settings.ledgerTimeoutMs < deadlineMs;
}
