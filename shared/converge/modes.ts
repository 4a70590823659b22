import { nextStep } from '../core/plan.ts';
import { newUnit, type UnitState } from '../core/unit-state.ts';
import { type Decision, keepsAll } from './decide.ts';
import type { Target, Targets } from './deps.ts';
import type { DesiredUnit } from './desired.ts';
import { capabilitiesOf, tasksOf, withWish } from './task.ts';

export const RESTORED = 'the ledger was restored from a backup';
/** What ends that. */
export const RESUME = 'look at npm run plan, then npm run restore -- --resume';

/** Units of a decision that are kept because of their target's mode, and for no other reason. */
export function keptByMode(decision: Pick<Decision, 'kept' | 'states'>, targets: Targets): string[] {
  const keeping = new Set(targets.list.filter(keepsAll).map((target) => target.account));
  return [...decision.kept].filter((id) => keeping.has(decision.states.get(id)?.account ?? ''));
}

/** Why a declared edge is not sent to a report-only target; undefined when nothing would be sent anyway. */
export function changesUnsent(wanted: DesiredUnit, state: UnitState | undefined, owner: string): string | undefined {
  const [task] = tasksOf({ claims: new Map([[wanted.unit.id, wanted]]), withdraw: [], settle: [] }, owner).claims;
  if (!task?.want) return undefined;
  const step = nextStep(withWish(state ?? newUnit(task.want.origin), task), capabilitiesOf(wanted.target), 0);
  if (step.do === 'nothing' && step.reason === undefined) return undefined;
  const { name, restored } = wanted.target;
  if (restored) return `${RESTORED}, so nothing is sent; ${RESUME}`;
  return `${name} is report-only, so nothing is sent; it is brought up to date once MODES says ${name}=sync`;
}

/** Why a report-only target is not asked to do anything, where there is nothing to do either. */
export function reportOnly({ name, restored }: Target): string {
  return restored ? `${name} is report-only, because ${RESTORED}; ${RESUME}` : `${name} is report-only`;
}

/** Why an edge that nobody declares any more stays at a target. */
export function withdrawalUnsent({ name, mode, restored }: Target): string {
  if (restored) return `no longer declared, but ${RESTORED}, so it stays; ${RESUME}`;
  return `no longer declared, but ${name} is ${mode}, so it stays; it is withdrawn once MODES says ${name}=sync`;
}
