import { describe, expect, it } from 'vitest';
import { unclaim, wish } from '../../shared/core/claims.ts';
import { nextStep } from '../../shared/core/plan.ts';
import { dropped, looked, refusedBy, succeeded, uncertain } from '../../shared/core/transition.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import { bits, claimed, columns, empty, intent, NODE, PAIR, registered, words } from './units.ts';

const NOW = 500;

function step(state: UnitState, can = PAIR, now = NOW): Record<string, unknown> {
  const { reason: _why, ...rest } = nextStep(state, can, now) as unknown as Record<string, unknown> & { mask?: bigint };
  return rest['mask'] === undefined ? rest : { ...rest, mask: words(state, rest['mask'] as bigint) };
}

describe('a pair at a vendor that takes lineage back', () => {
  const wanted = claimed(empty, 'a', 'x>x y>y z>z');
  const shown = registered(registered(wanted, 'edge x>x y>y'), 'edge z>z');

  it('never looked, nothing registered: looks', () => {
    expect(step(wanted)).toEqual({ do: 'look' });
  });

  it('looks once only, and not at all where reading is impossible', () => {
    const seen = looked(wanted, { edge: false, columns: [] });
    expect(step(seen)).toMatchObject({ do: 'register' });
    expect(step(wanted, { ...PAIR, look: false })).toMatchObject({ do: 'register' });
  });

  it('more than shown: registers, at most columnsPerCall columns a call, always with the edge', () => {
    const seen = { ...wanted, foreign: 0n };
    expect(step(seen)).toEqual({ do: 'register', mask: 'edge x>x y>y', part: true });
    expect(step(registered(seen, 'edge x>x y>y'))).toEqual({ do: 'register', mask: 'edge z>z' });
  });

  it('as shown, by a change of several calls that was not read back: verifies, where that can be done', () => {
    const unproved = { ...shown, unproved: 0 };
    expect(step(unproved, { ...PAIR, verify: true })).toEqual({ do: 'verify' });
    expect(step(unproved)).toEqual({ do: 'nothing', verdict: 'shown' });
  });

  it('shown as wanted: nothing', () => {
    expect(step(shown)).toEqual({ do: 'nothing', verdict: 'shown' });
  });

  it('more than shown while a withdraw may still arrive: waits', () => {
    const less = claimed(shown, 'a', 'x>x');
    const doubtful = uncertain(less, intent(less, 'withdraw', 'y>y', 900), false);
    const again = claimed(doubtful, 'a', 'x>x y>y');
    expect(step(again)).toMatchObject({ do: 'wait', until: 900 });
    expect(step(again, PAIR, 900)).toEqual({ do: 'register', mask: 'edge y>y', part: true });
  });

  it('the wait survives a later success', () => {
    const less = claimed(shown, 'a', 'x>x');
    const doubtful = uncertain(less, intent(less, 'withdraw', 'y>y', 900), false);
    const sure = succeeded(doubtful, intent(doubtful, 'withdraw', 'y>y z>z', 950), {
      receipt: 'r',
      ambiguous: false,
      at: 2,
      createOnly: false,
    });
    expect(step(claimed(sure, 'a', 'x>x y>y'))).toMatchObject({ do: 'wait', until: 900 });
  });

  it('other options while a register may still arrive: waits, then registers them', () => {
    const doubtful = uncertain(shown, intent(claimed(shown, 'a', '', { tag: 'old' }), 'register', 'edge', 900), false);
    const other = claimed(doubtful, 'a', 'x>x y>y z>z', { tag: 'new' });
    expect(step(other)).toMatchObject({ do: 'wait', until: 900 });
    expect(step(other, PAIR, 900)).toEqual({ do: 'register', mask: 'edge' });
  });

  it('options that may have been replaced are registered again', () => {
    const doubtful = uncertain(shown, intent(claimed(shown, 'a', '', { tag: 'new' }), 'register', 'edge', 900), false);
    expect(step(doubtful, PAIR, 900)).toEqual({ do: 'register', mask: 'edge' });
  });

  it('changed options: registers the edge; quiet ones: nothing', () => {
    expect(step(claimed(shown, 'a', 'x>x y>y z>z', { tag: 'new' }))).toEqual({ do: 'register', mask: 'edge' });
    expect(step(claimed(shown, 'a', 'x>x y>y z>z', { quiet: true }))).toEqual({ do: 'nothing', verdict: 'shown' });
  });

  it('direct flag changed: the old column goes before the new one comes', () => {
    const flipped = claimed(shown, 'a', 'x>x~ y>y z>z');
    expect(step(flipped)).toEqual({ do: 'withdraw', mask: 'x>x', cascade: false, part: true });
  });

  it('direct flag of a column that was there before us: registered over it, never withdrawn', () => {
    const foreign = looked(claimed(empty, 'a', 'x>x'), { edge: true, columns: columns('x>x') });
    const flipped = claimed(registered(foreign, 'edge x>x'), 'a', 'x>x~');
    expect(step(flipped)).toEqual({ do: 'register', mask: 'edge x>x~' });
    const back = claimed(registered(flipped, 'edge x>x~'), 'a', 'x>x');
    expect(step(back)).toEqual({ do: 'register', mask: 'edge x>x' });
  });

  it('and not while a register with the old flag may still arrive', () => {
    const foreign = looked(claimed(empty, 'a', 'x>x'), { edge: true, columns: columns('x>x') });
    const flipped = claimed(uncertain(foreign, intent(foreign, 'register', 'edge x>x', 900), false), 'a', 'x>x~');
    expect(step(flipped)).toMatchObject({ do: 'wait', until: 900 });
  });

  it('less than shown, the edge stays: withdraws columns without cascade', () => {
    expect(step(claimed(shown, 'a', 'x>x'))).toEqual({ do: 'withdraw', mask: 'y>y z>z', cascade: false });
  });

  it('columns that are only uncertain are withdrawn too', () => {
    const maybe = uncertain({ ...wanted, foreign: 0n }, intent(wanted, 'register', 'edge x>x', 400), false);
    const sure = registered(claimed(maybe, 'a', 'y>y'), 'edge y>y');
    expect(step(sure)).toEqual({ do: 'withdraw', mask: 'x>x', cascade: false });
  });

  it('nothing wanted: uncertain columns first, known ones last, cascade with the last of them', () => {
    const maybe = { ...shown, shown: bits(shown, 'edge y>y z>z'), maybe: bits(shown, 'x>x') };
    const gone = unclaim(maybe, 'a');
    const part = true;
    expect(step(gone)).toEqual({ do: 'withdraw', mask: 'x>x', cascade: false, part });
    const next = { ...gone, maybe: 0n };
    expect(step(next)).toEqual({ do: 'withdraw', mask: 'edge y>y z>z', cascade: true, part });
    expect(step(next, { ...PAIR, columnsPerCall: 1 })).toEqual({ do: 'withdraw', mask: 'y>y', cascade: false, part });
  });

  it('less than shown in several calls, or more at the same time: each but the last has others behind it', () => {
    const one = { ...PAIR, columnsPerCall: 1 };
    const less = claimed(shown, 'a', 'x>x');
    expect(step(less, one)).toEqual({ do: 'withdraw', mask: 'y>y', cascade: false, part: true });
    const last = { ...less, shown: bits(less, 'edge x>x y>y') };
    expect(step(last, one)).toEqual({ do: 'withdraw', mask: 'y>y', cascade: false });
    expect(step(claimed(shown, 'a', 'x>x q>q'))).toEqual({ do: 'register', mask: 'edge q>q', part: true });
  });

  it('nothing wanted, nothing known any more, and not read back yet: verifies, where that can be done', () => {
    const gone = { ...unclaim(shown, 'a'), shown: 0n, unproved: 0, taken: shown.shown };
    expect(step(gone, { ...PAIR, verify: true })).toEqual({ do: 'verify' });
    expect(step(gone)).toEqual({ do: 'nothing', verdict: 'gone' });
  });

  it('nothing wanted and no column known: withdraws the pair without columns', () => {
    const gone = unclaim({ ...wanted, foreign: 0n, maybe: bits(wanted, 'edge') }, 'a');
    expect(step(gone)).toEqual({ do: 'withdraw', mask: 'edge', cascade: true });
  });

  it('less while a register may still arrive: waits', () => {
    const late = uncertain(shown, intent(shown, 'register', 'edge z>z', 900), false);
    expect(step(unclaim(late, 'a'))).toMatchObject({ do: 'wait', until: 900 });
    expect(step(unclaim(late, 'a'), PAIR, 900)).toMatchObject({ do: 'withdraw' });
  });

  it('what was there before us is never withdrawn', () => {
    const foreign = looked(wanted, { edge: true, columns: columns('x>x q>q') });
    const ours = registered(registered(foreign, 'edge x>x y>y'), 'edge z>z');
    expect(step(unclaim(ours, 'a'))).toEqual({ do: 'withdraw', mask: 'y>y z>z', cascade: false });
    const alone = { ...unclaim(ours, 'a'), shown: bits(ours, 'edge x>x') };
    expect(step(alone)).toMatchObject({ do: 'nothing', verdict: 'left-behind' });
  });

  it('nothing wanted, nothing there: gone', () => {
    expect(step(unclaim(wanted, 'a'))).toEqual({ do: 'nothing', verdict: 'gone' });
  });
});

describe('a node at a vendor that only creates', () => {
  const wanted = claimed(empty, 'a', 'x>x y>y');
  const shown = registered(wanted, 'edge x>x y>y', true);

  it('no node covers it: registers all of it', () => {
    expect(step(wanted, NODE)).toEqual({ do: 'register', mask: 'edge x>x y>y' });
    expect(step(claimed(shown, 'b', 'z>z'), NODE)).toEqual({ do: 'register', mask: 'edge x>x y>y z>z' });
  });

  it('a node covers it: shown, and so when it only shrank', () => {
    expect(step(shown, NODE)).toEqual({ do: 'nothing', verdict: 'shown' });
    expect(step(claimed(shown, 'a', 'x>x'), NODE)).toEqual({ do: 'nothing', verdict: 'shown' });
  });

  it('a possible node covers it, and the vendor can be read: wait until it cannot arrive any more, then locate', () => {
    const doubtful = uncertain(wanted, intent(wanted, 'register', 'edge x>x y>y'), true);
    const until = doubtful.uncertain[0]?.until ?? 0;
    const can = { ...NODE, locate: true };
    expect(step(doubtful, can, until - 1)).toEqual({ do: 'wait', until });
    expect(step(doubtful, can, until)).toEqual({ do: 'locate' });
  });

  it('a possible node covers it: unknown, whatever the time', () => {
    const doubtful = uncertain(wanted, intent(wanted, 'register', 'edge x>x y>y'), true);
    expect(step(doubtful, NODE, 10_000_000)).toEqual({ do: 'nothing', verdict: 'unknown' });
    expect(step(unclaim(doubtful, 'a'), NODE)).toEqual({ do: 'nothing', verdict: 'left-behind' });
  });

  it('nothing wanted, a node there: left behind', () => {
    expect(step(unclaim(shown, 'a'), NODE)).toEqual({ do: 'nothing', verdict: 'left-behind' });
  });

  it('conflicting options: the node of any owner is good enough', () => {
    const first = registered(claimed(empty, 'b', 'x>x', { connection: 'one' }), 'edge x>x', true);
    const both = claimed(first, 'a', 'x>x', { connection: 'two' });
    expect(wish(both).conflicts).toEqual(['connection']);
    expect(step(both, NODE)).toEqual({ do: 'nothing', verdict: 'shown' });
  });

  it('an option called like a member of objects is one like any other', () => {
    const one = claimed(empty, 'b', 'x>x', { properties: { constructor: 'x', toString: 'y' } });
    expect(wish(claimed(one, 'a', 'x>x', { properties: { constructor: 'x' } }))).toMatchObject({
      options: { properties: { constructor: 'x', toString: 'y' } },
      conflicts: [],
    });
  });
});

describe('what the vendor refuses', () => {
  const wanted = { ...claimed(empty, 'a', 'x>x'), foreign: 0n };
  const refusal = { kind: 'rejected', message: 'no such table', at: 1 };

  it('is not sent again while the content stays the same', () => {
    expect(step(refusedBy(wanted, refusal))).toMatchObject({ do: 'nothing', verdict: 'refused' });
    expect(step(refusedBy(wanted, refusal), NODE)).toMatchObject({ do: 'nothing', verdict: 'refused' });
  });

  it('is tried again when the content changes', () => {
    expect(step(claimed(refusedBy(wanted, refusal), 'a', 'y>y'))).toMatchObject({ do: 'register' });
  });

  it('waits until trying makes sense, where it can be mended elsewhere', () => {
    const curable = refusedBy(wanted, { ...refusal, kind: 'denied', retryAt: 900 });
    expect(step(curable)).toMatchObject({ do: 'wait', until: 900 });
    expect(step(curable, PAIR, 900)).toMatchObject({ do: 'register' });
  });

  it('a call that surely did nothing is simply made again', () => {
    expect(step(dropped(wanted))).toMatchObject({ do: 'register' });
  });
});
