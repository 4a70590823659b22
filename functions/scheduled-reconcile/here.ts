import pMap from 'p-map';
import { commit } from '../../shared/converge/commit.ts';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { decodeOwner, newOwner, ownerKey } from '../../shared/converge/owner.ts';
import { asFailure } from '../../shared/core/failure.ts';
import { type Finding, findings } from './findings.ts';
import { countAge, countFailure, countRow, countStatus, type Tally } from './tally.ts';

/** With less time than this no owner is begun. */
export const SHORTEST_SLICE_MS = 10_000;
const OWNERS_AT_ONCE = 4;
const CURSOR = 'pass/here';

export interface Here {
  readonly deadlineMs: number;
  /** When a person asked for it (epoch ms). */
  readonly askedAt?: number;
  readonly tally: Tally;
  /** Convergences since then are news. */
  readonly since: number;
  /** Do not go on where the last pass ran out of time, but look at everything. */
  readonly fromStart?: boolean;
}

/**
 * Converges every owner that needs it, in this very process. Begins where the last pass ran out of time, goes round once, and remembers
 * where it has to stop itself. Gives that place, or undefined when it came round.
 */
export async function passHere(deps: ConvergeDeps, here: Here): Promise<string | undefined> {
  const row = here.fromStart ? undefined : await deps.ledger.get(CURSOR);
  const start = typeof row?.body['after'] === 'string' ? row.body['after'] : '';
  const place: Place = { stopped: false };
  await convergeAll(due(deps, start, here, place), deps, here);
  if (place.failed !== undefined) throw place.failed.reason;
  if (place.stopped) {
    const after = place.last ?? start;
    const next = { key: CURSOR, rev: deps.id(), body: { kind: 'cursor', version: 1, after } };
    // Another pass may have written it meanwhile; its place is as good.
    if (!here.fromStart) await commit(deps.ledger, next, row?.rev ?? null);
    return after;
  }
  if (row) await deps.ledger.remove(CURSOR, row.rev);
  return undefined;
}

interface Place {
  last?: string;
  stopped: boolean;
  failed?: { readonly reason: unknown };
}

/** Owners that need work, all the way round from `start`; counts the others. Never throws: what is being done ends first. */
async function* due(deps: ConvergeDeps, start: string, here: Here, place: Place): AsyncGenerator<Finding> {
  const late = () => deps.now() + SHORTEST_SLICE_MS > here.deadlineMs;
  try {
    for (const [after, until] of around(start)) {
      for await (const page of findings(deps, after, here.askedAt)) {
        for (const each of page) {
          if (until !== undefined && !isUpTo(each.found.owner, until)) return;
          if (late()) {
            place.stopped = true;
            return;
          }
          if (each.due === 'unchanged') countRow(here.tally, 'unchanged', each.state, here.since);
          else if (each.due !== 'none') yield each;
          place.last = each.found.owner;
        }
      }
    }
  } catch (thrown) {
    place.failed = { reason: thrown };
  }
}

/** From the start to the end, then from the beginning to the start. */
function around(start: string): readonly (readonly [after: string, until?: string])[] {
  return start === '' ? [['']] : [[start], ['', start]];
}

/** Owners come in the order of their bytes; a place of an earlier pass is one of them. */
function isUpTo(owner: string, until: string): boolean {
  return Buffer.compare(Buffer.from(owner), Buffer.from(until)) <= 0;
}

/** Converges owners a few at a time, as they come; one that fails stops no other. */
export async function convergeAll(
  owners: AsyncIterable<Pick<Finding, 'found' | 'state'>> | Iterable<Pick<Finding, 'found' | 'state'>>,
  deps: ConvergeDeps,
  here: Here,
): Promise<void> {
  const { deadlineMs, askedAt, tally, since } = here;
  // Owners that somebody names come without their rows, which say what is held.
  const rowOf = async (owner: string) => {
    const row = await deps.ledger.get(ownerKey(owner));
    return row && decodeOwner(row);
  };
  await pMap(
    owners,
    async ({ found: { owner }, state }) => {
      const began = deps.now();
      try {
        const request = { owner, deadlineMs, ...(askedAt === undefined ? {} : { askedAt }) };
        const outcome = await converge(request, deps);
        if (outcome.kind === 'unfinished') countAge(tally, { ...(state ?? newOwner(owner)), settled: false }, began);
        if ('status' in outcome) countStatus(tally, outcome.kind, outcome.status, began, deps.now() - began);
        else
          countRow(tally, outcome.kind, outcome.kind === 'unchanged' ? (state ?? (await rowOf(owner))) : state, since);
      } catch (thrown) {
        countFailure(tally, owner, asFailure(thrown).message);
      }
    },
    { concurrency: OWNERS_AT_ONCE },
  );
}
