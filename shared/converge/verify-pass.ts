import { digest } from '../core/digest.ts';
import { LostChunk, loadIds, type StoredIds } from '../ledger/id-set.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, type OwnerState } from './owner.ts';
import { findings, type Verified } from './verified.ts';
import { type VerifyOptions, verifyScope } from './verify.ts';

export interface VerifyPassOptions extends VerifyOptions {
  /** Percent of the owners, another part of them each time. */
  readonly share?: number;
  /** All owners, whatever the share. */
  readonly deep?: boolean;
  /** Where an earlier call stopped: its `next`. */
  readonly cursor?: string;
}

export interface VerifiedPass extends Verified {
  /** Owners whose edges were compared. */
  readonly owners: number;
  /** There is more to compare: give it as `cursor`, not before `resumeAt` if there is one. */
  readonly next?: string;
}

/** Start of the part that is looked at, the last owner done, and the place within the owner after it. */
type Place = readonly [start: number, after: string, inside: string];

const OWNERS_AT_ONCE = 100;
const LEAST_MS = 2_000;
/** Times this, any regular series of passes comes by all owners evenly. */
const GOLDEN = 0.6180339887498949;

/**
 * Verifies a share of the settled owners, or all of them, as far as time and the budget for reading go; the rest when it is called
 * again with `next`, if need be days later. An edge of several owners is looked at with the first of them.
 */
export async function verifyPass(deps: ConvergeDeps, options: VerifyPassOptions): Promise<VerifiedPass> {
  const found = findings();
  const [start, from, insideFirst] = placeOf(options.cursor) ?? [startNow(deps), '', ''];
  const share = options.deep ? 1 : (options.share ?? 0) / 100;
  let owners = 0;
  const result = (next?: Place): VerifiedPass => ({
    ...found.result(),
    owners,
    ...(next === undefined ? {} : { next: JSON.stringify(next) }),
  });
  if (share <= 0) return result();
  let done = from;
  let inside = insideFirst;
  for (let after = from === '' ? undefined : `owner/${from}`, more = true; more; ) {
    const page = await deps.ledger.find('owners', {
      limit: OWNERS_AT_ONCE,
      ...(after === undefined ? {} : { after }),
    });
    const rows = await deps.ledger.getMany(page.items);
    for (const key of page.items) {
      const owner = key.slice('owner/'.length);
      const row = rows.get(key);
      const state = row && decodeOwner(row);
      if (state?.settled && placeInCircle(owner, start) < share) {
        if (deps.now() + LEAST_MS >= options.deadlineMs) return result([start, done, inside]);
        const ids = await idsOf(state, deps);
        const only = (unit: { readonly claims: object }) => {
          const claimed = Object.keys(unit.claims);
          return claimed.length === 0 || claimed.every((other) => other >= owner);
        };
        const stopped = await verifyScope({ ids, after: inside, only, owner }, deps, options, found);
        if (stopped !== undefined) return result([start, done, stopped]);
        owners += 1;
      }
      done = owner;
      inside = '';
    }
    after = page.next;
    more = after !== undefined;
  }
  return result();
}

async function idsOf(state: OwnerState, deps: ConvergeDeps): Promise<Set<string>> {
  const ids = (stored: StoredIds | undefined) => (stored ? loadIds(deps.ledger, stored, new Map()) : new Set<string>());
  try {
    return new Set([...(await ids(state.units)), ...(await ids(state.left))]);
  } catch (thrown) {
    if (!(thrown instanceof LostChunk)) throw thrown;
    // It was changed just now: another time.
    return new Set();
  }
}

function startNow(deps: ConvergeDeps): number {
  return (Math.floor(deps.now() / 60_000) * GOLDEN) % 1;
}

/** How far an owner lies behind the start, 0 to 1. */
function placeInCircle(owner: string, start: number): number {
  const at = Buffer.from(digest(owner), 'base64url').readUInt32BE(0) / 2 ** 32;
  return (at - start + 1) % 1;
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  try {
    const [start, after, inside] = JSON.parse(cursor) as unknown[];
    if (typeof start === 'number' && typeof after === 'string' && typeof inside === 'string')
      return [start, after, inside];
  } catch {
    // Not ours: from the beginning.
  }
  return undefined;
}
