import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../../shared/core/edge.ts';
import { type DocumentFormat, parseManifest } from '../../shared/core/manifest.ts';
import { MAX_PROBLEMS } from '../../shared/core/problems.ts';
import { cpuMs } from './cpu-time.ts';
import { bytesOf, sampleBlocks } from './sample-blocks.ts';

function problemsOf(content: string, format: DocumentFormat = 'yaml'): readonly Problem[] {
  const parsed = parseManifest(bytesOf(content), format, sampleBlocks);
  return 'problems' in parsed ? parsed.problems : [];
}

const HEAD = `version: 1
datasets:
  raw: { namespace: "hive://h", name: db.raw, dataphin: { guid: g.raw } }
  dim: { dataarts: { table: dim } }
  clean: { dataphin: { guid: g.clean } }
lineage:
`;
/** Lines of entries begin at 7. */
const withLineage = (lines: string): string => HEAD + lines;
const sources = (count: number): string => Array.from({ length: count }, (_, at) => `raw${at}`).join(', ');
const aliases = (count: number): string =>
  Array.from({ length: count }, (_, at) => `  raw${at}: { dataarts: { table: t${at} } }\n`).join('');

describe('correct manifests', () => {
  test.each([
    ['an empty declaration', 'version: 1\nlineage: []\n'],
    ['inline datasets', 'version: 1\nlineage:\n  - { from: {namespace: a, name: b}, to: [{namespace: a, name: c}] }\n'],
    ['a table that feeds itself', withLineage('  - { from: [raw, clean], to: clean }\n')],
    ['the same entry twice', withLineage('  - { from: raw, to: clean }\n  - { from: raw, to: clean }\n')],
    ['an alias twice on a side', withLineage('  - { from: [raw, raw], to: clean, columns: { a: b } }\n')],
    ['targets with accounts', 'version: 1\ntargets: [dataphin, dataarts/finance-2.a]\nlineage: []\n'],
    ['a schema for editors', '$schema: x\nversion: 1\nlineage: []\n'],
    ['100 inputs', `version: 1\ndatasets:\n${aliases(101)}lineage:\n  - { from: [${sources(100)}], to: raw100 }\n`],
    ['columns called like members', withLineage('  - { from: raw, to: clean, columns: { constructor: toString } }\n')],
    [
      'columns in short form',
      withLineage('  - { from: [raw, dim], to: clean, columns: { a: [raw.b, dim.c.d], clean.e: raw.f } }\n'),
    ],
    [
      'columns in long form',
      withLineage(`  - from: [raw, { namespace: n, name: "x.y" }]
    to: clean
    columns:
      - { from: [raw.a, { dataset: { namespace: n, name: "x.y" }, column: b.c }], to: { dataset: clean, column: d.e }, direct: false }
      - { from: raw.a, to: f }
`),
    ],
  ])('%s', (_, content) => {
    expect(problemsOf(content)).toEqual([]);
  });

  test('the manifest is what was written', () => {
    const parsed = parseManifest(
      bytesOf('{"version": 1, "job": {"namespace": "n", "name": "j"}, "lineage": []}'),
      'json',
      sampleBlocks,
    );
    expect(parsed).toEqual({ manifest: { version: 1, job: { namespace: 'n', name: 'j' }, lineage: [] } });
  });
});

const entry = (line: string): string => withLineage(`  - ${line}\n`);

type Bad = readonly [string, string, string, RegExp, number];
const bad: readonly Bad[] = [
  ['not a map', '- a\n', '', /expected a map, found a list/, 1],
  ['only comments', '# none\n', '', /expected a map, found nothing/, 1],
  ['no version', 'lineage: []\n', 'version', /is missing: expected 1/, 1],
  ['another version', 'lineage: []\nversion: 2\n', 'version', /expected 1; found 2/, 2],
  ['version as text', 'lineage: []\nversion: "1"\n', 'version', /expected 1; found the text "1"/, 2],
  ['no lineage', 'version: 1\n', 'lineage', /is missing: expected a list/, 1],
  ['lineage without items', 'version: 1\nlineage:\n', 'lineage', /expected a list, found nothing/, 2],
  [
    'an unknown key',
    'version: 1\nlineage: []\ntarget: [x]\n',
    'target',
    /unknown key "target" \(did you mean "targets"\?\)/,
    3,
  ],
  [
    'an unknown key in an entry',
    entry('{ from: raw, to: clean, colums: {} }'),
    'lineage[0].colums',
    /unknown key "colums" \(did you mean "columns"\?\)/,
    7,
  ],
  [
    'an unknown key of a vendor',
    'version: 1\ndatasets:\n  a:\n    dataarts:\n      tabel: x\nlineage: [{from: a, to: a}]\n',
    'datasets.a.dataarts.tabel',
    /unknown key "tabel" \(did you mean "table"\?\)/,
    5,
  ],
  [
    'an unknown vendor',
    'version: 1\ndatasets:\n  a:\n    dataphn: {}\nlineage: []\n',
    'datasets.a.dataphn',
    /did you mean "dataphin"/,
    4,
  ],
  [
    'options of a vendor that is only read',
    entry('{ from: raw, to: clean, flink: {} }'),
    'lineage[0].flink',
    /unknown key "flink"/,
    7,
  ],
  [
    'an unknown option',
    entry('{ from: raw, to: clean, dataarts: { nodename: x } }'),
    'lineage[0].dataarts.nodename',
    /did you mean "nodeName"/,
    7,
  ],
  [
    'an unknown default',
    'version: 1\ndefaults:\n  lineage: { dataarts: { table: x } }\nlineage: []\n',
    'defaults.lineage.dataarts.table',
    /unknown key/,
    3,
  ],
  [
    'an inline dataset with a vendor block',
    entry('{ from: { namespace: a, name: b, dataarts: {} }, to: clean }'),
    'lineage[0].from.dataarts',
    /unknown key "dataarts"/,
    7,
  ],
  ['a duplicate key', 'version: 1\nlineage: []\nversion: 1\n', 'version', /given twice/, 3],
  [
    'a duplicate alias',
    'version: 1\ndatasets:\n  a: { dataarts: {table: a} }\n  a: { dataarts: {table: b} }\nlineage: []\n',
    'datasets.a',
    /given twice/,
    4,
  ],
  [
    'a missing alias',
    entry('{ from: rwa, to: clean }'),
    'lineage[0].from',
    /no dataset has the alias "rwa" \(did you mean "raw"\?\)/,
    7,
  ],
  [
    'a missing alias in a list',
    withLineage('  - from:\n      - raw\n      - nothing-like-it\n    to: clean\n'),
    'lineage[0].from[1]',
    /no dataset has the alias "nothing-like-it"; add it/,
    9,
  ],
  [
    'a missing alias without datasets',
    'version: 1\nlineage:\n  - from: {namespace: a, name: b}\n    to: x\n',
    'lineage[0].to',
    /no dataset has the alias "x"/,
    4,
  ],
  [
    'an alias that objects inherit',
    entry('{ from: toString, to: clean }'),
    'lineage[0].from',
    /no dataset has the alias "toString"/,
    7,
  ],
  [
    '__proto__ as alias',
    'version: 1\ndatasets:\n  __proto__: { dataarts: { table: x } }\nlineage: []\n',
    'datasets.__proto__',
    /cannot be used as a key/,
    3,
  ],
  [
    'an alias of other characters',
    'version: 1\ndatasets:\n  a.b: { dataarts: { table: x } }\nlineage: []\n',
    'datasets["a.b"]',
    /an alias starts with a letter or _/,
    3,
  ],
  [
    'an alias on the wrong side',
    entry('{ from: raw, to: clean, columns: { a: clean.b } }'),
    'lineage[0].columns.a',
    /"clean" is not among the inputs of this entry \(raw\)/,
    7,
  ],
  [
    'a target column on the wrong side',
    entry('{ from: raw, to: clean, columns: { raw.a: b } }'),
    'lineage[0].columns["raw.a"]',
    /"raw" is not among the outputs of this entry \(clean\)/,
    7,
  ],
  [
    'an alias on the wrong side, long',
    entry('{ from: raw, to: clean, columns: [{ from: { dataset: dim, column: a }, to: b }] }'),
    'lineage[0].columns[0].from',
    /"dim" is not among the inputs/,
    7,
  ],
  [
    'an inline dataset of no side',
    entry('{ from: raw, to: clean, columns: [{ from: a, to: { dataset: { namespace: n, name: x }, column: b } }] }'),
    'lineage[0].columns[0].to',
    /"n\/x" is not among the outputs/,
    7,
  ],
  [
    'a dotted column of the only dataset',
    entry('{ from: raw, to: clean, columns: { a: b.c } }'),
    'lineage[0].columns.a',
    /"b" is not among the inputs.*write the long form with \{ dataset, column \}/,
    7,
  ],
  [
    'a column of several inputs',
    entry('{ from: [raw, dim], to: clean, columns: { a: [raw.x, b] } }'),
    'lineage[0].columns.a[1]',
    /column "b" does not say which of the 2 inputs has it; write alias\.b/,
    7,
  ],
  [
    'a target column of several outputs',
    entry('{ from: dim, to: [raw, clean], columns: { a: b } }'),
    'lineage[0].columns.a',
    /which of the 2 outputs/,
    7,
  ],
  [
    'a column without a name',
    entry('{ from: raw, to: clean, columns: { a: raw. } }'),
    'lineage[0].columns.a',
    /not `alias\.column`/,
    7,
  ],
  [
    'a column without an alias',
    entry('{ from: raw, to: clean, columns: { a: .b } }'),
    'lineage[0].columns.a',
    /not `alias\.column`/,
    7,
  ],
  [
    'no source column',
    entry('{ from: raw, to: clean, columns: { a: [] } }'),
    'lineage[0].columns.a',
    /must not be empty/,
    7,
  ],
  [
    'an empty column',
    entry('{ from: raw, to: clean, columns: { a: "" } }'),
    'lineage[0].columns.a',
    /must not be empty/,
    7,
  ],
  [
    'an empty target column',
    entry('{ from: raw, to: clean, columns: { "": a } }'),
    'lineage[0].columns[""]',
    /Too small|must not be empty/,
    7,
  ],
  [
    'a number as column',
    entry('{ from: raw, to: clean, columns: { a: 2024 } }'),
    'lineage[0].columns.a',
    /expected text, a map or a list, found 2024; put it in quotes/,
    7,
  ],
  [
    'direct as text',
    entry('{ from: raw, to: clean, columns: [{ from: a, to: b, direct: "no" }] }'),
    'lineage[0].columns[0].direct',
    /expected true or false, found the text "no"/,
    7,
  ],
  [
    'a long item without target',
    entry('{ from: raw, to: clean, columns: [{ from: a }] }'),
    'lineage[0].columns[0].to',
    /is missing: expected text or a map/,
    7,
  ],
  [
    'columns as text',
    entry('{ from: raw, to: clean, columns: all }'),
    'lineage[0].columns',
    /expected a map or a list, found the text "all"/,
    7,
  ],
  ['no output', entry('{ from: raw }'), 'lineage[0].to', /is missing: expected text, a map or a list/, 7],
  ['no input in the list', entry('{ from: [], to: clean }'), 'lineage[0].from', /must not be empty/, 7],
  [
    'a number as dataset',
    entry('{ from: [raw, 3], to: clean }'),
    'lineage[0].from[1]',
    /expected text or a map, found 3; put it in quotes/,
    7,
  ],
  [
    'half an inline dataset',
    entry('{ from: { namespace: n }, to: clean }'),
    'lineage[0].from.name',
    /is missing: expected text/,
    7,
  ],
  [
    'a name without namespace',
    'version: 1\ndatasets:\n  a:\n    name: x\nlineage: []\n',
    'datasets.a.name',
    /name needs namespace beside it/,
    4,
  ],
  [
    'an empty dataset',
    'version: 1\ndatasets:\n  a: {}\nlineage: []\n',
    'datasets.a',
    /says nothing about the dataset/,
    3,
  ],
  [
    'a control character',
    'version: 1\njob: { namespace: n, name: "a\\u0000b" }\nlineage: []\n',
    'job.name',
    /must not hold control characters/,
    2,
  ],
  [
    'half a character',
    'version: 1\njob: { namespace: n, name: "a\\ud800" }\nlineage: []\n',
    'job.name',
    /must be valid Unicode/,
    2,
  ],
  [
    'a value outside an enum',
    'version: 1\ndatasets:\n  a: { dataphin: { env: PRDO } }\nlineage: []\n',
    'datasets.a.dataphin.env',
    /expected one of DEV, PROD; found the text "PRDO" \(did you mean "PROD"\?\)/,
    3,
  ],
  [
    'keys that exclude each other',
    'version: 1\ndatasets:\n  a:\n    dataphin: { guid: x, name: y }\nlineage: []\n',
    'datasets.a.dataphin',
    /guid or name, not both/,
    4,
  ],
  [
    'keys that exclude a default',
    'version: 1\ndefaults: { datasets: { dataphin: { name: y } } }\ndatasets:\n  a:\n    dataphin: { guid: x }\nlineage: []\n',
    'datasets.a.dataphin',
    /guid or name, not both/,
    5,
  ],
  ['no targets', 'version: 1\ntargets: []\nlineage: []\n', 'targets', /leave `targets` out/, 2],
  [
    'an unknown target',
    'version: 1\ntargets:\n  - dataphin\n  - atlas\nlineage: []\n',
    'targets[1]',
    /"atlas" is no target; write a vendor \(dataphin, dataarts\) or vendor\/account/,
    4,
  ],
  [
    'a vendor that is only read as target',
    'version: 1\ntargets: [flink]\nlineage: []\n',
    'targets[0]',
    /"flink" is no target/,
    2,
  ],
  ['a target with a path', 'version: 1\ntargets: [dataarts/../x]\nlineage: []\n', 'targets[0]', /is no target/, 2],
  [
    'a job without name',
    'version: 1\njob: { namespace: n }\nlineage: []\n',
    'job.name',
    /is missing: expected text/,
    2,
  ],
  [
    '101 inputs',
    `version: 1\nlineage:\n  - { from: [${sources(101)}], to: raw0 }\ndatasets:\n${aliases(101)}`,
    'lineage[0].from',
    /101 datasets in `from`; the limit is 100\. Split the entry/,
    3,
  ],
  [
    '10,001 entries',
    withLineage('  - { from: raw, to: clean }\n'.repeat(10_001)),
    'lineage',
    /10001 entries; the limit is 10000\. Split the manifest/,
    6,
  ],
  [
    '100,100 table pairs',
    `version: 1\ndatasets:\n${aliases(100)}lineage:\n${`  - { from: [${sources(100)}], to: [${sources(91)}] }\n`.repeat(11)}`,
    'lineage',
    /100100 table pairs after expansion; the limit is 100000\. Split/,
    103,
  ],
  [
    '100,001 column pairs',
    entry(`{ from: raw, to: clean, columns: { a: [${'b,'.repeat(50_001)}], c: [${'d,'.repeat(50_000)}] } }`),
    'lineage',
    /100001 column pairs after expansion/,
    6,
  ],
  ['a custom tag', 'version: 1\nlineage: !all []\n', 'lineage', /the tag !all is not read/, 2],
  ['two documents', 'version: 1\nlineage: []\n---\nversion: 1\n', '', /several YAML documents/, 4],
];

const many = (count: number, value: unknown): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, value]));

describe('incorrect manifests', () => {
  test.each(bad)('%s', (_, content, path, message, line) => {
    const problems = problemsOf(content);
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBe(line);
  });

  test('JSON has lines and refuses duplicate keys too', () => {
    expect(problemsOf('{"version": 1,\n"lineage": [],\n"lineage": [],\n"x": 1}', 'json')).toEqual([
      { path: 'lineage', message: expect.stringMatching(/given twice/), line: 3 },
      { path: 'x', message: 'unknown key "x"', line: 4 },
    ]);
  });

  test('every problem is reported, in document order, around what is broken', () => {
    const problems = problemsOf(`version: 3
targets: [atlas, dataphin, oracle]
datasets:
  raw: { dataphin: { guid: 7 } }
  raw: { dataarts: { table: x } }
lineage:
  - { from: rwa, to: clean, columns: { a: clean.b }, dataarts: { node: x } }
  - from: [raw, 5]
    to: [nobody]
    columns: 3
  - text
  - { from: raw, to: raw, columns: { a: [b, c.d] } }
`);
    expect(problems.map(({ path, line }) => `${line} ${path}`)).toEqual([
      '1 version',
      '2 targets[0]',
      '2 targets[2]',
      '5 datasets.raw',
      '7 lineage[0].dataarts.node',
      '7 lineage[0].from',
      '7 lineage[0].to',
      '7 lineage[0].columns.a',
      '8 lineage[1].from[1]',
      '9 lineage[1].to[0]',
      '10 lineage[1].columns',
      '11 lineage[2]',
      '12 lineage[3].columns.a[1]',
    ]);
  });

  test('10,001 entries do not hide other problems', () => {
    const problems = problemsOf(
      withLineage(`${'  - { from: raw, to: clean }\n'.repeat(10_000)}  - { from: raw, to: 3 }\n`),
    );
    expect(problems.map(({ path }) => path)).toEqual(['lineage', 'lineage[10000].to']);
  });

  test.each([
    ['entries', () => JSON.stringify({ version: 1, lineage: Array(900_000).fill(1) })],
    ['maps', () => JSON.stringify({ version: 1, lineage: Array(200_000).fill({ zz: 1 }) })],
    ['aliases', () => JSON.stringify({ version: 1, datasets: many(300_000, 1), lineage: [] })],
    ['columns', () => JSON.stringify({ version: 1, lineage: [{ from: 'a', to: 'a', columns: many(300_000, 1) }] })],
    [
      'sources',
      () => JSON.stringify({ version: 1, lineage: [{ from: 'a', to: 'a', columns: { a: Array(900_000).fill(1) } }] }),
    ],
    ['inputs', () => JSON.stringify({ version: 1, lineage: [{ from: Array(900_000).fill(1), to: 'a' }] })],
    ['targets', () => JSON.stringify({ version: 1, targets: Array(900_000).fill('a'), lineage: [] })],
  ])('a document full of wrong %s ends soon', (_, content) => {
    const text = content();
    const before = cpuMs();
    expect(problemsOf(text, 'json').length).toBeGreaterThan(0);
    expect(cpuMs() - before).toBeLessThan(4_000);
  });

  test('thousands of problems are cut', () => {
    const problems = problemsOf(withLineage('  - { from: nobody, to: clean }\n'.repeat(3_000)));
    expect(problems).toHaveLength(MAX_PROBLEMS + 1);
    expect(problems.at(-1)?.message).toBe('and 2000 more problems; correct these first');
  });
});

describe('any input', () => {
  const key = fc.constantFrom(
    'version',
    'lineage',
    'datasets',
    'from',
    'to',
    'columns',
    'defaults',
    'targets',
    'job',
    'dataarts',
    'a',
  );
  const leaf = fc.oneof(fc.constantFrom<unknown>(1, 'a', 'a.b', '', null, true), fc.jsonValue({ maxDepth: 1 }));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
    ),
  }));

  test('never throws on manifest-like values', () => {
    void fc.assert(
      fc.property(tree, tree, tree, (lineage, datasets, defaults) => {
        const content = JSON.stringify({ version: 1, lineage, datasets, defaults });
        const parsed = parseManifest(bytesOf(content), 'json', sampleBlocks);
        return 'manifest' in parsed || parsed.problems.length > 0;
      }),
      { numRuns: 1_000 },
    );
  });

  test('never throws on bytes', () => {
    void fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom<DocumentFormat>('yaml', 'json'),
        (bytes, format) => {
          const parsed = parseManifest(bytes, format, sampleBlocks);
          return 'manifest' in parsed || parsed.problems.length > 0;
        },
      ),
    );
  });
});
