import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { type Due, dueOf } from '../../shared/converge/due.ts';
import { decodeOwner, type OwnerState } from '../../shared/converge/owner.ts';
import { type OwnerFound, ownerPages } from '../../shared/converge/owner-pages.ts';
import { goalOf } from '../../shared/converge/work.ts';

export interface Finding {
  readonly found: OwnerFound;
  readonly state: OwnerState | undefined;
  /** The goal of what was listed. */
  readonly hash: string;
  readonly due: Due;
}

/**
 * Every owner behind `after`, page by page, with what a listing and its row say about it: no manifest is read, and no vendor called.
 * Names and targets are read once: who changes them starts another pass. `askedAt`: a person asked (epoch ms), so what was refused is due.
 */
export async function* findings(
  deps: ConvergeDeps,
  after: string,
  askedAt?: number,
): AsyncGenerator<readonly Finding[]> {
  const [naming, targets] = await Promise.all([deps.naming(), deps.targets()]);
  const goal = goalOf(naming, targets, deps.settings.deployment);
  for await (const page of ownerPages(deps, after)) {
    yield page.map((found) => {
      const hash = goal(found.etag);
      const state = found.row && decodeOwner(found.row);
      return { found, state, hash, due: dueOf(state, { etag: found.etag, hash }, deps, askedAt) };
    });
  }
}
