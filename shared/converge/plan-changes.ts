import { wish } from '../core/claims.ts';
import { columnPairs, type Foreseen, foresee } from '../core/foresee.ts';
import { append } from '../core/large-lists.ts';
import { without } from '../core/mask.ts';
import type { PlanChange, PlanProblem, PlanRelease, PlanVerdict } from '../core/plan-document.ts';
import type { UnitState, UnitTable } from '../core/unit-state.ts';
import type { Target } from './deps.ts';
import { changesUnsent, keptByMode, withdrawalUnsent } from './modes.ts';
import { type DriftFound, NO_DRIFT } from './plan-drift.ts';
import { beforeOf, foreseeTask, type OpenStudy, type PlanContext } from './plan-owner.ts';
import { labelOf } from './status.ts';
import { capabilitiesOf, tasksOf, type UnitTask, withWish } from './task.ts';
import type { Drifted } from './verified.ts';

/** One owner's part of a plan. */
export interface OwnerPlan {
  readonly changes: readonly PlanChange[];
  readonly problems: readonly PlanProblem[];
  readonly unchanged: number;
  /** Vendor calls by target. */
  readonly calls: ReadonlyMap<string, number>;
}

/**
 * What becomes of each edge of an owner. `shadow` holds the units as the owners planned before will leave them, and takes what this one
 * will: an edge that moves from one manifest to another is no change.
 */
export function changesOf(
  study: OpenStudy,
  shadow: Map<string, UnitState>,
  context: PlanContext,
  drift: DriftFound = NO_DRIFT,
): OwnerPlan {
  const { owner, desired, decision, state, units } = study;
  const changes: PlanChange[] = [];
  const problems: PlanProblem[] = [];
  const calls = new Map<string, number>();
  const now = context.deps.now();
  let unchanged = 0;
  const stored = (id: string): UnitState | undefined => shadow.get(id) ?? units.get(id) ?? decision.states.get(id);

  const { claims, withdrawals } = tasksOf(decision, owner);
  for (const task of claims) {
    const will = foreseeTask(task, stored(task.id), now);
    const drifted = drift.byUnit.get(task.id);
    if (drifted && will.verdict === 'unchanged') changes.push(...driftOf(will.state, drifted));
    else if (will.verdict === 'unchanged' || will.verdict === 'gone') unchanged += pairsOf(will.state);
    else if (task.target.assumed) changes.push(...edges(task.target, will.state, 'adopt', ADOPTED, will));
    else changes.push(...edges(task.target, will.state, will.verdict, will.reason, will));
    go(task, will);
  }
  for (const task of withdrawals) {
    const unit = stored(task.id);
    if (!unit) continue;
    const will = foreseeTask(task, unit, now);
    // Declared by others still, which is told where they are planned, or never shown.
    if (will.verdict !== 'unchanged' && will.verdict !== 'gone' && will.verdict !== 'conflict') {
      changes.push(...edges(task.target, will.state, will.verdict, will.reason, will));
    }
    go(task, will);
  }

  for (const id of decision.left) {
    const unit = stored(id);
    if (unit) changes.push(...lasting(unit, 'left-behind', leftReason(unit), { standing: true }));
  }
  const release = releaseOf(study);
  for (const id of decision.held) {
    const unit = stored(id);
    if (unit) changes.push(...lasting(unit, 'held', `withdraw: ${decision.holdReason}`, release));
  }
  for (const { unit, target } of decision.heldClaims) {
    const named = { ...unit, vendor: target.vendor.name, target: target.name };
    changes.push(...lasting(named, 'held', `create: first contact with ${target.name}`, release));
  }
  for (const { unit, target } of decision.reported) {
    const reason = changesUnsent({ unit, target }, stored(unit.id), owner);
    if (reason === undefined) {
      unchanged += unit.from.length * unit.to.length;
      continue;
    }
    const [task] = tasksOf({ claims: new Map([[unit.id, { unit, target }]]), withdraw: [], settle: [] }, owner).claims;
    if (!task) continue;
    const before = beforeOf(task, stored(unit.id));
    const will = foresee(before, withWish(before, task), capabilitiesOf({ ...target, mode: 'sync' }), now);
    changes.push(...edges(target, will.state, 'held', `${will.verdict}: ${reason}`, will));
  }

  const byAccount = new Map(context.targets.list.map((target) => [target.account, target]));
  const byMode = new Set(desired.kind === 'unreadable' ? [] : keptByMode(decision, context.targets));
  const declared = new Set(decision.reported.map((each) => each.unit.id));
  for (const id of decision.kept) {
    const unit = stored(id);
    if (!unit || declared.has(id)) continue;
    const target = byAccount.get(unit.account);
    if (target && byMode.has(id)) changes.push(...lasting(unit, 'held', `withdraw: ${withdrawalUnsent(target)}`));
    else if (desired.kind === 'absent') {
      changes.push(
        ...lasting(unit, 'held', `withdraw: ${unit.target} cannot be used now, so nothing is withdrawn there`),
      );
    } else unchanged += pairsOf(unit);
  }
  if (desired.kind === 'declared') {
    for (const { target, from, to, reason } of desired.unresolved) {
      changes.push({ owner, target, from, to, verdict: 'unresolved', reason, standing: true });
    }
  }
  if (desired.kind !== 'absent') {
    // Warnings of a manifest that can be used are not the plan's matter; its status document has them.
    // What is wrong with naming.yaml is told once for all of them.
    const told = desired.kind === 'unreadable' && context.naming.naming !== undefined ? desired.problems : [];
    append(
      problems,
      told.map((problem) => ({ owner, ...problem })),
    );
  }
  return { changes, problems, unchanged, calls };

  function go({ id, target }: UnitTask, will: Foreseen): void {
    shadow.set(id, will.state);
    if (will.calls > 0 && !target.assumed) calls.set(target.name, (calls.get(target.name) ?? 0) + will.calls);
  }

  function edges(target: Target, unit: UnitState, verdict: PlanVerdict, reason: string, will: Foreseen): PlanChange[] {
    const { conflicts } = wish(unit);
    const said =
      conflicts.length > 0 && verdict !== 'conflict'
        ? `${reason}; manifests differ in ${conflicts.join(', ')}`
        : reason;
    const acts = will.add !== 0n || will.remove !== 0n;
    return pairs(unit, (from, to, at) => {
      const add = columnPairs(unit, will.add, ...at);
      const remove = columnPairs(unit, without(will.remove, will.add), ...at);
      return {
        owner,
        target: target.name,
        from,
        to,
        verdict,
        reason: said,
        ...(acts && add.length + remove.length > 0 ? { columns: { add, remove } } : {}),
        ...(STANDING.has(verdict) && (!study.todo || verdict !== 'left-behind') ? { standing: true as const } : {}),
      };
    });
  }

  function driftOf(unit: UnitState, { target, kind, columns, reason }: Drifted): PlanChange[] {
    const change = kind === 'returned' ? { add: [], remove: columns } : { add: columns, remove: [] };
    calls.set(target, (calls.get(target) ?? 0) + 1);
    return lasting(unit, 'drifted', reason, columns.length > 0 ? { columns: change } : {});
  }

  function lasting(unit: Named, verdict: PlanVerdict, reason: string, rest: Partial<PlanChange> = {}): PlanChange[] {
    return pairs(unit, (from, to) => ({ owner, target: unit.target, from, to, verdict, reason, ...rest }));
  }

  function releaseOf({ decision: { holdId } }: OpenStudy): { release?: PlanRelease } {
    const { held } = state;
    if (held === undefined || held.id !== holdId) return {};
    const since = new Date(held.at).toISOString();
    return { release: { id: held.id, since, method: 'POST', path: '/reconcile', body: { release: held.id } } };
  }
}

const ADOPTED = 'counts as registered already, without a call';

/** Verdicts that say how things stand and that no convergence changes. */
const STANDING: ReadonlySet<PlanVerdict> = new Set(['failed', 'conflict', 'unknown', 'left-behind', 'foreign']);

type Named = {
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  readonly vendor: string;
  readonly target: string;
};

function pairs<T>(unit: Omit<Named, 'target'>, make: (from: string, to: string, at: [number, number]) => T): T[] {
  return unit.from.flatMap((from, fromAt) =>
    unit.to.map((to, toAt) => make(labelOf(from, unit.vendor), labelOf(to, unit.vendor), [fromAt, toAt])),
  );
}

function pairsOf(unit: Pick<UnitState, 'from' | 'to'>): number {
  return unit.from.length * unit.to.length;
}

function leftReason(unit: UnitState): string {
  return `${unit.target} cannot delete: it stays, as ${unit.nodes.map((node) => node.receipt).join(', ') || 'it was before us'}`;
}
