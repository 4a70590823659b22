import { commit } from '../../shared/converge/commit.ts';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { verifyPass } from '../../shared/converge/verify-pass.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Services } from '../../shared/wiring.ts';

const KEY = 'pass/drift';
/** Listed in the report; the rest is counted. */
const LISTED = 50;
/** Of the time that is left: the next pass shall not have to wait. */
const SHARE = 0.5;

/** Where verification goes on. */
interface Place {
  readonly next?: string;
  /** Not before (epoch ms): the budget for reading is used up until then. */
  readonly resumeAt?: number;
  /** All owners, over as many passes, and days, as the budget takes. */
  readonly deep?: boolean;
}

/** From the next pass on all owners are verified, however many passes that takes. */
export async function askDeep(deps: ConvergeDeps): Promise<void> {
  for (;;) {
    const row = await deps.ledger.get(KEY);
    if (await write({ deep: true }, row?.rev ?? null, deps)) return;
  }
}

/**
 * Compares a share of the owners with what the vendors show, going on where the last pass ran out of time or budget. Gives what the report
 * says about it, undefined when nothing was to be done. Never throws: what cannot be verified now is verified another time.
 */
export async function verifyDrift(
  { deps, settings, log }: Services,
  deadlineMs: number,
): Promise<JsonObject | undefined> {
  const { detectShare: share, heal, prune } = settings.drift;
  try {
    const row = await deps.ledger.get(KEY);
    const { next: cursor, resumeAt = 0, deep = false } = (row?.body['place'] ?? {}) as Place;
    if ((share <= 0 && !deep) || deps.now() < resumeAt) return undefined;
    const until = deps.now() + (deadlineMs - deps.now()) * SHARE;
    const found = await verifyPass(deps, {
      ...{ deadlineMs: until, heal, prune, share, deep },
      ...(cursor === undefined ? {} : { cursor }),
    });
    const place: Place = {
      ...(found.next === undefined ? {} : { next: found.next, ...(deep ? { deep } : {}) }),
      ...(found.resumeAt === undefined ? {} : { resumeAt: found.resumeAt }),
    };
    if (row || Object.keys(place).length > 0) await write(place, row?.rev ?? null, deps);
    const { owners, checked, drifted, foreign, healed, unreadable, left } = found;
    for (const { target } of drifted) deps.metrics?.addFor('Drifted', target, 1);
    if (drifted.length + foreign.length > 0) {
      log.warn('vendors show something else', { checked, drifted: drifted.length, foreign: foreign.length, healed });
    }
    const lists = { drifted: drifted.slice(0, LISTED), foreign: foreign.slice(0, LISTED), unreadable };
    return {
      ...{ owners, checked, left, healed, driftedCount: drifted.length, foreignCount: foreign.length, deep },
      ...(JSON.parse(JSON.stringify(lists)) as JsonObject),
      ...(found.resumeAt === undefined ? {} : { resumesAt: new Date(found.resumeAt).toISOString() }),
    };
  } catch (thrown) {
    const { message } = asFailure(thrown);
    log.warn('nothing could be verified; the next pass tries again', { reason: message });
    return { failed: message };
  }
}

/** Another pass may write it at the same moment: its place is as good. */
async function write(place: Place, expected: string | null, deps: ConvergeDeps): Promise<boolean> {
  const body = { kind: 'drift', version: 1, place: { ...place } };
  return commit(deps.ledger, { key: KEY, rev: deps.id(), body }, expected);
}
