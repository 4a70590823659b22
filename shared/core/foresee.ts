import { columnsOf, notOurs, wish } from './claims.ts';
import { EDGE, has, type Mask, NONE, without } from './mask.ts';
import { type Capabilities, nextStep } from './plan.ts';
import type { ColumnPair, PlanVerdict } from './plan-document.ts';
import { refusedReason } from './refusal.ts';
import { adopted, intend, looked, succeeded, trusted } from './transition.ts';
import type { UnitState } from './unit-state.ts';

/** What would become of one unit if every call went well. */
export interface Foreseen {
  /** `gone`: nobody wants it and nothing of ours is there. */
  readonly verdict: PlanVerdict | 'unchanged' | 'gone';
  readonly reason: string;
  /** The unit as it would be then. */
  readonly state: UnitState;
  /** Vendor calls on the way, reads before the first register included. */
  readonly calls: number;
  /** Parts of `state` that the vendor would show in addition, or no longer. */
  readonly add: Mask;
  readonly remove: Mask;
}

/** More steps than any unit takes: 100,000 column edges, one a call, would be more than a manifest may hold. */
const STEPS = 100_000;

/**
 * Follows `nextStep` to its end without a call: `before` is the unit as the ledger has it, `after` the same with the owner's wish in it.
 * Waits count as passed; a call whose outcome is unknown stays unknown. Pure.
 */
export function foresee(before: UnitState, after: UnitState, can: Capabilities, now: number): Foreseen {
  const reasons = new Set<string>();
  let state = after;
  let at = now;
  let calls = 0;
  let acts = 0;
  const ends = (verdict: Foreseen['verdict'], reason: string): Foreseen => {
    const shown = shownIn(before);
    const then = shownIn(state);
    const add = without(then, shown | EDGE);
    const remove = without(shown | before.maybe, then | state.maybe | EDGE);
    return { verdict, reason: [...reasons, ...(reason === '' ? [] : [reason])].join('; '), state, calls, add, remove };
  };
  for (let steps = 0; steps < STEPS; steps += 1) {
    const step = nextStep(state, can, at);
    switch (step.do) {
      case 'look':
        calls += 1;
        state = looked(state, { edge: false, columns: [] });
        break;
      case 'verify':
        calls += 1;
        state = trusted(state);
        break;
      case 'locate':
        calls += 1;
        return ends('unknown', 'a create got no trustworthy answer; the vendor is asked whether it is there');
      case 'wait':
        if (state.refusal?.retryAt === step.until) {
          return ends('failed', `${step.reason} (tried again at ${new Date(step.until).toISOString()})`);
        }
        reasons.add(`${step.reason}, until ${new Date(step.until).toISOString()}`);
        at = Math.max(at, step.until);
        break;
      case 'register':
      case 'withdraw': {
        reasons.add(step.reason);
        acts += 1;
        calls += 1;
        const cascade = step.do === 'withdraw' && step.cascade;
        const part = step.part && can.verify ? ({ part: true } as const) : {};
        const intent = intend(state, { op: step.do, mask: step.mask, cascade, until: at, ...part });
        state = succeeded(state, intent, { receipt: '', ambiguous: false, at, createOnly: !can.withdraw });
        break;
      }
      case 'nothing':
        return acts > 0 ? ends(actedOn(before, state), step.reason ?? '') : standing(step, state, ends);
    }
  }
  return ends('failed', 'planning it does not come to an end; please report this');
}

type Ends = (verdict: Foreseen['verdict'], reason: string) => Foreseen;

function actedOn(before: UnitState, state: UnitState): PlanVerdict {
  if (wish(state).mask === NONE) return 'withdraw';
  if (has(before.shown, EDGE) || before.nodes.length > 0) return 'update';
  return adopted(state) ? 'adopt' : 'create';
}

function standing(step: Extract<ReturnType<typeof nextStep>, { do: 'nothing' }>, state: UnitState, ends: Ends) {
  switch (step.verdict) {
    case 'refused':
      return ends('failed', refusedReason(state));
    case 'unknown':
      return ends('unknown', `a call may or may not have been carried out; npm run resolve -- ${state.id} says which`);
    case 'left-behind': {
      if (notOurs(state, state.shown | state.maybe) !== NONE) return ends('foreign', step.reason ?? '');
      if (state.nodes.length === 0) return ends('unknown', 'it may have been created, and cannot be deleted');
      const receipts = state.nodes.map((node) => node.receipt).join(', ');
      return ends('left-behind', `${state.target} cannot delete: it stays, as ${receipts}`);
    }
    case 'gone':
      return ends('gone', '');
    default: {
      if (step.reason !== undefined) return ends('held', step.reason);
      const { conflicts } = wish(state);
      if (conflicts.length === 0) return ends('unchanged', '');
      const owners = Object.keys(state.claims).sort();
      return ends(
        'conflict',
        `${conflicts.join(', ')} ${conflicts.length === 1 ? 'differs' : 'differ'} between ${owners.slice(0, 4).join(', ')}; ${owners[0]} counts`,
      );
    }
  }
}

/** Everything known to be at the vendor by our doing. */
function shownIn(state: UnitState): Mask {
  return state.nodes.reduce((mask, node) => mask | node.mask, state.shown);
}

/** The columns of a mask that run between one pair of a unit's tables. */
export function columnPairs(state: UnitState, mask: Mask, from: number, to: number): ColumnPair[] {
  return columnsOf(state, mask)
    .filter((part) => part.from.table === from && part.to.table === to)
    .map((part): ColumnPair => [part.from.column, part.to.column])
    .sort((a, b) => (a.join('\u0000') < b.join('\u0000') ? -1 : 1));
}
