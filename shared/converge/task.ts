import { claim, unclaim } from '../core/claims.ts';
import type { ColumnEdge } from '../core/edge.ts';
import type { JsonObject } from '../core/json.ts';
import type { Capabilities } from '../core/plan.ts';
import type { UnitOrigin, UnitState } from '../core/unit-state.ts';
import type { Decision } from './decide.ts';
import type { Target } from './deps.ts';

/** One owner's wish about one unit: these columns and options, or, without `want`, nothing any more. */
export interface UnitTask {
  readonly id: string;
  readonly owner: string;
  readonly target: Target;
  readonly want?: {
    readonly origin: UnitOrigin;
    readonly columns: readonly ColumnEdge[];
    readonly options: JsonObject;
  };
  /** Keep the claim as it stands and only settle what a dead worker left. */
  readonly settleOnly?: boolean;
}

/** A decision as work on units: claims first, withdrawals after them, then what is only to be settled. */
export function tasksOf(
  decision: Pick<Decision, 'claims' | 'withdraw' | 'settle'>,
  owner: string,
): { readonly claims: UnitTask[]; readonly withdrawals: UnitTask[]; readonly leftovers: UnitTask[] } {
  const claims = [...decision.claims.values()].map(
    ({ target, unit }): UnitTask => ({
      id: unit.id,
      owner,
      target,
      want: {
        origin: {
          id: unit.id,
          vendor: target.vendor.name,
          target: target.name,
          account: target.account,
          from: unit.from,
          to: unit.to,
          spec: unit.spec,
          quietOptions: unit.quietOptions ?? [],
        },
        columns: unit.columns,
        options: unit.options,
      },
    }),
  );
  const withdrawals = decision.withdraw.map(({ id, target }): UnitTask => ({ id, owner, target }));
  const leftovers = decision.settle.map(({ id, target }): UnitTask => ({ id, owner, target, settleOnly: true }));
  return { claims, withdrawals, leftovers };
}

/** What a target's vendor can do, its mode considered. */
export function capabilitiesOf({ vendor, client, mode }: Target): Capabilities {
  return {
    repeatable: vendor.abilities.repeatable,
    withdraw: vendor.abilities.withdraw,
    look: client.present !== undefined,
    locate: client.locate !== undefined,
    verify: client.verify !== undefined,
    columnsPerCall: vendor.limits.columnsPerCall,
    ...(mode === undefined || mode === 'sync' ? {} : { keep: true }),
  };
}

/** The unit as it is once the owner's wish is written into it; the same object when that changes nothing. */
export function withWish(state: UnitState, task: UnitTask): UnitState {
  if (task.settleOnly) return state;
  if (task.want === undefined) return unclaim(state, task.owner);
  const { origin, columns, options } = task.want;
  const claimed = claim(state, task.owner, columns, options);
  // The newest declaration names the unit best (an identity may have been added since).
  return claimed === state
    ? state
    : { ...claimed, from: origin.from, to: origin.to, spec: origin.spec, target: origin.target };
}
