import { wish } from '../core/claims.ts';
import { digest } from '../core/digest.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { nudge } from './nudge.ts';
import { unitKey, unitRow } from './unit-row.ts';

/** What every holder of an edge is told when its options differ between them; undefined when they agree. */
export function conflictOf(state: UnitState): string | undefined {
  const { conflicts } = wish(state);
  if (conflicts.length === 0) return undefined;
  const owners = Object.keys(state.claims).sort();
  return `${conflicts.join(', ')} ${conflicts.length === 1 ? 'differs' : 'differ'} between ${owners.slice(0, 4).join(', ')}; ${owners[0]} counts`;
}

const toldOf = (state: UnitState): string | undefined => {
  const conflict = conflictOf(state);
  return conflict === undefined ? undefined : digest(conflict);
};

/** By then it is noted that they were told, as a rule: else each would tell the others once more. */
const NOTED_MS = 1_000;

/**
 * Has the other holders of these edges look at them again when what their status says of differing options is not true any more. That
 * they were told is noted on the edge after they are marked: whoever dies in between does it again.
 */
export async function tellHolders(states: readonly UnitState[], owner: string, deps: ConvergeDeps): Promise<void> {
  for (const state of states) {
    const alone = state.told === undefined && Object.keys(state.claims).length < 2;
    if (!alone && toldOf(state) !== state.told) await tell(state.id, owner, deps);
  }
}

async function tell(id: string, owner: string, deps: ConvergeDeps): Promise<void> {
  for (;;) {
    const row = await deps.ledger.get(unitKey(id));
    if (row === undefined) return;
    const { told: before, ...state } = decodeUnit(row.body);
    const told = toldOf(state);
    if (told === before) return;
    const others = Object.keys(state.claims).filter((each) => each !== owner);
    for (const other of others) {
      await nudge(other, deps);
      await deps.queue.send({ kind: 'converge', owner: other }, { delayMs: NOTED_MS });
    }
    const next = told === undefined ? state : { ...state, told };
    if (await commit(deps.ledger, unitRow(next, deps), row.rev)) return;
  }
}
