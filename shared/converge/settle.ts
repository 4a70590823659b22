import pMap from 'p-map';
import { asFailure } from '../core/failure.ts';
import type { Decision } from './decide.ts';
import type { Target } from './deps.ts';
import { tasksOf, type UnitTask } from './task.ts';
import { settleUnit, type UnitContext, type UnitResult } from './unit.ts';
import { unitKey } from './unit-row.ts';
import type { Work } from './work.ts';

/** Claims first, then withdrawals; targets side by side, so that a slow one delays no other. */
export async function settleUnits(decision: Decision, work: Work): Promise<UnitResult[]> {
  const { deps, request } = work;
  const context: UnitContext = {
    deps,
    token: work.token,
    leaseUntil: work.leaseUntil,
    deadlineMs: request.deadlineMs,
    shut: new Map(),
    circuits: new Map(),
    ...(request.askedAt === undefined ? {} : { askedAt: request.askedAt }),
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
    [...byTarget.values()].map(async ({ first, last }) => [
      ...(await settleAll(first, context)),
      ...(await settleAll(last, context)),
    ]),
  );
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

const READ_AT_ONCE = 100;

async function settleAll(tasks: readonly UnitTask[], context: UnitContext): Promise<UnitResult[]> {
  const { deps } = context;
  const results: UnitResult[] = [];
  for (let start = 0; start < tasks.length; start += READ_AT_ONCE) {
    const batch = tasks.slice(start, start + READ_AT_ONCE);
    const rows = await deps.ledger.getMany(batch.map((task) => unitKey(task.id)));
    const settled = await pMap(
      batch,
      async (task): Promise<UnitResult> => {
        try {
          return await settleUnit(task, rows.get(unitKey(task.id)), context);
        } catch (thrown) {
          // One edge's trouble stops no other; its intent, if any, is settled by whoever comes next.
          const failure = asFailure(thrown);
          return {
            id: task.id,
            target: task.target.name,
            called: false,
            claimed: false,
            open: { reason: failure.message, failure },
          };
        }
      },
      { concurrency: deps.settings.concurrency },
    );
    results.push(...settled);
  }
  return results;
}
