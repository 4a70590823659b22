import { describe, expect, it } from 'vitest';
import { compact, twinsOf, unclaim } from '../../shared/core/claims.ts';
import {
  adopted,
  finished,
  folded,
  looked,
  refusedBy,
  succeeded,
  trusted,
  uncertain,
} from '../../shared/core/transition.ts';
import { decodeUnit, encodeUnit } from '../../shared/core/unit-state.ts';
import { bits, claimed, columns, empty, intent, registered, words } from './units.ts';

const wanted = { ...claimed(empty, 'a', 'x>x y>y'), foreign: 0n };
const done = (ambiguous = false, at = 5) => ({ receipt: 'r1', ambiguous, at, createOnly: false });

describe('a register', () => {
  it('that succeeded shows its parts and its options', () => {
    const state = succeeded(wanted, intent(wanted, 'register', 'edge x>x'), done());
    expect(words(state, state.shown)).toBe('edge x>x');
    expect(state).toMatchObject({ maybe: 0n, addUntil: 0, receipt: 'r1', registeredAt: 5, changedAt: 5 });
  });

  it('that succeeded after a doubtful attempt keeps the opposite waiting', () => {
    const state = succeeded(wanted, intent(wanted, 'register', 'edge x>x', 700), done(true));
    expect(state.addUntil).toBe(700);
    expect(succeeded(state, intent(state, 'register', 'edge y>y', 800), done()).addUntil).toBe(700);
  });

  it('of unknown outcome leaves new parts uncertain, and what was shown as it was', () => {
    const shown = registered(wanted, 'edge x>x');
    const state = uncertain(shown, intent(shown, 'register', 'edge y>y', 700), false);
    expect(words(state, state.shown)).toBe('edge x>x');
    expect(words(state, state.maybe)).toBe('y>y');
    expect(state.addUntil).toBe(700);
  });

  it('with other options of unknown outcome leaves the options uncertain', () => {
    const shown = registered(wanted, 'edge x>x');
    const other = claimed(shown, 'a', 'x>x', { tag: 'new' });
    expect(uncertain(other, intent(other, 'register', 'edge'), false).shownOptions).toBeUndefined();
    expect(uncertain(shown, intent(shown, 'register', 'edge'), false).shownOptions).toBe('');
  });

  it('takes the place of a column with the other direct flag', () => {
    const shown = registered(wanted, 'edge x>x y>y');
    const flipped = claimed(shown, 'a', 'x>x~ y>y');
    expect(words(flipped, twinsOf(flipped, bits(flipped, 'x>x~')))).toBe('x>x');
    const state = succeeded(flipped, intent(flipped, 'register', 'edge x>x~'), done());
    expect(words(state, state.shown)).toBe('edge y>y x>x~');
    const doubtful = uncertain(flipped, intent(flipped, 'register', 'edge x>x~'), false);
    expect(words(doubtful, doubtful.shown)).toBe('edge y>y');
    expect(words(doubtful, doubtful.maybe)).toBe('x>x x>x~');
  });

  it('at a create-only vendor makes a node, or a possible one', () => {
    const sure = succeeded(wanted, intent(wanted, 'register', 'edge x>x'), { ...done(), createOnly: true });
    expect(sure.nodes).toHaveLength(1);
    expect(uncertain(sure, intent(sure, 'register', 'edge y>y'), true)).toMatchObject({
      nodes: sure.nodes,
      uncertain: [{ until: 1_000 }],
    });
  });
});

describe('a withdraw', () => {
  const shown = registered(wanted, 'edge x>x y>y');

  it('that succeeded takes its parts away', () => {
    const state = succeeded(shown, intent(shown, 'withdraw', 'y>y'), done());
    expect(words(state, state.shown | state.maybe)).toBe('edge x>x');
    expect(state.delUntil).toBe(0);
  });

  it('of unknown outcome leaves uncertain what was there, and nothing else', () => {
    const partly = registered(wanted, 'edge x>x');
    const state = uncertain(partly, intent(partly, 'withdraw', 'edge x>x y>y', 700), false);
    expect(words(state, state.shown)).toBe('');
    expect(words(state, state.maybe)).toBe('edge x>x');
    expect(state.delUntil).toBe(700);
  });

  it('that is to be read back keeps in mind what it took, until it is there again', () => {
    const part = { ...intent(shown, 'withdraw', 'x>x y>y'), part: true } as const;
    const state = succeeded(shown, part, done());
    expect([state.unproved, words(state, state.taken ?? 0n)]).toEqual([0, 'x>x y>y']);
    expect(finished({ ...unclaim(state, 'a'), shown: 0n })).toBe(false);
    expect(finished(trusted({ ...unclaim(state, 'a'), shown: 0n }))).toBe(true);
    const again = succeeded(state, intent(state, 'register', 'edge x>x'), done());
    expect(words(again, again.taken ?? 0n)).toBe('y>y');
    const small = compact({ ...claimed(state, 'a', ''), taken: bits(state, 'y>y'), shown: 1n });
    const back = decodeUnit(encodeUnit(small));
    expect([back.parts.length, words(back, back.taken ?? 0n)]).toEqual([2, 'y>y']);
  });

  it('never lowers a wait', () => {
    const late = uncertain(shown, intent(shown, 'withdraw', 'y>y', 900), false);
    expect(uncertain(late, intent(late, 'withdraw', 'y>y', 700), false).delUntil).toBe(900);
  });
});

describe('leftovers', () => {
  it('of a dead worker become uncertain; without an intent nothing changes', () => {
    const lease = { token: 't', until: 1, step: 's' };
    const leased = { ...wanted, intent: intent(wanted, 'register', 'edge x>x', 700), lease };
    const state = folded(leased, false);
    expect(words(state, state.maybe)).toBe('edge x>x');
    expect(state.lease).toBeUndefined();
    expect(state.intent).toBeUndefined();
    expect(folded(wanted, false)).toBe(wanted);
  });

  it('count as finished only when nothing of ours is left', () => {
    const shown = registered(wanted, 'edge x>x');
    expect(finished(shown)).toBe(false);
    expect(finished(unclaim(shown, 'a'))).toBe(false);
    expect(finished({ ...unclaim(shown, 'a'), shown: 0n })).toBe(true);
    const node = registered(claimed(empty, 'a', 'x>x'), 'edge x>x', true);
    expect(finished(unclaim(node, 'a'))).toBe(false);
  });

  it('that were there before us do not count, with either direct flag', () => {
    const foreign = looked(claimed(empty, 'a', 'x>x'), { edge: true, columns: columns('x>x') });
    expect(adopted(foreign)).toBe(true);
    const flipped = claimed(registered(foreign, 'edge x>x'), 'a', 'x>x~');
    const shown = registered(flipped, 'edge x>x~');
    expect(finished(unclaim(shown, 'a'))).toBe(true);
  });
});

describe('a refusal', () => {
  it('counts its attempts per content', () => {
    const refusal = { kind: 'denied', message: 'no', at: 1 };
    const twice = refusedBy(refusedBy(wanted, refusal), refusal);
    expect(twice.refusal?.attempts).toBe(2);
    expect(refusedBy(claimed(twice, 'a', 'q>q'), refusal).refusal?.attempts).toBe(1);
  });
});

describe('compaction and storage', () => {
  it('keep every mask in step with the columns it means', () => {
    const shown = registered(claimed(empty, 'a', 'x>x y>y z>z'), 'edge y>y z>z');
    const less = { ...claimed(shown, 'a', 'z>z'), shown: bits(shown, 'edge z>z'), maybe: bits(shown, 'y>y') };
    const small = compact(less);
    expect(small.parts).toHaveLength(2);
    const back = decodeUnit(encodeUnit(small));
    expect(back).toEqual(small);
    expect([words(back, back.shown), words(back, back.maybe)]).toEqual(['edge z>z', 'y>y']);
    expect(compact(small)).toBe(small);
  });
});
