import type { UnitState } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { nudge } from './nudge.ts';
import { unitRow } from './unit-row.ts';

/** Of owners that share an edge, so many are told: one that can converge is enough. */
const TOLD = 5;

/**
 * Makes the ledger believe what was seen (`state`), if the row is still the one that was compared. An owner is told before and after: before, so that a
 * death in between leaves it unsettled; after, so that one who looked in between looks again.
 */
export async function correct(
  row: Row,
  state: UnitState,
  keeper: string | undefined,
  deps: ConvergeDeps,
): Promise<boolean> {
  const claimed = Object.keys(state.claims).sort().slice(0, TOLD);
  const owners = claimed.length === 0 && keeper !== undefined ? [keeper] : claimed;
  for (const owner of owners) await nudge(owner, deps);
  const corrected = await commit(deps.ledger, unitRow(state, deps), row.rev);
  if (!corrected) return false;
  for (const owner of owners) {
    await nudge(owner, deps);
    await deps.queue.send({ kind: 'converge', owner });
  }
  deps.log.warn('drift', { edge: state.id, target: state.target, owners });
  return true;
}
