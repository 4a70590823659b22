import { describe, expect, it } from 'vitest';
import { claim, compact, unclaim } from '../../shared/core/claims.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { all, maskOf, positions, take } from '../../shared/core/mask.ts';
import { intern, twinBits } from '../../shared/core/parts.ts';
import { type Capabilities, nextStep } from '../../shared/core/plan.ts';
import { intend, looked, succeeded } from '../../shared/core/transition.ts';
import { encodeUnit, newUnit, type UnitState } from '../../shared/core/unit-state.ts';

const can: Capabilities = { repeatable: true, withdraw: true, look: true, locate: false, columnsPerCall: 10 };
const origin = { id: 'u', vendor: 'v', target: 'v', account: 'a', from: [], to: [], spec: {}, quietOptions: [] };

/** Columns that count how often anybody looks at their names. */
function counting(count: number, direct: boolean) {
  const seen = { looks: 0 };
  const columns = Array.from({ length: count }, (_, at): ColumnEdge => {
    const from = {
      table: 0,
      get column() {
        seen.looks += 1;
        return `column_${at}`;
      },
    };
    return { from, to: { table: 0, column: `column_${at}` }, direct };
  });
  return { seen, columns };
}

/** What a convergence does with a unit, until nothing is left to do: its row is written twice for each call. */
function settled(start: UnitState): { readonly state: UnitState; readonly calls: number } {
  let state = start;
  for (let calls = 0; ; calls += 1) {
    let step = nextStep(state, can, 0);
    if (step.do === 'look') {
      state = looked(state, { edge: false, columns: [] });
      step = nextStep(state, can, 0);
    }
    if (step.do !== 'register' && step.do !== 'withdraw') return { state, calls };
    const cascade = step.do === 'withdraw' && step.cascade;
    const intent = intend(state, { op: step.do, mask: step.mask, cascade, until: 1 });
    state = compact({ ...state, intent });
    encodeUnit(state);
    const sent = state.intent;
    if (!sent) throw new Error('no intent');
    state = compact(succeeded(state, sent, { receipt: 'r', ambiguous: false, at: 1, createOnly: false }));
    encodeUnit(state);
  }
}

/** Looks at each column while so many are registered, made indirect, and withdrawn, ten a call. */
function looksPerColumn(count: number): number {
  const declared = counting(count, true);
  const changed = counting(count, false);
  const shown = settled(claim(newUnit(origin), 'o', declared.columns, {}));
  expect(shown.calls).toBe(count / 10);
  const flipped = settled(claim(shown.state, 'o', changed.columns, {}));
  expect(positions(flipped.state.shown)).toHaveLength(count + 1);
  const gone = settled(unclaim(flipped.state, 'o'));
  expect(positions(gone.state.shown)).toHaveLength(0);
  return (declared.seen.looks + changed.seen.looks) / count;
}

describe('a unit of many columns', () => {
  it('is not looked through for each of its calls', () => {
    const few = looksPerColumn(200);
    expect(looksPerColumn(3_200)).toBeLessThan(2 * few);
  });

  it('forgets what nobody refers to, once that is half of it', () => {
    const { columns } = counting(1_000, true);
    const many = claim(newUnit(origin), 'o', columns, {});
    expect(compact(claim(many, 'o', columns.slice(0, 900), {})).parts).toHaveLength(1_000);
    expect(compact(claim(many, 'o', columns.slice(0, 500), {})).parts).toHaveLength(500);
    const small = claim(newUnit(origin), 'o', columns.slice(0, 100), {});
    expect(compact(claim(small, 'o', columns.slice(0, 99), {})).parts).toHaveLength(99);
  });
});

describe('bits of column edges', () => {
  const { columns } = counting(40, true);
  const { columns: twins } = counting(40, false);

  it('stay the same however often they are asked for, and grow at the end', () => {
    const first = intern([], columns.slice(0, 20));
    expect(intern(first.parts, columns.slice(0, 20))).toMatchObject({ parts: first.parts, mask: all(20) });
    const more = intern(first.parts, columns.slice(10));
    expect(more.parts).toEqual(columns);
    expect(positions(more.mask)).toEqual([0, ...Array.from({ length: 30 }, (_, at) => at + 11)]);
    expect(intern(columns.toReversed(), columns.slice(10)).mask).toBe(all(30));
  });

  it('tell which edges differ in the direct flag alone', () => {
    const parts = [...columns, ...twins.slice(0, 2)];
    expect([...twinBits(parts)].sort(([a], [b]) => a - b)).toEqual([
      [1, [41]],
      [2, [42]],
      [41, [1]],
      [42, [2]],
    ]);
    expect(twinBits(columns).size).toBe(0);
  });

  it('go into a mask and come back, at any height', () => {
    for (const bits of [[], [0], [29, 30], [0, 3, 31, 32, 63, 64, 1_000], [9_999, 10_000]]) {
      expect(positions(maskOf(bits))).toEqual(bits);
      expect(maskOf(bits)).toBe(bits.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n));
    }
    expect(take(all(100), 3)).toBe(0b111n);
    expect(positions(all(70), 69)).toHaveLength(69);
  });
});
