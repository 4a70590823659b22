import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, encodeOwner, ownerKey } from './owner.ts';

/**
 * Makes the next convergence of an owner look at all its units again. Whoever is at work on it now sees that the row is another one, not
 * only that somebody looked, and goes over it once more before it settles.
 */
export async function nudge(owner: string, deps: ConvergeDeps): Promise<void> {
  for (;;) {
    const row = await deps.ledger.get(ownerKey(owner));
    if (!row) return;
    const { queued: _whatever, ...known } = decodeOwner(row);
    const state = { ...known, settled: false, nudge: deps.id() };
    if (await commit(deps.ledger, { key: row.key, rev: deps.id(), ...encodeOwner(state) }, row.rev)) return;
  }
}
