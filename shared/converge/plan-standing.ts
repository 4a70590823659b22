import { digest } from '../core/digest.ts';
import { Failure } from '../core/failure.ts';
import { decodeOwner, type OwnerState } from './owner.ts';
import type { OwnerFound } from './owner-pages.ts';
import { everyOwner, ownersFound } from './owners-found.ts';
import type { PlanContext } from './plan-owner.ts';

/** How an owner stands that is as it should be: what was applied, and what is held. */
export function standingOf({ hash, held }: Pick<OwnerState, 'hash' | 'held'>): string {
  return digest(`${hash ?? ''} ${held?.id ?? ''}`);
}

/**
 * Those of the owners which stood like that when a plan was made, and do not any more. Costs a listing and the rows of all that the plan
 * looked at; no manifest is read. Throws `Failure` `unavailable` when there is no time for it.
 */
export async function noLongerStanding(
  standing: Readonly<Record<string, string>>,
  scope: readonly string[] | undefined,
  { deps, goal, deadlineMs }: PlanContext,
): Promise<string[]> {
  const left = new Map(Object.entries(standing));
  if (left.size === 0) return [];
  const differs: string[] = [];
  const source = scope === undefined ? everyOwner(deps) : ownersFound([...left.keys()], deps);
  for await (const batch of source) {
    if (deps.now() > deadlineMs) {
      throw new Failure('unavailable', 'there was no time to look at every owner of the plan again; nothing was done');
    }
    for (const found of batch) {
      const then = left.get(found.owner);
      left.delete(found.owner);
      if (then !== undefined && then !== standsNow(found, goal)) differs.push(found.owner);
    }
  }
  return [...differs, ...left.keys()];
}

function standsNow({ etag, row }: OwnerFound, goal: PlanContext['goal']): string | undefined {
  const state = row && decodeOwner(row);
  if (!state?.settled || state.vanish !== undefined || state.hash !== goal(etag)) return undefined;
  return standingOf(state);
}
