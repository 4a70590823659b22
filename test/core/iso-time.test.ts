import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTimes } from '../../shared/core/iso-time.ts';

/** As far as a Date goes, either way (ECMAScript, time values). */
const FURTHEST = 8.64e15;

test('times are written as Date writes them, one after the other, on the same day and on others', () => {
  const near = fc.integer({ min: -90_000_000, max: 90_000_000 });
  const any = fc.oneof(
    fc.double({ min: -FURTHEST, max: FURTHEST, noNaN: true }),
    near,
    near.map((ms) => 1_700_000_000_000 + ms),
    fc.constantFrom(0, -1, -0.5, 86_399_999, 86_400_000, FURTHEST, -FURTHEST),
  );
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 20 }), (times) => {
      const written = isoTimes();
      expect(times.map(written)).toEqual(times.map((ms) => new Date(ms).toISOString()));
    }),
    { numRuns: 500 },
  );
});

test('what is no time is an error', () => {
  const written = isoTimes();
  written(0);
  for (const none of [Number.NaN, FURTHEST + 1, Number.POSITIVE_INFINITY]) {
    expect(() => written(none)).toThrow(RangeError);
  }
});
