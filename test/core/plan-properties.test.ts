import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claim, columnsOf, compact, unclaim, wish } from '../../shared/core/claims.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { type Capabilities, nextStep } from '../../shared/core/plan.ts';
import { intend, looked, succeeded, uncertain } from '../../shared/core/transition.ts';
import { decodeUnit, encodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import { empty, NODE, PAIR } from './units.ts';

const name = fc.constantFrom('a', 'b', 'c');
const columnEdge: fc.Arbitrary<ColumnEdge> = fc.record({
  from: name.map((column) => ({ table: 0, column })),
  to: name.map((column) => ({ table: 0, column })),
  direct: fc.boolean(),
});
const columnEdges = fc.uniqueArray(columnEdge, {
  maxLength: 6,
  selector: (each) => `${each.from.column}>${each.to.column}`,
});
const options: fc.Arbitrary<JsonObject> = fc.record(
  { tag: fc.constantFrom('x', 'y'), properties: fc.dictionary(name, name, { maxKeys: 2 }), quiet: fc.boolean() },
  { requiredKeys: [] },
);
const owner = fc.constantFrom('o1', 'o2', 'o3');
type Act = { owner: string; columns?: ColumnEdge[]; options: JsonObject };
const act: fc.Arbitrary<Act> = fc.record(
  { owner, columns: columnEdges, options },
  { requiredKeys: ['owner', 'options'] },
);
const capabilities = fc.constantFrom<Capabilities>(
  PAIR,
  { ...PAIR, columnsPerCall: 1 },
  { ...PAIR, columnsPerCall: 100 },
  NODE,
);

const perform = (state: UnitState, { owner: who, columns, options: what }: Act): UnitState =>
  columns ? claim(state, who, columns, what) : unclaim(state, who);

interface Shown {
  edge: boolean;
  readonly columns: Map<string, boolean>;
  calls: number;
}
const nothing = (): Shown => ({ edge: false, columns: new Map(), calls: 0 });
const keyOf = (each: ColumnEdge): string => `${each.from.column}>${each.to.column}`;

/** Follows the plan to its end at a vendor that always answers, and says what that vendor then shows. */
function applied(start: UnitState, can: Capabilities, vendor: Shown): UnitState {
  let state = start;
  for (let steps = 0; steps < 60; steps += 1) {
    const step = nextStep(state, can, 1_000_000);
    if (step.do === 'nothing') return state;
    if (step.do === 'look' || step.do === 'locate' || step.do === 'verify') {
      state = looked(state, { edge: false, columns: [] });
      continue;
    }
    if (step.do === 'wait') throw new Error('nothing to wait for');
    const intent = intend(state, {
      op: step.do,
      mask: step.mask,
      cascade: step.do === 'withdraw' && step.cascade,
      until: 1,
    });
    const parts = columnsOf(state, step.mask);
    if (parts.length > can.columnsPerCall) throw new Error('too many columns in a call');
    vendor.calls += 1;
    if (step.do === 'register') {
      vendor.edge = true;
      for (const part of parts) vendor.columns.set(keyOf(part), part.direct);
    } else {
      for (const part of parts) vendor.columns.delete(keyOf(part));
      if (parts.length === 0) vendor.columns.clear();
      if (parts.length === 0 || (intent.cascade && vendor.columns.size === 0)) vendor.edge = false;
    }
    state = succeeded(state, intent, { receipt: 'r', ambiguous: false, at: 1_000_000, createOnly: !can.withdraw });
    // As the ledger would: through compaction and storage.
    state = decodeUnit(encodeUnit(compact(state)));
  }
  throw new Error('the plan never ends');
}

function meant(state: UnitState): { edge: boolean; columns: Record<string, boolean> } {
  const { mask } = wish(state);
  return {
    edge: mask !== 0n,
    columns: Object.fromEntries(
      columnsOf(state, mask)
        .map((each) => [keyOf(each), each.direct])
        .sort(),
    ),
  };
}

const shownBy = (vendor: Shown) => ({ edge: vendor.edge, columns: Object.fromEntries([...vendor.columns].sort()) });

describe('planning', () => {
  it('against the result of applying a plan yields nothing', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 6 }), capabilities, (acts, can) => {
        const vendor = nothing();
        const state = applied(acts.reduce(perform, empty), can, vendor);
        const { calls } = vendor;
        expect(nextStep(state, can, 1_000_001).do).toBe('nothing');
        applied(state, can, vendor);
        expect(vendor.calls).toBe(calls);
      }),
      { numRuns: 400 },
    );
  });

  it('loses no column when it splits, and any sequence of declarations and withdrawals equals its net effect', () => {
    fc.assert(
      fc.property(
        fc.array(act, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        (acts, columnsPerCall) => {
          const can = { ...PAIR, columnsPerCall };
          const step = nothing();
          let state = empty;
          for (const each of acts) state = applied(perform(state, each), can, step);
          const once = nothing();
          const net = applied(acts.reduce(perform, empty), can, once);
          expect(shownBy(step)).toEqual(meant(state));
          expect(meant(state)).toEqual(meant(net));
          expect(shownBy(once)).toEqual(shownBy(step));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('does not depend on the order in which owners claim', () => {
    fc.assert(
      fc.property(
        fc
          .uniqueArray(act, { minLength: 2, maxLength: 3, selector: (each) => each.owner })
          .chain((acts) => fc.tuple(fc.constant(acts), fc.shuffledSubarray(acts, { minLength: acts.length }))),
        ([acts, shuffled]) => {
          const one = acts.reduce(perform, empty);
          const other = shuffled.reduce(perform, empty);
          expect(meant(one)).toEqual(meant(other));
          expect(wish(one).options).toEqual(wish(other).options);
          expect(wish(one).conflicts).toEqual(wish(other).conflicts);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('conflicting options never flap: claiming the same again, in any order, makes no call', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(act, { minLength: 1, maxLength: 3, selector: (each) => each.owner }),
        capabilities,
        (acts, can) => {
          const vendor = nothing();
          let state = applied(acts.reduce(perform, empty), can, vendor);
          const { calls } = vendor;
          for (const each of [...acts].reverse()) state = applied(perform(state, each), can, vendor);
          expect(vendor.calls).toBe(calls);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gets there whatever was left in doubt, once nothing can arrive any more', () => {
    const doubt = fc.record({ at: fc.nat(7), done: fc.boolean() });
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 6 }), fc.array(doubt, { maxLength: 3 }), (acts, doubts) => {
        const vendor = nothing();
        let state: UnitState = { ...empty, foreign: 0n };
        acts.forEach((each, at) => {
          state = perform(state, each);
          const step = nextStep(state, PAIR, 1_000_000);
          const lost = doubts.find((other) => other.at === at);
          if (lost && step.do === 'register') {
            const intent = intend(state, { op: 'register', mask: step.mask, cascade: false, until: 10 });
            if (lost.done) {
              vendor.edge = true;
              for (const part of columnsOf(state, step.mask)) vendor.columns.set(keyOf(part), part.direct);
            }
            state = decodeUnit(encodeUnit(compact(uncertain(state, intent, false))));
          }
        });
        state = applied(state, PAIR, vendor);
        expect(shownBy(vendor)).toEqual(meant(state));
      }),
      { numRuns: 400 },
    );
  });
});
