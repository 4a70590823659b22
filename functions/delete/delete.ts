import { commit } from '../../shared/converge/commit.ts';
import { decodeOwner, encodeOwner, ownerKey } from '../../shared/converge/owner.ts';
import type { Services } from '../../shared/wiring.ts';

/** Takes the object away and writes down that a person wanted it, which is never held; false when there is none. Whoever converges next finishes. */
export async function erase(owner: string, services: Services): Promise<boolean> {
  const { manifests } = services.deps;
  if ((await manifests.head(owner)) === undefined) return false;
  // Before, because whoever finishes the work must not take the removal for an accident.
  await say(owner, services);
  await manifests.delete(owner);
  // And after, because a convergence that still saw the object may be about to take the word back.
  await say(owner, services);
  return true;
}

async function say(owner: string, { deps }: Services): Promise<void> {
  for (;;) {
    const row = await deps.ledger.get(ownerKey(owner));
    const state = row && decodeOwner(row);
    if (!row || !state) return;
    const next = { ...state, explicit: true, settled: false };
    if (await commit(deps.ledger, { key: row.key, rev: deps.id(), ...encodeOwner(next) }, row.rev)) return;
  }
}
