import { describe, expect, it } from 'vitest';
import { unclaim } from '../../shared/core/claims.ts';
import { stillShown } from '../../shared/core/drift.ts';
import { bits, claimed, columns, empty, registered, words } from './units.ts';

describe('what is still there of what nobody wants any more', () => {
  const shown = unclaim(registered(claimed(empty, 'a', 'x>x y>y'), 'edge x>x y>y'), 'a');

  it('is all of it', () => {
    expect(stillShown(shown, { edge: true, columns: columns('x>x y>y') })).toBe(shown);
  });

  it('is less when somebody took parts of it away, and not the edge when they left columns of theirs', () => {
    const some = stillShown(shown, { edge: true, columns: columns('y>y') });
    expect(words(some, some.shown)).toBe('edge y>y');
    const theirs = stillShown(shown, { edge: true, columns: columns('y>y z>z') });
    expect(words(theirs, theirs.shown)).toBe('y>y');
  });

  it('is the edge too when a column that was taken away, as the vendor said, is still there', () => {
    const partly = { ...shown, shown: bits(shown, 'edge y>y'), unproved: 0, taken: bits(shown, 'x>x') };
    expect(stillShown(partly, { edge: true, columns: columns('x>x y>y') })).toBe(partly);
  });
});
