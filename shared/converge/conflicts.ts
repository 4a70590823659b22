import { wish } from '../core/claims.ts';
import { digest } from '../core/digest.ts';
import { isRefused } from '../core/refusal.ts';
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

/** What of an edge every holder has to know, as a digest: that options differ, or that the vendor refuses it; undefined when there is nothing. */
function toldOf(state: UnitState): string | undefined {
  const conflict = conflictOf(state);
  const refused = isRefused(state) ? state.refusal?.message : undefined;
  return conflict === undefined && refused === undefined ? undefined : digest(JSON.stringify([conflict, refused]));
}

/** By then it is noted that they were told, as a rule: else each would tell the others once more. */
const NOTED_MS = 1_000;
const ROWS_AT_ONCE = 100;

/**
 * Has the other holders of these edges look again when what their status says of differing options or of a refusal is not true any more; and
 * this owner itself, when others changed an edge since it was read here (`states`). That they were told is noted on the edges after they were sent
 * for: whoever dies in between does it again.
 */
export async function tellHolders(states: readonly UnitState[], owner: string, deps: ConvergeDeps): Promise<void> {
  const sentFor = new Set<string>();
  const send = async (other: string): Promise<void> => {
    if (sentFor.has(other)) return;
    sentFor.add(other);
    await deps.queue.send({ kind: 'converge', owner: other, look: true }, { delayMs: NOTED_MS });
  };
  const said = new Map(states.filter(isUntold).map((state) => [unitKey(state.id), toldOf(state)]));
  let keys = [...said.keys()];
  while (keys.length > 0) {
    const rows = await deps.ledger.getMany(keys.slice(0, ROWS_AT_ONCE));
    const again: string[] = [];
    for (const row of rows.values()) {
      const { told: before, ...state } = decodeUnit(row.body);
      const told = toldOf(state);
      if (told !== said.get(row.key)) await send(owner);
      if (told === before) continue;
      for (const other of Object.keys(state.claims)) if (other !== owner) await send(other);
      const next = told === undefined ? state : { ...state, told };
      if (!(await commit(deps.ledger, unitRow(next, deps), row.rev))) again.push(row.key);
    }
    keys = [...keys.slice(ROWS_AT_ONCE), ...again];
  }
}

function isUntold(state: UnitState): boolean {
  const alone = state.told === undefined && Object.keys(state.claims).length < 2;
  return !alone && toldOf(state) !== state.told;
}
