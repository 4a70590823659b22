import { asFailure, Failure } from '../core/failure.ts';
import { BUDGET_SPENT } from './budget.ts';

export interface AttemptOptions {
  /** How many attempts at most. */
  readonly max: number;
  /** No attempt is started that cannot finish before this instant (epoch milliseconds). */
  readonly deadlineMs: number;
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Whether a call that may have been carried out may be sent again. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal;
  /** Told of every attempt that failed, also when another one follows. */
  readonly failed?: ((failure: Failure) => void) | undefined;
}

export interface Attempted<T> {
  readonly value: T;
  /** An earlier attempt may have been carried out, or may still be. */
  readonly ambiguous: boolean;
}

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
/** Who asks for a longer wait is not called again within the same call: sooner would be against what was asked. */
const MAX_RETRY_AFTER_MS = 30_000;
/** What an attempt needs at the very least. */
const MIN_ATTEMPT_MS = 100;

/**
 * Calls `fn` until it succeeds, at most `max` times. Only retryable failures are tried again, one that may have been
 * carried out only if `repeatable`. It waits with full jitter, and at least as long as the vendor asked; one that asks for more than 30 s is
 * not called again here, and `retryAfterMs` of the failure says when to come back. An attempt is taken to need as long as the one before it.
 * Throws the last `Failure`; it has `maybeApplied` when any attempt had.
 */
export async function attempts<T>(fn: (attempt: number) => Promise<T>, options: AttemptOptions): Promise<Attempted<T>> {
  let ambiguous = false;
  for (let attempt = 1; ; attempt += 1) {
    const startedMs = options.now();
    try {
      return { value: await fn(attempt), ambiguous };
    } catch (thrown) {
      const failure = asFailure(thrown);
      ambiguous ||= failure.maybeApplied;
      options.failed?.(failure);
      const waitMs = backoffMs(attempt, failure, options.random);
      const neededMs = Math.max(MIN_ATTEMPT_MS, options.now() - startedMs);
      const again =
        attempt < options.max &&
        failure.retryable &&
        failure.code !== BUDGET_SPENT &&
        (failure.retryAfterMs ?? 0) <= MAX_RETRY_AFTER_MS &&
        (options.repeatable || !failure.maybeApplied) &&
        options.now() + waitMs + neededMs <= options.deadlineMs &&
        options.signal?.aborted !== true;
      if (!again || !(await slept(options, waitMs))) throw withDoubt(failure, ambiguous);
    }
  }
}

/** Reads `Retry-After`, seconds or an HTTP date, as milliseconds from `nowMs`. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1_000);
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

function backoffMs(attempt: number, failure: Failure, random: () => number): number {
  const jitterMs = random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return Math.round(Math.max(jitterMs, failure.retryAfterMs ?? 0));
}

async function slept(options: AttemptOptions, ms: number): Promise<boolean> {
  try {
    await options.sleep(ms, options.signal);
    return options.signal?.aborted !== true;
  } catch {
    return false;
  }
}

/** What `run` gives. If an earlier call of the same work may have been carried out (`ambiguous`), what it throws says so as well. */
export async function keepingDoubt<T>(ambiguous: boolean, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw ambiguous ? withDoubt(asFailure(thrown), ambiguous) : thrown;
  }
}

function withDoubt(failure: Failure, ambiguous: boolean): Failure {
  if (!ambiguous || failure.maybeApplied) return failure;
  return new Failure(failure.kind, `${failure.message} An earlier attempt of this call may have been carried out.`, {
    maybeApplied: true,
    cause: failure,
    ...(failure.code === undefined ? {} : { code: failure.code }),
    ...(failure.status === undefined ? {} : { status: failure.status }),
    ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
    ...(failure.words === undefined ? {} : { words: failure.words }),
    ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
  });
}
