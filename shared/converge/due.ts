import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, newOwner, type OwnerState, ownerKey, type Queued } from './owner.ts';
import type { OwnerFound } from './owner-pages.ts';
import { ownerRow } from './work.ts';

/**
 * Whether an owner needs work, as far as its row and a listing can say:
 * `none` nothing is left of it; `unchanged` settled, and so is what was listed; `working` somebody applies just that now;
 * `queued` a message about just that is on its way; `due` it needs work, and nobody knows.
 */
export type Due = 'none' | 'unchanged' | 'working' | 'queued' | 'due';

/** How long a message may be on its way before it counts as lost; twice as long each time it was sent again, up to a day. */
const LOST_AFTER_MS = 900_000;
const LOST_AT_MOST_MS = 86_400_000;
const MARK_TRIES = 5;

/**
 * Whether nothing has to be done about an owner for this goal. What a vendor refuses is no work before its time, unless a person asks for
 * it (`askedAt`, epoch ms). Pure.
 */
export function isSettled(
  { settled, hash, vanish, again }: OwnerState,
  goal: string,
  { now, askedAt }: { readonly now: number; readonly askedAt?: number | undefined },
): boolean {
  if (!settled || hash !== goal || vanish !== undefined) return false;
  return again === undefined || (askedAt === undefined && now < again);
}

/** `hash` is the goal of what was listed; `askedAt`: a person asked (epoch ms). Pure. */
export function dueOf(
  state: OwnerState | undefined,
  listed: { readonly etag: string | undefined; readonly hash: string },
  deps: Pick<ConvergeDeps, 'now' | 'alive'>,
  askedAt?: number,
): Due {
  const { etag, hash } = listed;
  if (state === undefined) return etag === undefined ? 'none' : 'due';
  if (isSettled(state, hash, { now: deps.now(), askedAt })) return 'unchanged';
  if (state.lease !== undefined && state.goal?.hash === hash && deps.alive(state.lease)) return 'working';
  return state.queued?.hash === hash && state.queued.until > deps.now() ? 'queued' : 'due';
}

/** The mark of a continuation that comes after `delayMs`. */
export function onItsWay(sent: { readonly hash: string; readonly delayMs: number; readonly now: number }): Queued {
  const { hash, delayMs, now } = sent;
  return { hash, at: now, until: now + delayMs + LOST_AFTER_MS, times: 1 };
}

/**
 * Marks an owner that is due as on its way, so that of several passes only one sends the message: true for that one. The row of an owner
 * nobody has met yet is made. `resend`: marks of this pass made before that time count for nothing, because whoever made them may
 * have died before it sent; `askedAt`: a person asked (epoch ms).
 */
export async function markQueued(
  found: OwnerFound,
  hash: string,
  pass: { readonly id: string; readonly resend: number; readonly askedAt?: number | undefined },
  deps: ConvergeDeps,
): Promise<boolean> {
  const listed = { etag: found.etag, hash };
  let { row } = found;
  for (let tries = 0; tries < MARK_TRIES; tries += 1) {
    const state = row && decodeOwner(row);
    const due = dueOf(state, listed, deps, pass.askedAt);
    if (due !== 'due' && !(due === 'queued' && unsent(state, pass))) return false;
    const before = state?.queued?.hash === hash ? state.queued.times : 0;
    const lostAfter = Math.min(LOST_AT_MOST_MS, LOST_AFTER_MS * 2 ** Math.min(before, 10));
    const at = deps.now();
    const queued: Queued = { hash, at, until: at + lostAfter, times: before + 1, pass: pass.id };
    const next = ownerRow({ ...(state ?? newOwner(found.owner)), queued }, deps);
    if (await commit(deps.ledger, next, row?.rev ?? null)) return true;
    row = await deps.ledger.get(ownerKey(found.owner));
  }
  // It changes all the time: whoever changes it sees to it.
  return false;
}

/** Marked by an earlier invocation of this pass, behind the place where that one stopped. */
export function unsent(state: OwnerState | undefined, pass: { readonly id: string; readonly resend: number }): boolean {
  return state?.queued?.pass === pass.id && state.queued.at < pass.resend;
}
