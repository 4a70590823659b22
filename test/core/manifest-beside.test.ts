import { describe, expect, test } from 'vitest';
import { type DocumentFormat, parseManifest } from '../../shared/core/manifest.ts';
import { MAX_PROBLEMS } from '../../shared/core/problems.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import { cpuMs } from './cpu-time.ts';
import { bytesOf } from './sample-blocks.ts';

const HEAD = `version: 1
datasets:
  a: { dataarts: { table: a } }
  b: { dataarts: { table: b } }
`;
const entry = (line: string): string => `${HEAD}lineage:\n  - ${line}\n`;
const datasets = (lines: string, defaults = '{}'): string =>
  `version: 1\ndefaults: ${defaults}\ndatasets:\n${lines}lineage: []\n`;

function found(content: string, format: DocumentFormat = 'yaml'): readonly (readonly [string, string])[] {
  const parsed = parseManifest(bytesOf(content), format, blocks);
  return 'problems' in parsed ? parsed.problems.map(({ path, message }) => [path, message]) : [];
}

type Case = readonly [string, string, readonly (readonly [string, RegExp])[]];

const UNKNOWN = /^unknown key/;
const NO_ALIAS = /^no dataset has the alias/;
const NOT_IN = /is not among the inputs/;
const NOT_OUT = /is not among the outputs/;

const entries: readonly Case[] = [
  [
    'columns in long form, one with a key too many',
    entry('{ from: a, to: b, columns: [{ from: nope.x, to: y, foo: 1 }, { from: nope2.x, to: c.z }] }'),
    [
      ['lineage[0].columns[0].foo', UNKNOWN],
      ['lineage[0].columns[0].from', NOT_IN],
      ['lineage[0].columns[1].to', NOT_OUT],
      ['lineage[0].columns[1].from', NOT_IN],
    ],
  ],
  [
    'columns in short form, one of them a number',
    entry('{ from: a, to: b, columns: { nope.x: 3, y: [nope.z, 5], z: nope.q } }'),
    [
      ['lineage[0].columns["nope.x"]', /^expected text/],
      ['lineage[0].columns.y[1]', /^expected text/],
      ['lineage[0].columns["nope.x"]', NOT_OUT],
      ['lineage[0].columns.y[0]', NOT_IN],
      ['lineage[0].columns.z', NOT_IN],
    ],
  ],
  [
    'a side with half a dataset',
    entry('{ from: [a, nope, { namespace: x }], to: b, columns: { y: nope3.x, z: a.x } }'),
    [
      ['lineage[0].from[2].name', /is missing/],
      ['lineage[0].from[1]', NO_ALIAS],
      ['lineage[0].columns.y', /"nope3" is not among the inputs of this entry \(a, nope\)/],
    ],
  ],
  [
    'a side that is half a dataset',
    entry('{ from: { namespace: x }, to: nobody, columns: { y: nope.x } }'),
    [
      ['lineage[0].from.name', /is missing/],
      ['lineage[0].to', NO_ALIAS],
      ['lineage[0].columns.y', /is not among the inputs of this entry\. /],
    ],
  ],
  [
    'an option that nobody knows',
    entry('{ from: nope, to: b, columns: { y: z.x }, dataarts: { nodename: n } }'),
    [
      ['lineage[0].dataarts.nodename', UNKNOWN],
      ['lineage[0].from', NO_ALIAS],
      ['lineage[0].columns.y', NOT_IN],
    ],
  ],
  [
    'too many inputs',
    entry(`{ from: [${'a, '.repeat(100)}nope], to: b, columns: { x: nope2.y } }`),
    [
      ['lineage[0].from', /the limit is 100/],
      ['lineage[0].from[100]', NO_ALIAS],
      ['lineage[0].columns.x', NOT_IN],
    ],
  ],
  [
    'too many pairs, with one key too many',
    entry(`{ from: a, to: b, foo: 1, columns: { x: [${'y, '.repeat(50_001)}], z: [${'y, '.repeat(50_000)}] } }`),
    [
      ['lineage', /100001 column pairs/],
      ['lineage[0].foo', UNKNOWN],
    ],
  ],
];

const silent: readonly Case[] = [
  [
    'which of the datasets has a column, when one of them is broken',
    entry('{ from: [a, { namespace: x }], to: b, columns: { y: z } }'),
    [['lineage[0].from[1].name', /is missing/]],
  ],
  [
    'an alias that the broken one may become',
    entry('{ from: [a, "", 2024], to: b, columns: { y: nope.x } }'),
    [
      ['lineage[0].from[1]', /must not be empty/],
      ['lineage[0].from[2]', /put it in quotes/],
    ],
  ],
  [
    'columns of a side that is not there',
    entry('{ form: a, to: [], columns: { y: nope.x, nope.z: y } }'),
    [
      ['lineage[0].from', /is missing/],
      ['lineage[0].to', /must not be empty/],
      ['lineage[0].form', UNKNOWN],
    ],
  ],
  [
    'the pairs of all entries, for a list that is too long by itself',
    entry(`{ from: a, to: b, columns: { x: [${'y, '.repeat(100_001)}] } }`),
    [['lineage[0].columns.x', /100001 column pairs/]],
  ],
  [
    'the pairs of all entries, for too many columns of one',
    entry(`{ from: a, to: b, columns: [${'{ from: y, to: y }, '.repeat(100_001)}] }`),
    [['lineage[0].columns', /100001 column pairs/]],
  ],
  [
    'aliases, when `datasets` is misspelt',
    'version: 1\ndataset: { a: {} }\nlineage: [{ from: a, to: a, foo: 1 }]\n',
    [
      ['dataset', /did you mean "datasets"/],
      ['lineage[0].foo', UNKNOWN],
    ],
  ],
  [
    'a table whose key is misspelt',
    datasets('  a: { namespace: n, nmae: x, dataarts: { tabel: t } }\n'),
    [
      ['datasets.a.dataarts.tabel', UNKNOWN],
      ['datasets.a.nmae', UNKNOWN],
    ],
  ],
  [
    'a table that broken defaults may give',
    datasets('  a: { dataarts: {} }\n', '{ datasets: { dataarts: { table: 3 } } }'),
    [['defaults.datasets.dataarts.table', /^expected text/]],
  ],
  [
    'a table that misspelt defaults may give',
    datasets('  a: { dataarts: {} }\n', '{ dataset: { dataarts: { table: x } } }'),
    [['defaults.dataset', UNKNOWN]],
  ],
  [
    'a table that defaults of a misspelt vendor may give',
    datasets('  a: { dataarts: {} }\n', '{ datasets: { dataart: { table: x } } }'),
    [['defaults.datasets.dataart', UNKNOWN]],
  ],
];

const names: readonly Case[] = [
  [
    'each vendor of a dataset',
    datasets('  a: { name: x, dataphin: { referenceType: BY_GUID, foo: 1 }, dataarts: { database: x } }\n'),
    [
      ['datasets.a.dataphin.foo', UNKNOWN],
      ['datasets.a.name', /needs namespace/],
      ['datasets.a.dataphin', /BY_GUID needs a guid/],
      ['datasets.a.dataarts', /needs a table/],
    ],
  ],
  [
    'every dataset, whatever the defaults of one vendor hold',
    datasets(
      '  a: { dataphin: { referenceType: BY_GUID } }\n  b: { dataarts: {} }\n',
      '{ datasets: { dataarts: { foo: 1 } } }',
    ),
    [
      ['defaults.datasets.dataarts.foo', UNKNOWN],
      ['datasets.a.dataphin', /BY_GUID needs a guid/],
      ['datasets.b.dataarts', /needs a table/],
    ],
  ],
  [
    'a dataset whose alias is wrong',
    datasets('  a.b: { dataarts: { database: 3 }, foo: 1, dataphin: {} }\n'),
    [
      ['datasets["a.b"]', /an alias starts with/],
      ['datasets["a.b"].dataarts.database', /^expected text/],
      ['datasets["a.b"].foo', UNKNOWN],
      ['datasets["a.b"].dataphin', /needs a guid, or a name/],
    ],
  ],
];

function expectExactly(content: string, expected: Case[2]): void {
  expect(found(content)).toEqual(expected.map(([path, message]) => [path, expect.stringMatching(message)]));
}

test.each([...entries, ...names])('a problem hides no other beside it: %s', (_, content, expected) => {
  expectExactly(content, expected);
});

test.each(silent)(
  'what may be right once the problem beside it is corrected is not reported: %s',
  (_, content, expected) => {
    expectExactly(content, expected);
  },
);

describe('beyond the problems that are listed', () => {
  const last = (content: string) => found(content).at(MAX_PROBLEMS)?.[1];
  const many = (count: number, line: string) => `${HEAD}lineage:\n${`  - ${line}\n`.repeat(count)}`;

  test.each([
    ['one', many(1_001, '{ from: nope, to: a }'), 'and 1 more problem; correct these first'],
    ['aliases', many(3_000, '{ from: nope, to: [b, nope] }'), 'and 5000 more problems; correct these first'],
    [
      'columns that nobody looks at any more',
      many(3_000, '{ from: nope, to: b, columns: { x: nope.y } }'),
      'and at least 2000 more problems; correct these first',
    ],
    ['keys', many(5_000, '{ from: a, to: b, foo: 1 }'), 'and at least 100 more problems; correct these first'],
  ])('it says how many there are, as far as they are known: %s', (_, content, message) => {
    expect(last(content)).toBe(message);
  });

  test('a broken entry with very many names ends soon', () => {
    const content = `{ "version": 1, "lineage": [{ "foo": 1, "to": "x", "from": [${'"a",'.repeat(900_000)}"a"] }] }`;
    const before = cpuMs();
    expect(found(content, 'json').at(-1)?.[1]).toBe('and 899004 more problems; correct these first');
    expect(cpuMs() - before).toBeLessThan(4_000);
  });
});
