import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Declaration } from '../../shared/core/edge.ts';
import { type DocumentFormat, parseManifest } from '../../shared/core/manifest.ts';
import { type Naming, NO_NAMING, parseNaming } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { ruleOptions } from '../../shared/core/rule-options.ts';
import { cpuMs } from './cpu-time.ts';
import { bytesOf, sampleBlocks } from './sample-blocks.ts';

function declare(content: string, naming: Naming = NO_NAMING, format: DocumentFormat = 'yaml'): Declaration {
  const parsed = parseManifest(bytesOf(content), format, sampleBlocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return resolveManifest(parsed.manifest, naming);
}

function rules(content: string): Naming {
  const parsed = parseNaming(bytesOf(`version: 1\nrules:\n${content}`), sampleBlocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed;
}

const ORDERS = `
version: 1
targets: [dataphin, dataarts, dataphin]
job: { namespace: airflow-prod, name: orders.load }
defaults:
  datasets: { dataarts: { catalog: spark_catalog, database: nbbtemp } }
  lineage: { dataarts: { connectionName: dli_test, dataSourceType: dli } }
datasets:
  raw:
    namespace: maxcompute://cn-shanghai
    name: project1.orders_raw
    dataphin: { guid: odps.300000001.project1.orders_raw }
    dataarts: { table: orders_raw }
  clean:
    dataphin: { guid: odps.300000001.project1.orders_clean }
    dataarts: { table: orders_clean }
lineage:
  - from: raw
    to: clean
    columns: { total: [raw.price, raw.qty], id: id }
    dataphin: { checkAssetExist: false }
    dataarts: { nodeName: load_orders }
`;

test('the example of the contract', () => {
  const column = (from: string, to: string) => ({
    from: { table: 0, column: from },
    to: { table: 0, column: to },
    direct: true,
  });
  expect(declare(ORDERS)).toEqual({
    job: { namespace: 'airflow-prod', name: 'orders.load' },
    targets: ['dataphin', 'dataarts'],
    warnings: [],
    entries: [
      {
        path: 'lineage[0]',
        from: [
          {
            alias: 'raw',
            namespace: 'maxcompute://cn-shanghai',
            name: 'project1.orders_raw',
            vendors: {
              dataphin: { guid: 'odps.300000001.project1.orders_raw' },
              dataarts: { catalog: 'spark_catalog', database: 'nbbtemp', table: 'orders_raw' },
            },
          },
        ],
        to: [
          {
            alias: 'clean',
            vendors: {
              dataphin: { guid: 'odps.300000001.project1.orders_clean' },
              dataarts: { catalog: 'spark_catalog', database: 'nbbtemp', table: 'orders_clean' },
            },
          },
        ],
        columns: [column('price', 'total'), column('qty', 'total'), column('id', 'id')],
        options: {
          dataphin: { checkAssetExist: false },
          dataarts: { connectionName: 'dli_test', dataSourceType: 'dli', nodeName: 'load_orders' },
        },
      },
    ],
  });
});

const HEAD = `version: 1
datasets:
  a: { dataarts: { database: d, table: a } }
  b: { dataarts: { database: d, table: b } }
  c: { dataarts: { database: d, table: c } }
`;

describe('columns', () => {
  const pairs = (lineage: string) =>
    declare(`${HEAD}lineage:\n${lineage}`).entries[0]?.columns.map(
      ({ from, to, direct }) => `${from.table}.${from.column}>${to.table}.${to.column}${direct ? '' : '?'}`,
    );

  test('short references split at the first dot, and count the tables of their side', () => {
    expect(pairs('  - { from: [a, b], to: c, columns: { x: [b.y.z, a.w], c.v: b.u } }\n')).toEqual([
      '1.y.z>0.x',
      '0.w>0.x',
      '1.u>0.v',
    ]);
  });

  test('the long form: lists, inline datasets, dots, indirect', () => {
    const inline = '{ namespace: n, name: x.y }';
    const lineage = `  - from: [a, ${inline}]
    to: [c, b]
    columns:
      - { from: [a.p, { dataset: ${inline}, column: q.r }], to: { dataset: b, column: s.t }, direct: false }
      - { from: a.p, to: c.o }
`;
    expect(pairs(lineage)).toEqual(['0.p>1.s.t?', '1.q.r>1.s.t?', '0.p>0.o']);
  });

  test('a pair given twice is one, direct if any mention is', () => {
    expect(
      pairs('  - { from: a, to: c, columns: [{ from: x, to: y, direct: false }, { from: [a.x, x], to: c.y }] }\n'),
    ).toEqual(['0.x>0.y']);
  });

  test('a dataset given twice on a side is one', () => {
    expect(pairs('  - { from: [a, a], to: c, columns: { y: x } }\n')).toEqual(['0.x>0.y']);
  });
});

describe('entries', () => {
  test('with the same sides and options merge; others stay apart', () => {
    const { entries } = declare(`${HEAD}lineage:
  - { from: a, to: c, columns: [{ from: x, to: y, direct: false }] }
  - { from: a, to: c, columns: { y: [x, z] } }
  - { from: a, to: c, columns: [{ from: z, to: y, direct: false }] }
  - { from: a, to: c, dataarts: { nodeName: n } }
  - { from: [a, b], to: c }
  - { from: a, to: a }
`);
    expect(
      entries.map(({ path, columns }) => [path, columns.map(({ from, direct }) => [from.column, direct])]),
    ).toEqual([
      [
        'lineage[0]',
        [
          ['x', true],
          ['z', true],
        ],
      ],
      ['lineage[3]', []],
      ['lineage[4]', []],
      ['lineage[5]', []],
    ]);
  });

  test('without targets and job say nothing of them', () => {
    expect(declare('version: 1\nlineage: []\n')).toEqual({ entries: [], warnings: [] });
  });
});

describe('defaults', () => {
  test('fill only blocks that are there; the nearer value wins, maps merge by key', () => {
    const { entries } = declare(`version: 1
defaults:
  datasets:
    dataphin: { env: PROD, catalog: c, extProperties: { team: x, tier: "1" } }
    dataarts: { database: d }
datasets:
  a: { dataphin: { name: a, env: DEV, extProperties: { team: y } } }
  b: { dataarts: { database: other, table: b } }
lineage: [{ from: a, to: b }]
`);
    expect(entries[0]?.from[0]?.vendors).toEqual({
      dataphin: { name: 'a', env: 'DEV', catalog: 'c', extProperties: { team: 'y', tier: '1' } },
    });
    expect(entries[0]?.to[0]?.vendors).toEqual({ dataarts: { database: 'other', table: 'b' } });
  });

  test('of options reach entries without a block of that vendor', () => {
    const { entries } = declare(`${HEAD}defaults:
  lineage: { dataphin: { userId: u, relationProperties: { k: far, l: far } } }
lineage: [{ from: a, to: b }, { from: a, to: c, dataphin: { checkAssetExist: true, relationProperties: { k: near } } }]
`);
    expect(entries.map(({ options }) => options)).toEqual([
      { dataphin: { userId: 'u', relationProperties: { k: 'far', l: 'far' } } },
      { dataphin: { userId: 'u', checkAssetExist: true, relationProperties: { k: 'near', l: 'far' } } },
    ]);
  });
});

describe('naming rules', () => {
  const hive = rules(`
  - match: { namespace: "hive://*", name: "{database}.{table}" }
    dataphin: { guid: "odps.1.{database}.{table}", userId: ruled }
    dataarts: { database: "{database}", table: "{table}", connectionName: "conn_{database}", dataSourceType: hive }
`);
  const inline = (name: string) => `{ namespace: "hive://h", name: ${name} }`;

  test('name inline datasets; the options they set stay with the datasets, for the vendor to weigh', () => {
    const { entries } = declare(`version: 1\nlineage: [{ from: ${inline('in.a')}, to: ${inline('out.b')} }]`, hive);
    expect(entries[0]?.to[0]?.vendors).toEqual({
      dataphin: { guid: 'odps.1.out.b' },
      dataarts: { database: 'out', table: 'b' },
    });
    expect(entries[0]?.options).toEqual({});
    expect(entries[0]?.to[0]?.entryOptions).toEqual({
      dataphin: { userId: 'ruled' },
      dataarts: { connectionName: 'conn_out', dataSourceType: 'hive' },
    });
    expect(entries[0]?.from[0]?.entryOptions?.['dataarts']).toEqual({
      connectionName: 'conn_in',
      dataSourceType: 'hive',
    });
  });

  test('yield to the entry and to defaults', () => {
    const { entries } = declare(
      `version: 1
defaults: { lineage: { dataarts: { connectionName: default, dataSourceType: dli }, dataphin: { userId: default } } }
lineage: [{ from: ${inline('in.a')}, to: ${inline('out.b')}, dataarts: { connectionName: own } }]`,
      hive,
    );
    expect(entries[0]?.options).toEqual({
      dataarts: { connectionName: 'own', dataSourceType: 'dli' },
      dataphin: { userId: 'default' },
    });
  });

  test('of several outputs count where they agree; the rest stays with the datasets', () => {
    const { entries } = declare(
      `version: 1\nlineage: [{ from: ${inline('in.a')}, to: [${inline('x.b')}, ${inline('y.c')}] }]`,
      hive,
    );
    expect(ruleOptions(entries[0]?.to ?? [], 'dataarts')).toEqual({ dataSourceType: 'hive' });
    expect(entries[0]?.to.map((dataset) => dataset.entryOptions?.['dataarts']?.['connectionName'])).toEqual([
      'conn_x',
      'conn_y',
    ]);
  });

  test('do not touch what the manifest says', () => {
    const { entries } = declare(
      `version: 1
datasets: { a: { namespace: "hive://h", name: d.t, dataarts: { table: mine } } }
lineage: [{ from: a, to: a }]`,
      hive,
    );
    expect(entries[0]?.from[0]).toEqual({
      alias: 'a',
      namespace: 'hive://h',
      name: 'd.t',
      vendors: { dataphin: { guid: 'odps.1.d.t' }, dataarts: { table: 'mine' } },
      entryOptions: { dataphin: { userId: 'ruled' } },
    });
  });

  test('are not filled up by defaults', () => {
    const { entries } = declare(
      `version: 1\ndefaults: { datasets: { dataarts: { catalog: far } } }\nlineage: [{ from: ${inline('a.b')}, to: ${inline('a.c')} }]`,
      hive,
    );
    expect(entries[0]?.from[0]?.vendors['dataarts']).toEqual({ database: 'a', table: 'b' });
  });
});

describe('warnings', () => {
  test('aliases that no entry uses, sides that multiply, one identity under two names', () => {
    const { warnings } = declare(`version: 1
datasets:
  a: { namespace: n, name: x, dataarts: { table: a } }
  b: { namespace: n, name: x, dataarts: { table: b } }
  c: { namespace: n, name: x, dataarts: { table: a } }
  d: { dataarts: { table: d } }
lineage: [{ from: [a, b], to: [c, { namespace: n, name: y }] }]
`);
    expect(warnings).toEqual([
      {
        path: 'lineage[0]',
        message: expect.stringMatching(/^2 inputs and 2 outputs without columns declare all 4 pairs/),
      },
      { path: 'datasets.d', message: 'is not used by any entry' },
      {
        path: 'datasets.b.dataarts',
        message: expect.stringMatching(/n\/x has another dataarts name under the alias a/),
      },
    ]);
  });
});

test('10,000 entries with 100,000 pairs resolve in well under a second', () => {
  const lineage = Array.from({ length: 10_000 }, (_, at) => ({
    from: { namespace: 'hive://h', name: `d.in${at}` },
    to: { namespace: 'hive://h', name: `d.out${at}` },
    columns: Object.fromEntries(Array.from({ length: 10 }, (__, column) => [`c${column}`, `s${column}`])),
  }));
  const parsed = parseManifest(bytesOf(JSON.stringify({ version: 1, lineage })), 'json', sampleBlocks);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems[0]));
  const naming = rules(
    '  - match: { namespace: "hive://*", name: "{database}.{table}" }\n    dataphin: { guid: "{database}.{table}" }\n',
  );
  const before = cpuMs();
  const { entries } = resolveManifest(parsed.manifest, naming);
  expect(cpuMs() - before).toBeLessThan(1_500);
  expect(entries.flatMap(({ columns }) => columns)).toHaveLength(100_000);
});

test('many entries that become one take linear time', () => {
  const lineage = Array.from({ length: 10_000 }, (_, at) => ({
    from: { namespace: 'n', name: 'x' },
    to: { namespace: 'n', name: 'y' },
    columns: Object.fromEntries(Array.from({ length: 10 }, (__, column) => [`c${at}_${column}`, 's'])),
  }));
  const before = cpuMs();
  const { entries } = declare(JSON.stringify({ version: 1, lineage }), NO_NAMING, 'json');
  expect(cpuMs() - before).toBeLessThan(4_000);
  expect(entries.map(({ columns }) => columns.length)).toEqual([100_000]);
});

test('JSON and YAML of the same manifest declare the same', () => {
  const alias = fc.constantFrom('a', 'b', 'c');
  const column = fc.constantFrom('x', 'y z', 'null', '1', 'constructor', 'ü');
  const lineage = fc.array(
    fc.record(
      {
        from: fc.oneof(
          alias,
          fc.record({ namespace: fc.constantFrom('n', '0x1', 'no'), name: fc.constantFrom('p.q', '~') }),
        ),
        to: alias,
        columns: fc.oneof(
          fc.dictionary(column, fc.oneof(column, fc.array(column, { minLength: 1, maxLength: 3 })), { maxKeys: 4 }),
          fc.array(fc.record({ from: column, to: column, direct: fc.boolean() }), { maxLength: 4 }),
        ),
      },
      { requiredKeys: ['from', 'to'] },
    ),
    { maxLength: 6 },
  );
  const block = (table: string) => ({ dataarts: { database: 'd', table } });
  void fc.assert(
    fc.property(lineage, (entries) => {
      const manifest = { version: 1, datasets: { a: block('a'), b: block('b'), c: block('c') }, lineage: entries };
      expect(declare(stringify(manifest))).toEqual(declare(JSON.stringify(manifest), NO_NAMING, 'json'));
    }),
    { numRuns: 200 },
  );
});
