import pMap, { pMapSkip } from 'p-map';
import { asFailure } from '../core/failure.ts';
import { decodeUnit, newUnit, type UnitState } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Decision } from './decide.ts';
import type { Target } from './deps.ts';
import { tasksOf, type UnitTask } from './task.ts';
import { settleUnit, type UnitContext, type UnitResult } from './unit.ts';
import { unitKey } from './unit-row.ts';
import type { Work } from './work.ts';

/**
 * Claims first, then withdrawals; targets side by side, so that a slow one delays no other. `askedAt`: when a person
 * asked for it; `editedAt`: since when what is applied is another goal than the one that was settled last (epoch ms).
 */
export async function settleUnits(
  decision: Decision,
  work: Work,
  { askedAt, editedAt }: { readonly askedAt?: number | undefined; readonly editedAt?: number | undefined } = {},
): Promise<UnitResult[]> {
  const { deps, request } = work;
  const begun = deps.now();
  const context: UnitContext = {
    deps,
    token: work.token,
    leaseUntil: work.leaseUntil,
    deadlineMs: request.deadlineMs,
    shut: new Map(),
    circuits: new Map(),
    // Told by another clock they may be in the future: what is refused from now on is not tried again for them.
    ...(askedAt === undefined ? {} : { askedAt: Math.min(askedAt, begun) }),
    ...(editedAt === undefined ? {} : { editedAt: Math.min(editedAt, begun) }),
  };
  const { claims, withdrawals, leftovers } = tasksOf(decision, request.owner);
  const byTarget = new Map<Target, { first: UnitTask[]; last: UnitTask[] }>();
  const bucket = (target: Target) => {
    const found = byTarget.get(target) ?? { first: [], last: [] };
    byTarget.set(target, found);
    return found;
  };
  for (const task of claims) bucket(task.target).first.push(task);
  for (const task of [...withdrawals, ...leftovers]) bucket(task.target).last.push(task);
  // All of them to their end, whatever becomes of one: nothing may go on once the lease is given back.
  const outcomes = await Promise.allSettled(
    [...byTarget].map(async ([target, { first, last }]) => [
      ...(await settleAll(target, first, context)),
      ...(await settleAll(target, last, context)),
    ]),
  );
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

const READ_AT_ONCE = 100;
/** Calls are made for so long ahead of what an account's budget lets through; more would only wait for it with an intent in the ledger. */
const AHEAD_S = 2;
/** At the most so many times `concurrency`. More of them share one commit of the ledger; what is gained is little beyond this. */
const MOST = 4;

/**
 * Units worked on at once at a target: `concurrency`, and more where the account's budget lets their calls through. Not of a vendor
 * that takes nothing back: whatever is under way when a worker dies is in doubt, and there a person may have to look.
 * Nor where a day's calls are counted: each unit under way when they are spent was written for nothing.
 */
export function atOnce(
  { budget, vendor }: Pick<Target, 'budget' | 'vendor'>,
  { concurrency }: { readonly concurrency: number },
): number {
  if (!vendor.abilities.withdraw || !budget || budget.callsPerDay !== undefined) return concurrency;
  const calls = (budget.callsPerSecond ?? Number.POSITIVE_INFINITY) * AHEAD_S;
  return Math.max(concurrency, Math.min(Math.floor(calls), MOST * concurrency));
}

/** All at one target; rows are read in batches, each as its first unit's turn comes. */
async function settleAll(target: Target, tasks: readonly UnitTask[], context: UnitContext): Promise<UnitResult[]> {
  const { deps } = context;
  let batch: { readonly start: number; readonly rows: Promise<ReadonlyMap<string, Row>> } | undefined;
  function rowsAt(place: number): Promise<ReadonlyMap<string, Row>> {
    const start = place - (place % READ_AT_ONCE);
    if (batch?.start !== start) {
      const keys = tasks.slice(start, start + READ_AT_ONCE).map((task) => unitKey(task.id));
      batch = { start, rows: deps.ledger.getMany(keys) };
    }
    return batch.rows;
  }
  let unread: { readonly because: unknown } | undefined;
  const results = await pMap(
    tasks,
    async (task, place): Promise<UnitResult | typeof pMapSkip> => {
      if (unread) return pMapSkip;
      const rows = await rowsAt(place).catch((thrown: unknown) => {
        unread ??= { because: thrown };
      });
      if (unread || !rows) return pMapSkip;
      try {
        return await settleUnit(task, rows.get(unitKey(task.id)), context);
      } catch (thrown) {
        // One edge's trouble stops no other; its intent, if any, is settled by whoever comes next.
        const failure = asFailure(thrown);
        const state = lastKnown(task, rows.get(unitKey(task.id)));
        return {
          id: task.id,
          target: task.target.name,
          ...(state === undefined ? {} : { state }),
          called: false,
          claimed: false,
          open: { reason: failure.message, failure },
        };
      }
    },
    { concurrency: atOnce(target, deps.settings) },
  );
  // Only now: what is under way goes to its end.
  if (unread) throw unread.because;
  return results;
}

/** What the status tells of an edge whose turn broke off: as it was read, or as it is declared. */
function lastKnown({ want }: UnitTask, row: Row | undefined): UnitState | undefined {
  const declared = want && newUnit(want.origin);
  try {
    return row === undefined ? declared : decodeUnit(row.body);
  } catch {
    return declared;
  }
}
