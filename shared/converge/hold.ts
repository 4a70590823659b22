import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { decodeOwner, encodeOwner, ownerKey } from './owner.ts';

/**
 * Lets go what is held under an id: exactly what it stood for when it was shown. What came later has another id. Gives the owners
 * concerned; they still have to converge.
 */
export async function releaseHold(id: string, deps: ConvergeDeps): Promise<string[]> {
  const owners: string[] = [];
  let after: string | undefined;
  do {
    const page = await deps.ledger.find(`held:${id}`, after === undefined ? {} : { after });
    for (const key of page.items) if (await releaseOwner(key, id, deps)) owners.push(key.slice(ownerKey('').length));
    after = page.next;
  } while (after !== undefined);
  return owners;
}

async function releaseOwner(key: string, id: string, deps: ConvergeDeps): Promise<boolean> {
  for (;;) {
    const row = await deps.ledger.get(key);
    const state = row && decodeOwner(row);
    if (!row || state?.held?.id !== id) return false;
    const { held, ...rest } = state;
    const released = {
      ...rest,
      settled: false,
      allowed: held.units,
      configured: [...new Set([...state.configured, ...held.accounts])].sort(),
    };
    // A holder of the lease finds its last write refused, looks again, and sees what is allowed now.
    if (await commit(deps.ledger, { key, rev: deps.id(), ...encodeOwner(released) }, row.rev)) return true;
  }
}
