import { circuitKey, refuses } from '../core/account-rows.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Target } from './deps.ts';

/** How many of these targets refuse the secrets that they are called with. One read. */
export async function circuitsOpen(
  targets: readonly Pick<Target, 'account' | 'circuit'>[],
  ledger: Pick<Ledger, 'getMany'>,
): Promise<number> {
  const rows = await ledger.getMany(targets.map(({ account }) => circuitKey(account)));
  return targets.filter(
    ({ account, circuit }) => circuit !== undefined && refuses(circuit.secret, rows.get(circuitKey(account))?.body),
  ).length;
}
