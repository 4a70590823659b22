import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { anyJson } from '../../shared/core/any-json.ts';
import { expandEntry } from '../../shared/core/columns.ts';
import type { Json } from '../../shared/core/json.ts';
import { quickJson, readJson } from '../../shared/core/json-text.ts';
import { manifestSchema } from '../../shared/core/manifest-schema.ts';
import { plainParts } from '../../shared/core/manifest-shape.ts';
import { pairNumber } from '../../shared/core/pair-number.ts';
import { unitId, unitIds } from '../../shared/core/unit-id.ts';
import { blocks } from '../../shared/vendors/blocks.ts';

const LIMITS = { depth: 8, nodes: 200 };
const quickly = (json: string) => quickJson(json, new TextEncoder().encode(json), LIMITS);
const RUNS = { numRuns: 2_000 };

/** JSON text as people and programs write it, now and then with what `JSON.parse` does not mind and we do. */
const text: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom('1', '-0.5', '1e999', 'null', 'true', '"a"', '"\\u0061:{"', '"\\\\"', '""'),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(' , ')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', '\\u0061', '__proto__', 'a:b', ''), tie('value')), { maxLength: 4 })
      .map((members) => `{${members.map(([key, value]) => `"${key}": ${value}`).join(',\n')}}`),
  ),
})).value;

describe('the quick way through JSON', () => {
  test('says what the careful one says, or nothing', () => {
    let quick = 0;
    fc.assert(
      fc.property(text, (json) => {
        const careful = readJson(json, LIMITS);
        const found = quickly(json);
        if (found === undefined) return;
        quick += 1;
        expect(careful.findings).toEqual([]);
        expect(found).toEqual(careful.value);
      }),
      RUNS,
    );
    expect(quick).toBeGreaterThan(200);
  });

  test('goes through texts with nothing wrong, and through no other', () => {
    const deep = '['.repeat(9) + ']'.repeat(9);
    const wrong = ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"__proto__":1}', '[1e999]', deep, '[1', '"a', '{"a":1}}'];
    for (const json of wrong) expect([json, quickly(json)]).toEqual([json, undefined]);
    const right = '{ "a": [ "x:y", {"b": "{\\"c\\": 1}"} ], "d": null }';
    expect(quickly(right)).toEqual(JSON.parse(right));
    expect(quickly(`[${'1,'.repeat(200)}1]`)).toBeUndefined();
  });
});

const name = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('a', 'orders', 'a.b', '表') },
  { weight: 1, arbitrary: fc.constantFrom('', '\u0000', 'x'.repeat(2_001), '\ud800', 1 as never, null as never) },
);
const sources = fc.oneof(
  { weight: 6, arbitrary: name },
  fc.array(name, { maxLength: 3 }),
  fc.constant({ dataset: 'a', column: 'b' }),
);
const sides = { from: name, to: name };
const entry = fc.oneof(
  fc.record({ ...sides, columns: fc.dictionary(name, sources, { maxKeys: 3 }) }, { requiredKeys: ['from', 'to'] }),
  fc.record(
    {
      ...sides,
      from: fc.constantFrom<unknown>('a', { namespace: 'n', name: 'm' }, ['a']),
      columns: fc.constantFrom<unknown>({ a: 'b' }, [{ from: 'a', to: 'b' }], 1),
      dataphin: fc.constantFrom({}, { checkAssetExist: 'yes' }),
      other: fc.constant(1),
    },
    { requiredKeys: ['from'] },
  ),
);
const dataset = fc.oneof(
  fc.record({ namespace: name, name, dataphin: fc.constantFrom({ guid: 'g' }, { guid: '' }) }, { requiredKeys: [] }),
  fc.record(
    {
      dataphin: fc.constantFrom<unknown>({ guid: 'g' }, { nothing: 1 }, 1),
      dataarts: fc.constantFrom<unknown>({ table: 't' }, { table: 1 }),
      symlinks: fc.constant([]),
      constructor: fc.constant({}),
    },
    { requiredKeys: [] },
  ),
);

describe('parts that say nothing but names', () => {
  const schema = manifestSchema(blocks);
  const accepts = (manifest: object) => schema.safeParse({ version: 1, lineage: [], ...manifest }).success;

  test.each([
    [
      'entries',
      entry as fc.Arbitrary<Json>,
      (part: Json) => plainParts(blocks).entry(part),
      (part: Json) => accepts({ lineage: [part] }),
    ],
    [
      'datasets',
      dataset as fc.Arbitrary<Json>,
      (part: Json) => plainParts(blocks).dataset('a', part),
      (part: Json) => accepts({ datasets: { a: part } }),
    ],
  ] as const)('are %s that the schema accepts', (_, parts, isPlain, isAccepted) => {
    let plain = 0;
    fc.assert(
      fc.property(parts, (part) => {
        if (!isPlain(part)) return;
        plain += 1;
        expect(isAccepted(part)).toBe(true);
      }),
      RUNS,
    );
    expect(plain).toBeGreaterThan(50);
  });

  test('have an alias that the schema accepts', () => {
    for (const alias of ['', '1a', 'a b', 'ä', '-a']) {
      expect([alias, plainParts(blocks).dataset(alias, {})]).toEqual([alias, false]);
      expect(accepts({ datasets: { [alias]: {} } })).toBe(false);
    }
  });
});

describe('columns of one table a side', () => {
  const column = fc.constantFrom('id', 'total', 'a.id', 'b.id', 'x.y', '.', '表', '1', 'toString');
  const maps = fc.dictionary(column, fc.oneof({ weight: 5, arbitrary: column }, fc.array(column, { minLength: 1 })));

  test('are the same in the short form and in the long one', () => {
    let right = 0;
    fc.assert(
      fc.property(fc.array(maps, { minLength: 1, maxLength: 3 }), (entries) => {
        const short = entries.map((columns) => ({ from: 'a', to: 'b', columns }));
        const long = short.map((each) => ({
          ...each,
          columns: Object.entries(each.columns).map(([to, from]) => ({ from, to })),
        }));
        for (const at of short.keys()) {
          const quick = expandEntry(short, at).expansion;
          const careful = expandEntry(long, at).expansion;
          expect([quick.edges, quick.pairs]).toEqual([careful.edges, careful.pairs]);
          expect(quick.remarks.map(({ message }) => message)).toEqual(careful.remarks.map(({ message }) => message));
          if (quick.remarks.length === 0 && quick.edges.length > 0) right += 1;
        }
      }),
      RUNS,
    );
    expect(right).toBeGreaterThan(100);
  });
});

describe('what stands for several things', () => {
  const number = fc.oneof(fc.nat(50), fc.integer({ min: 2 ** 26 - 50, max: 2 ** 26 - 1 }));

  test('a number for two is that of no other two', () => {
    fc.assert(
      fc.property(number, number, number, number, (a, b, c, d) => {
        expect(Number.isSafeInteger(pairNumber(a, b))).toBe(true);
        expect(pairNumber(a, b) === pairNumber(c, d)).toBe(a === c && b === d);
      }),
      RUNS,
    );
  });

  test('ids of many units are those of each', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.string(), fc.string(), (first, next, last) => {
        const id = unitIds(first)(JSON.stringify(next), JSON.stringify(last));
        expect(id).toBe(unitId([...first, next, last]));
      }),
    );
  });

  test('any JSON value is what zod takes for one', () => {
    const odd = fc.constantFrom<unknown>(
      undefined,
      Number.NaN,
      Infinity,
      1n,
      new Date(0),
      new Map(),
      () => 1,
      Symbol(),
    );
    const value = fc.oneof(
      { weight: 4, arbitrary: fc.jsonValue() as fc.Arbitrary<unknown> },
      odd,
      fc.array(odd),
      fc.dictionary(fc.string(), odd),
    );
    fc.assert(
      fc.property(value, (each) => {
        expect(anyJson.safeParse(each).success).toBe(z.json().safeParse(each).success);
      }),
      RUNS,
    );
  });
});
