import { wish } from '../core/claims.ts';
import { digest } from '../core/digest.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
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
const ROWS_AT_ONCE = 100;

/**
 * Has the other holders of these edges look again when what their status says of differing options is not true any more. That they were
 * told is noted on the edges after they were sent for: whoever dies in between does it again.
 */
export async function tellHolders(states: readonly UnitState[], owner: string, deps: ConvergeDeps): Promise<void> {
  const sentFor = new Set([owner]);
  let keys = states.filter(isUntold).map(({ id }) => unitKey(id));
  while (keys.length > 0) {
    const rows = await deps.ledger.getMany(keys.slice(0, ROWS_AT_ONCE));
    const again: string[] = [];
    const untold = [...rows.values()]
      .map((row) => ({ row, state: decodeUnit(row.body) }))
      .filter(({ state }) => isUntold(state));
    for (const other of untold.flatMap(({ state }) => Object.keys(state.claims))) {
      if (sentFor.has(other)) continue;
      sentFor.add(other);
      await deps.queue.send({ kind: 'converge', owner: other, look: true }, { delayMs: NOTED_MS });
    }
    for (const { row, state } of untold) {
      const { told: _before, ...rest } = state;
      const told = toldOf(state);
      const next = told === undefined ? rest : { ...rest, told };
      if (!(await commit(deps.ledger, unitRow(next, deps), row.rev))) again.push(row.key);
    }
    keys = [...keys.slice(ROWS_AT_ONCE), ...again];
  }
}

function isUntold(state: UnitState): boolean {
  const alone = state.told === undefined && Object.keys(state.claims).length < 2;
  return !alone && toldOf(state) !== state.told;
}
