import { commit } from '../../shared/converge/commit.ts';
import { decodeOwner, encodeOwner, ownerKey } from '../../shared/converge/owner.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Settled, settle } from '../register/register.ts';

/**
 * Removes a manifest on a person's word, which is never held, and converges its owner. The word is written down before the object
 * goes: whoever finishes the work must not take it for an accident. Undefined when there is no such manifest.
 */
export async function remove(owner: string, services: Services, deadlineMs: number): Promise<Settled | undefined> {
  const { manifests, ledger } = services.deps;
  if ((await manifests.head(owner)) === undefined) return undefined;
  for (;;) {
    const row = await ledger.get(ownerKey(owner));
    if (!row) break;
    const state = { ...decodeOwner(row), explicit: true, settled: false };
    if (await commit(ledger, { key: row.key, rev: services.deps.id(), ...encodeOwner(state) }, row.rev)) break;
  }
  await manifests.delete(owner);
  return settle(owner, services, deadlineMs);
}
