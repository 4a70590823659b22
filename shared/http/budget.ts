import { Failure } from '../core/failure.ts';

/** Code of the `throttled` failure that our own budget throws; nothing was sent, and waiting in the same call is in vain. */
export const BUDGET_SPENT = 'budget-spent';

export interface Budget {
  /** Waits for the next free slot; rejects at once with `throttled` when that is after `deadlineMs` (epoch milliseconds). */
  permit(deadlineMs: number): Promise<void>;
}

/**
 * An account's calls of this process, evenly spaced at `callsPerSecond` (undefined: no limit). Slots are given in the order
 * of asking; a refused caller takes none.
 */
export function createBudget(options: {
  readonly callsPerSecond: number | undefined;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}): Budget {
  const { callsPerSecond, now, sleep } = options;
  if (callsPerSecond === undefined) return { permit: async () => {} };
  const spacingMs = 1_000 / callsPerSecond;
  let nextFreeMs = Number.NEGATIVE_INFINITY;
  return {
    permit: async (deadlineMs) => {
      const nowMs = now();
      const slotMs = Math.max(nowMs, nextFreeMs);
      if (slotMs > deadlineMs) {
        throw new Failure(
          'throttled',
          `The account's own budget of ${callsPerSecond} calls a second leaves no call before the deadline. It goes on by itself; raise "calls_per_second" in the target's secret if the vendor allows more.`,
          { code: BUDGET_SPENT, retryAfterMs: Math.ceil(slotMs - nowMs) },
        );
      }
      nextFreeMs = slotMs + spacingMs;
      if (slotMs > nowMs) await sleep(Math.ceil(slotMs - nowMs));
    },
  };
}
