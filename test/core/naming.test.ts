import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dataset } from '../../shared/core/dataset.ts';
import { nameDataset, parseNaming } from '../../shared/core/naming.ts';
import { compilePattern, matchPattern } from '../../shared/core/pattern.ts';
import { cpuMs } from './cpu-time.ts';
import { bytesOf, sampleBlocks } from './sample-blocks.ts';

const parse = (content: string) => parseNaming(bytesOf(content), sampleBlocks);

function named(dataset: Partial<Dataset>, rules: string): Dataset {
  const naming = parse(`version: 1\nrules:\n${rules}`);
  if ('problems' in naming) throw new Error(JSON.stringify(naming.problems));
  return nameDataset({ vendors: {}, ...dataset }, naming);
}

function match(pattern: string, text: string) {
  const compiled = compilePattern(pattern);
  if ('error' in compiled) throw new Error(compiled.error);
  return matchPattern(compiled, text);
}

describe('patterns', () => {
  test.each([
    ['hive://*', 'hive://metastore:9083', {}],
    ['hive://*', 'hive://', {}],
    ['hive://*', 'xhive://a', undefined],
    ['*', '', {}],
    ['*.prod.*', 'a.b.prod.c', {}],
    ['{d}.{t}', 'sales.orders', { d: 'sales', t: 'orders' }],
    ['{d}.{t}', 'a.b.c', undefined],
    ['{d}.{t}', 'a.', undefined],
    ['{d}.{t}', 'orders', undefined],
    ['{a}_x', '1_x_x', { a: '1_x' }],
    ['{a}_{b}', '1_2_3', { a: '1', b: '2_3' }],
    ['db.{t}', 'dbxorders', undefined],
    ['a+(b)[c]^$|\\d?.{t}', 'a+(b)[c]^$|\\d?.x', { t: 'x' }],
    ['{t}', 'täble 表', { t: 'täble 表' }],
    ['{d}.x*', 'a.x.y.z', { d: 'a' }],
    ['plain', 'plain', {}],
    ['plain', 'plainer', undefined],
  ])('%s on %s', (pattern, text, expected) => {
    expect(match(pattern, text)).toEqual(expected);
  });

  test('agree with the regular expression they stand for', () => {
    const piece = fc.constantFrom('{a}', '{b}', '*', 'x', '.', 'y.', 'xy');
    const text = fc.array(fc.constantFrom('x', 'y', '.'), { maxLength: 10 }).map((parts) => parts.join(''));
    void fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), text, (pieces, content) => {
        const compiled = compilePattern(pieces.join(''));
        if ('error' in compiled) return;
        const source = pieces
          .join('')
          .replaceAll('.', '\\.')
          .replace(/\*+/g, '.*?')
          .replace(/\{(\w)\}/g, '(?<$1>[^.]+?)');
        const groups = new RegExp(`^${source}$`).exec(content);
        const found = matchPattern(compiled, content);
        expect(found === undefined ? undefined : { ...found }).toEqual(
          groups === null ? undefined : { ...groups.groups },
        );
      }),
      { numRuns: 3_000 },
    );
  });

  test('take linear time where backtracking would not end', () => {
    const before = cpuMs();
    expect(match(`${'*a'.repeat(20)}*b`, 'a'.repeat(2_000))).toBeUndefined();
    expect(match(`{a}${'x{b}x{c}x{d}x{e}x{f}'}y`, `${'x'.repeat(2_000)}zy`)).toBeDefined();
    expect(cpuMs() - before).toBeLessThan(200);
  });
});

describe('rules', () => {
  test('the first that fits counts, per vendor', () => {
    const rules = `
  - match: { namespace: "hive://*", name: "special.{t}" }
    dataarts: { database: other, table: "{t}" }
  - match: { namespace: "hive://*", name: "{d}.{t}" }
    dataphin: { guid: "odps.1.{d}.{t}" }
    dataarts: { database: "{d}", table: "{t}", connectionName: c }
`;
    expect(named({ namespace: 'hive://h', name: 'special.x' }, rules)).toEqual({
      namespace: 'hive://h',
      name: 'special.x',
      vendors: { dataarts: { database: 'other', table: 'x' }, dataphin: { guid: 'odps.1.special.x' } },
    });
    expect(named({ namespace: 'hive://h', name: 'd.x' }, rules).entryOptions).toEqual({
      dataarts: { connectionName: 'c' },
    });
    expect(named({ namespace: 'file://h', name: 'd.x' }, rules).vendors).toEqual({});
  });

  test('on a vendor block: its other keys are placeholders, and the identity found leads on to other rules', () => {
    const rules = `
  - match: { namespace: "paimon://*", name: "{d}.{t}" }
    dataphin: { guid: "lake.{d}.{t}" }
  - match: { flink: { catalog: "paimon_{zone}" } }
    dataset: { namespace: "paimon://{zone}", name: "{database}.{table}" }
`;
    const flink = { catalog: 'paimon_eu', database: 'sales', table: 'orders' };
    expect(named({ vendors: { flink } }, rules)).toEqual({
      namespace: 'paimon://eu',
      name: 'sales.orders',
      vendors: { flink, dataphin: { guid: 'lake.sales.orders' } },
    });
    expect(named({ vendors: { flink: { ...flink, catalog: 'hive' } } }, rules)).toEqual({
      vendors: { flink: { ...flink, catalog: 'hive' } },
    });
    expect(named({ vendors: { flink: { catalog: 'paimon_eu', table: 'no_database' } } }, rules).name).toBeUndefined();
  });

  test('identity that the manifest gives stays', () => {
    const rules = '  - match: { flink: { table: "{x}" } }\n    dataset: { namespace: n, name: "{x}" }\n';
    const dataset = { namespace: 'own', name: 'own', vendors: { flink: { table: 't' } } };
    expect(named(dataset, rules)).toEqual(dataset);
  });

  test('placeholders are filled in inside maps too, and what they stand for is not read again', () => {
    const rules =
      '  - match: { namespace: n, name: "{x}" }\n    dataphin: { guid: "{x}", extProperties: { from: "t-{x}-{x}" } }\n';
    expect(named({ namespace: 'n', name: '{x}$&' }, rules).vendors).toEqual({
      dataphin: { guid: '{x}$&', extProperties: { from: 't-{x}$&-{x}$&' } },
    });
  });

  test('an enum may hold a placeholder', () => {
    const rules = '  - match: { namespace: "{env}", name: "{x}" }\n    dataphin: { env: "{env}", name: "{x}" }\n';
    expect(named({ namespace: 'PROD', name: 't' }, rules).vendors).toEqual({ dataphin: { env: 'PROD', name: 't' } });
  });
});

const rule = (lines: string): string => `version: 1\nrules:\n${lines}`;

describe('incorrect rules', () => {
  test.each([
    ['not YAML', 'a: [', '', /not valid YAML/, 1],
    ['empty', '', '', /empty/, 1],
    ['another version', 'version: 2\nrules: []\n', 'version', /expected 1; found 2/, 1],
    ['no rules', 'version: 1\n', 'rules', /is missing: expected a list/, 1],
    [
      'an unknown key',
      rule('  - match: { namespace: n }\n    dataart: { table: x }\n'),
      'rules[0].dataart',
      /did you mean "dataarts"/,
      4,
    ],
    [
      'an unknown vendor key',
      rule('  - match: { namespace: n }\n    dataarts: { tabel: x }\n'),
      'rules[0].dataarts.tabel',
      /did you mean "table"/,
      4,
    ],
    [
      'an empty match',
      rule('  - match: {}\n    dataarts: { table: x }\n'),
      'rules[0].match',
      /is empty; give namespace, name or a vendor block/,
      3,
    ],
    ['nothing given', rule('  - match: { name: x }\n'), 'rules[0]', /gives nothing/, 3],
    [
      'an unknown placeholder',
      rule('  - match: { name: "{table}" }\n    dataphin:\n      extProperties: { a: "{tabel}" }\n'),
      'rules[0].dataphin.extProperties.a',
      /\{tabel\} is not in match \(did you mean "table"\?\); there is: \{table\}/,
      5,
    ],
    [
      'a placeholder in the identity',
      rule('  - match: { flink: { catalog: c } }\n    dataset: { namespace: n, name: "{tabl}" }\n'),
      'rules[0].dataset.name',
      /there is: \{catalog\}, \{database\}, \{table\}/,
      4,
    ],
    [
      'a placeholder used twice',
      rule('  - match: { namespace: "{x}", name: "a.{x}" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /\{x\} is used twice/,
      3,
    ],
    [
      'adjacent placeholders',
      rule('  - match: { name: "{x}{y}" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /put some text between/,
      3,
    ],
    [
      'a star beside a placeholder',
      rule('  - match: { name: "{x}*" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /put some text between/,
      3,
    ],
    [
      'an open brace',
      rule('  - match: { name: "{x" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /a single \{/,
      3,
    ],
    [
      'a strange placeholder',
      rule('  - match: { name: "{data base}" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /\{data base\} is no placeholder/,
      3,
    ],
    [
      '__proto__ as placeholder',
      rule('  - match: { name: "{__proto__}" }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /is no placeholder/,
      3,
    ],
    [
      'keys that exclude each other',
      rule('  - match: { name: "{x}" }\n    dataphin: { guid: "{x}", name: "{x}" }\n'),
      'rules[0].dataphin',
      /not both/,
      4,
    ],
    [
      'a value outside an enum',
      rule('  - match: { name: "{x}" }\n    dataphin: { env: TEST }\n'),
      'rules[0].dataphin.env',
      /expected one of DEV, PROD/,
      4,
    ],
    [
      'a number as text',
      rule('  - match: { name: 7 }\n    dataarts: { table: t }\n'),
      'rules[0].match.name',
      /expected text, found 7; put it in quotes/,
      3,
    ],
  ] as const)('%s', (_, content, path, message, line) => {
    const parsed = parse(content);
    const problems = 'problems' in parsed ? parsed.problems : [];
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBe(line);
  });

  test('every problem at once', () => {
    const parsed = parse(
      rule(
        '  - match: {}\n  - match: { name: "{x}{y}" }\n    dataarts: { tabel: "{z}" }\n  - match: { name: "{x}{y}" }\n    dataarts: { table: "{z}" }\n',
      ),
    );
    expect('problems' in parsed && parsed.problems.map(({ path }) => path)).toEqual([
      'rules[0].match',
      'rules[0]',
      'rules[1].dataarts.tabel',
      'rules[2].match.name',
      'rules[2].dataarts.table',
    ]);
  });
});
