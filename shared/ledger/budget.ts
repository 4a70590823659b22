import { budgetKey } from '../core/account-rows.ts';
import { asFailure, Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { BUDGET_SPENT, BUDGET_UNREAD, type Budget } from '../http/budget.ts';
import type { Ledger } from './ledger.ts';

export interface AccountBudget {
  /** Undefined: no limit. */
  readonly callsPerSecond?: number;
  /** Per UTC day; undefined: no limit. */
  readonly callsPerDay?: number;
}

/** What all processes together have taken of one account's budget. */
interface Taken {
  /** When the next free slot begins (epoch ms). */
  readonly next: number;
  /** UTC day, and how many of its calls are taken. */
  readonly day: string;
  readonly used: number;
}

interface Block {
  /** Start of the next slot that is ours (epoch ms). */
  slot: number;
  left: number;
}

/** Slots are taken this far ahead: few enough to waste little, enough to cost far less than a write per call. */
const BLOCK_MS = 1_000;
const MOST_PER_BLOCK = 50;
const DAY_MS = 86_400_000;

/** Part of the budget that verification reads may take. */
const VERIFY_SHARE = 0.2;

interface Options {
  readonly ledger: Ledger;
  readonly account: string;
  readonly budget: AccountBudget;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly id: () => string;
}

/**
 * The budget of an account, shared by all processes on one ledger. Verification reads count like any call and have a limit of their own
 * besides, a fifth of the account's (one call a day at least).
 */
export function ledgerBudget(options: Options): Budget {
  const { callsPerSecond, callsPerDay } = options.budget;
  const all = limiter(options);
  const verify = limiter({
    ...options,
    account: `${options.account}/verify`,
    budget: {
      ...(callsPerSecond === undefined ? {} : { callsPerSecond: callsPerSecond * VERIFY_SHARE }),
      ...(callsPerDay === undefined ? {} : { callsPerDay: Math.max(1, Math.floor(callsPerDay * VERIFY_SHARE)) }),
    },
    whose: 'share of the budget for verification',
  });
  return {
    async permit(deadlineMs, lane) {
      if (lane === 'verify') await verify(deadlineMs);
      await all(deadlineMs);
    },
  };
}

/**
 * An account's calls of all processes on one ledger, evenly spaced. Each process takes slots in small blocks, one conditional write
 * for each; a slot that is not used in time is lost rather than used late, so that processes never burst together. A store that does
 * not answer stops the calls (`unavailable`): better none than too many.
 */
function limiter(options: Options & { readonly whose?: string }): (deadlineMs: number) => Promise<void> {
  const { ledger, account, budget, now, sleep, id, whose = 'budget' } = options;
  const { callsPerSecond, callsPerDay } = budget;
  if (callsPerSecond === undefined && callsPerDay === undefined) return async () => {};
  const spacingMs = callsPerSecond === undefined ? 0 : 1_000 / callsPerSecond;
  const blockSize =
    callsPerSecond === undefined
      ? 1
      : Math.min(MOST_PER_BLOCK, Math.max(1, Math.floor((callsPerSecond * BLOCK_MS) / 1_000)));
  const key = budgetKey(account);
  let block: Block = { slot: 0, left: 0 };
  /** Doubles while slots are used up in time, and starts anew when one was lost. */
  let size = 1;
  let turn: Promise<unknown> = Promise.resolve();

  /** One at a time: callers get slots in the order of asking, and only one of them takes a block. */
  function permit(deadlineMs: number): Promise<void> {
    const mine = turn.then(() => nextSlot(deadlineMs));
    turn = mine.catch(() => {});
    return mine.then(async (slot) => {
      const wait = slot - now();
      if (wait > 0) await sleep(Math.ceil(wait));
    });
  }

  async function nextSlot(deadlineMs: number): Promise<number> {
    // A slot that has passed is given up, unless it has only just begun.
    while (block.left > 0 && block.slot + Math.max(spacingMs, 20) < now()) {
      use();
      size = 1;
    }
    if (block.left === 0) {
      block = await take(deadlineMs).catch(unread);
      size = Math.min(blockSize, size * 2);
    }
    if (block.slot > deadlineMs)
      throw spent(block.slot, `${callsPerSecond} calls a second leave no call before the deadline`);
    return use();
  }

  function use(): number {
    const { slot } = block;
    block = { slot: slot + spacingMs, left: block.left - 1 };
    return slot;
  }

  async function take(deadlineMs: number): Promise<Block> {
    for (;;) {
      const row = await ledger.get(key);
      const at = now();
      const day = new Date(at).toISOString().slice(0, 10);
      const taken = (row?.body['taken'] as unknown as Taken | undefined) ?? { next: 0, day, used: 0 };
      // A clock that runs ahead must not make others wait for more than it took.
      const slot = Math.max(at, taken.next);
      if (slot > deadlineMs) throw spent(slot, `${callsPerSecond} calls a second leave no call before the deadline`);
      const used = taken.day >= day ? taken.used : 0;
      const left = Math.min(size, (callsPerDay ?? Number.POSITIVE_INFINITY) - used);
      if (left <= 0) {
        const midnight = (Math.floor(at / DAY_MS) + 1) * DAY_MS;
        throw spent(midnight, `${callsPerDay} calls a day are spent`);
      }
      const next: Taken = { next: slot + left * spacingMs, day: taken.day >= day ? taken.day : day, used: used + left };
      const body = { kind: 'budget', version: 1, taken: next as unknown as JsonObject };
      if (await ledger.write({ key, rev: id(), body }, row?.rev ?? null)) return { slot, left };
    }
  }

  /** What the ledger left in doubt is a block of slots, never a call: with its own word, an edge would be in doubt for nothing. */
  function unread(thrown: unknown): never {
    const cause = asFailure(thrown);
    if (cause.code === BUDGET_SPENT) throw cause;
    const message = `Nothing was sent, because the account's own ${whose} could not be read: ${cause.message}`;
    throw new Failure('unavailable', message, { code: BUDGET_UNREAD, maybeApplied: false, cause });
  }

  function spent(freeAt: number, why: string): Failure {
    const message = `The account's own ${whose} of ${why}. It goes on by itself at ${new Date(freeAt).toISOString()}; raise "calls_per_second" or "calls_per_day" in the target's secret if the vendor allows more.`;
    return new Failure('throttled', message, {
      code: BUDGET_SPENT,
      retryAfterMs: Math.max(1, Math.ceil(freeAt - now())),
    });
  }

  return permit;
}
