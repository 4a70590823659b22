import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { idOf } from '../../../shared/formats/openlineage/facts.ts';
import { type Change, follow, type Life, MAX_CHANGES, mergeLives } from '../../../shared/formats/openlineage/life.ts';

const dataset = (name: string) => ({ namespace: 'n', name });
const id = (name: string) => idOf(dataset(name));
const time = (n: number) => `2026-11-20T${String(n).padStart(6, '0')}`;
const change = (at: number, to?: string): Change => ({ at: time(at), ...(to === undefined ? {} : { to: id(to) }) });

function lives(told: Readonly<Record<string, readonly Change[]>>): Map<string, Life> {
  return new Map(Object.entries(told).map(([name, changes]) => [id(name), { id: id(name), changes }]));
}
const now = (name: string, at: number, told: Readonly<Record<string, readonly Change[]>>) =>
  follow(dataset(name), time(at), lives(told)).now?.name;

describe('a dataset is called now', () => {
  it('what the first change since it was named made of it', () => {
    const told = { tmp: [change(2, 'live'), change(5), change(7, 'other')] };
    expect([1, 2, 3, 5, 6, 8].map((at) => now('tmp', at, told))).toEqual([
      'live',
      'live',
      undefined,
      undefined,
      'other',
      'tmp',
    ]);
  });

  it('what later changes made of that name, whatever was done to other tables of that name before, or at that moment', () => {
    const told = { tmp: [change(2, 'live')], live: [change(1), change(2, 'old'), change(4, 'last')], old: [change(3)] };
    expect(now('tmp', 0, told)).toBe('last');
    expect(now('live', 0, told)).toBeUndefined();
    expect(now('live', 2, told)).toBeUndefined();
    expect(now('live', 3, told)).toBe('last');
    expect(follow(dataset('tmp'), time(0), lives(told)).names).toEqual(['tmp', 'live', 'last'].map(id));
  });

  it('as before, while a drop does not count yet', () => {
    const early = { ...change(2), early: true };
    expect(now('a', 1, { a: [early, change(3, 'b')] })).toBe('a');
    expect(now('a', 3, { a: [early, change(3, 'b')] })).toBe('b');
  });

  it('something, however two names were swapped', () => {
    const swaps = Array.from({ length: 41 }, (_, n) => n);
    const told = { a: swaps.map((n) => change(n, 'b')), b: swaps.map((n) => change(n, 'a')) };
    expect(now('a', 0, told)).toBe('b');
  });
});

describe('of very many changes', () => {
  const each = (from: number, to: number, make: (n: number) => Change) =>
    Array.from({ length: to - from }, (_, n) => ({ id: id('tmp'), changes: [make(from + n)] }));
  const all = (parts: readonly Life[]) => parts.reduce((left, right) => mergeLives(left, right));

  it('the latest are kept, and what was forgotten withdraws nothing that was renamed', () => {
    const daily = all(each(0, 4 * MAX_CHANGES, (n) => (n % 2 === 0 ? change(n, 'live') : change(n))));
    expect(daily.changes).toHaveLength(MAX_CHANGES);
    const odd = mergeLives(daily, { id: id('tmp'), changes: [change(4 * MAX_CHANGES, 'live')] });
    expect(odd.changes[0]?.to).toBeUndefined();
    expect(follow(dataset('tmp'), time(0), new Map([[id('tmp'), odd]])).now?.name).toBe('live');
    expect(follow(dataset('tmp'), time(4 * MAX_CHANGES - 1), new Map([[id('tmp'), odd]])).now).toBeUndefined();
  });

  it('drops are drops', () => {
    const dropped = all(each(0, MAX_CHANGES + 1, (n) => change(n)));
    expect(follow(dataset('tmp'), time(0), new Map([[id('tmp'), dropped]])).now).toBeUndefined();
  });
});

const anyChange = fc.record(
  {
    at: fc.nat({ max: MAX_CHANGES + 15 }).map(time),
    to: fc.constantFrom(id('x'), id('y')),
    seenMs: fc.nat({ max: 3 }),
  },
  { requiredKeys: ['at', 'seenMs'] },
);
const anyLife = fc.array(anyChange, { maxLength: MAX_CHANGES + 10 });
const one = (each: Change): Life => ({ id: id('a'), changes: [each] });
const none: Life = { id: id('a'), changes: [] };

test.prop([anyLife, fc.nat(), anyLife])('merging depends on no order, grouping or repetition', (told, cut, more) => {
  const everything = [...told, ...more];
  const inOrder = everything.map(one).reduce(mergeLives, none);
  const backwards = everything.map(one).reduceRight(mergeLives, none);
  const at = everything.length === 0 ? 0 : cut % everything.length;
  const parts = [everything.slice(at), everything, everything.slice(0, at)].map((part) =>
    part.map(one).reduce(mergeLives, none),
  );
  expect(JSON.stringify(backwards)).toBe(JSON.stringify(inOrder));
  expect(JSON.stringify(parts.reduce(mergeLives))).toBe(JSON.stringify(inOrder));
});
