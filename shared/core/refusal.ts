import { contentOf, leftover, wish } from './claims.ts';
import { NONE } from './mask.ts';
import type { Refusal, UnitState } from './unit-state.ts';

/** What is refused for good is tried again after so long: what is wrong may have been mended at the vendor, and nobody told us. */
export const REFUSED_AGAIN_MS = 86_400_000;

/** When the same is tried again by itself (epoch ms). */
export function againAt({ at, retryAt }: Refusal): number {
  return retryAt ?? at + REFUSED_AGAIN_MS;
}

/** What may make it worth trying again before its time; times in epoch ms. */
export interface Occasion {
  readonly now: number;
  /** A person asked for it. */
  readonly askedAt?: number | undefined;
  /** The manifest that does not declare it any more changed. */
  readonly editedAt?: number | undefined;
  /** Tag of the secret that would be used. */
  readonly secret?: string | undefined;
}

/** Whether what was refused is tried again now, although what is wanted is the same. */
export function isWorthTrying(refusal: Refusal, { now, askedAt, editedAt, secret }: Occasion): boolean {
  if (refusal.retryAt === undefined && now >= againAt(refusal)) return true;
  if (refusal.secret !== undefined && secret !== undefined && refusal.secret !== secret) return true;
  return [askedAt, editedAt].some((since) => since !== undefined && refusal.at < since);
}

/** Whether the refusal is of what is wanted now. */
export function isRefused(state: UnitState): boolean {
  return state.refusal !== undefined && state.refusal.content === contentOf(state, wish(state));
}

/** Whether the vendor refused to take away what nobody wants any more: whoever withdrew it keeps it until it is gone. */
export function withdrawalRefused(state: UnitState): boolean {
  return leftover(state) !== NONE && isRefused(state);
}

const AGAIN = 'It is tried again once a day, and at once with POST /reconcile and its "owners"';

/** Why it is refused, and what to do next, for people. */
export function refusedReason(state: UnitState): string {
  const said = state.refusal?.message ?? 'the vendor refuses it';
  if (leftover(state) === NONE) return said;
  const left =
    wish(state).mask === NONE ? 'Nobody declares it any more' : 'Some of its columns are not declared any more';
  return `${said.trimEnd().replace(/\.$/, '')}. ${left}, but ${state.target} may still show it. ${AGAIN}, or when the manifest changes; or remove it there by hand.`;
}
