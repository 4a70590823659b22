/** Code of the `throttled` failure that our own budget throws; nothing was sent, and waiting in the same call is in vain. */
export const BUDGET_SPENT = 'budget-spent';

/** Code of the `unavailable` failure when the budget itself could not be read or noted; nothing was sent, and it may be tried again. */
export const BUDGET_UNREAD = 'budget-unread';

/** Reads that only check what is there already have a share of the budget of their own, so that they never hold up work. */
export type Lane = 'verify';

export interface Budget {
  /**
   * Waits for the next free slot; rejects at once with `throttled` when that is after `deadlineMs` (epoch milliseconds). Never rejects
   * with `maybeApplied`: whoever asks has sent nothing yet.
   */
  permit(deadlineMs: number, lane?: Lane): Promise<void>;
}
