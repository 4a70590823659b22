import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claim, columnsOf, unclaim, wish } from '../../shared/core/claims.ts';
import { columnPairs, foresee } from '../../shared/core/foresee.ts';
import { EDGE, has, without } from '../../shared/core/mask.ts';
import { type Capabilities, nextStep } from '../../shared/core/plan.ts';
import { finished, intend, looked, refusedBy, uncertain } from '../../shared/core/transition.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import { bits, claimed, columns, empty, NODE, PAIR, registered } from './units.ts';

const NOW = 1_000_000;

const act = fc.record(
  {
    owner: fc.constantFrom('o1', 'o2'),
    columns: fc.constantFrom('', 'x>x', 'x>x y>y', 'x>x~', 'y>y~ x>y', 'x>x y>y x>y'),
  },
  { requiredKeys: ['owner'] },
);
const acts = fc.array(act, { minLength: 1, maxLength: 8 });
const capabilities = fc.constantFrom<Capabilities>(PAIR, { ...PAIR, columnsPerCall: 1 }, NODE, { ...PAIR, keep: true });

const perform = (state: UnitState, { owner, columns: wanted }: { owner: string; columns?: string }): UnitState =>
  wanted === undefined ? unclaim(state, owner) : claim(state, owner, columns(wanted), {});

describe('what becomes of a unit', () => {
  it('is nothing more once it came about, whatever was wanted before', () => {
    fc.assert(
      fc.property(acts, capabilities, (all, can) => {
        let state = empty;
        for (const each of all) {
          const after = perform(state, each);
          const will = foresee(state, after, can, NOW);
          if (can.keep) expect(without(state.shown, will.state.shown)).toBe(0n);
          const again = foresee(will.state, will.state, can, NOW);
          expect(again.calls).toBe(0);
          expect(['unchanged', 'gone', 'held', 'left-behind']).toContain(again.verdict);
          if (will.verdict === 'unchanged') expect(will.calls).toBe(0);
          if (will.verdict === 'create') expect(has(wish(will.state).mask, EDGE)).toBe(true);
          state = will.state;
        }
      }),
    );
  });

  it('never comes about by a withdraw where nothing may be withdrawn', () => {
    fc.assert(
      fc.property(acts, acts, (before, later) => {
        let state = empty;
        for (const each of before) state = foresee(state, perform(state, each), PAIR, NOW).state;
        for (const each of later) {
          const keep = { ...PAIR, keep: true };
          const after = perform(state, each);
          const will = foresee(state, after, keep, NOW);
          expect(nextStep(will.state, keep, NOW).do).toBe('nothing');
          expect(will.verdict).not.toBe('withdraw');
          // A column whose direct flag changed waits as it is.
          const lost = columnsOf(state, state.shown).filter(
            (part) => !columnsOf(will.state, will.state.shown).includes(part),
          );
          expect(lost).toEqual([]);
          state = will.state;
        }
      }),
    );
  });
});

describe('verdicts', () => {
  const wanted = claimed(empty, 'o1', 'x>x y>y');
  const there = registered(wanted, 'edge x>x y>y');

  it('names what is created, updated and withdrawn, with its columns and calls', () => {
    const made = foresee(empty, wanted, PAIR, NOW);
    expect(made).toMatchObject({ verdict: 'create', reason: 'declared', calls: 2 });
    expect(columnPairs(made.state, made.add, 0, 0)).toEqual([
      ['x', 'x'],
      ['y', 'y'],
    ]);
    const changed = foresee(there, claimed(there, 'o1', 'x>x z>z'), PAIR, NOW);
    expect(changed).toMatchObject({ verdict: 'update', reason: 'columns added; columns withdrawn', calls: 2 });
    expect(columnPairs(changed.state, changed.add, 0, 0)).toEqual([['z', 'z']]);
    expect(columnPairs(changed.state, changed.remove, 0, 0)).toEqual([['y', 'y']]);
    expect(foresee(there, unclaim(there, 'o1'), PAIR, NOW)).toMatchObject({ verdict: 'withdraw', calls: 1 });
    const read = foresee(there, unclaim(there, 'o1'), { ...PAIR, verify: true }, NOW);
    expect(read).toMatchObject({ verdict: 'withdraw', calls: 2 });
    expect(finished(read.state)).toBe(true);
  });

  it('adopts what was there before, and leaves it when it is withdrawn', () => {
    const found = looked(wanted, { edge: true, columns: columns('x>x y>y') });
    const will = foresee(found, found, PAIR, NOW);
    expect(will.verdict).toBe('adopt');
    expect(foresee(will.state, unclaim(will.state, 'o1'), PAIR, NOW)).toMatchObject({ verdict: 'foreign', calls: 0 });
  });

  it('tells what stays at a vendor that cannot delete, and what replaces it', () => {
    const node = registered(wanted, 'edge x>x y>y', true);
    const left = foresee(node, unclaim(node, 'o1'), NODE, NOW);
    expect(left).toMatchObject({ verdict: 'left-behind', reason: 'v cannot delete: it stays, as r', calls: 0 });
    const grown = foresee(node, claimed(node, 'o1', 'x>x y>y z>z'), NODE, NOW);
    expect(grown).toMatchObject({
      verdict: 'update',
      reason: 'content grew: a new node supersedes the old one',
      calls: 1,
    });
  });

  it('tells of conflicts, refusals and calls whose outcome nobody knows', () => {
    const both = claim(claimed(empty, 'o1', '', { tag: 'a' }), 'o2', [], { tag: 'b' });
    const shown = foresee(both, both, PAIR, NOW).state;
    expect(foresee(shown, shown, PAIR, NOW)).toMatchObject({
      verdict: 'conflict',
      reason: 'tag differs between o1, o2; o1 counts',
    });
    const refused = refusedBy(wanted, { kind: 'rejected', message: 'no such table', at: 1 });
    expect(foresee(refused, refused, PAIR, NOW)).toMatchObject({
      verdict: 'failed',
      reason: 'no such table',
      calls: 0,
    });
    const call = intend(wanted, { op: 'register', mask: bits(wanted, 'edge x>x y>y'), cascade: false, until: 5 });
    const unknown = uncertain(wanted, call, true);
    expect(foresee(unknown, unknown, NODE, NOW).verdict).toBe('unknown');
    expect(foresee(unknown, unknown, { ...NODE, locate: true }, 1)).toMatchObject({ verdict: 'unknown', calls: 1 });
  });
});
