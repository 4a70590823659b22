import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type DocumentFormat, MAX_BYTES, MAX_DEPTH, parseDocument } from '../../shared/core/document.ts';
import { formatPath } from '../../shared/core/position.ts';
import { cpuMs } from './cpu-time.ts';
import { bytesOf } from './sample-blocks.ts';

const parse = (content: string, format: DocumentFormat = 'yaml') => parseDocument(bytesOf(content), format);
/** As much of `unit` as a document may hold. */
const filling = (unit: string, format: DocumentFormat) =>
  unit.repeat(Math.floor((MAX_BYTES[format] - 100) / unit.length));

describe('what is read', () => {
  test('YAML 1.2 core: yes and on are text, octal is 0o', () => {
    const { value, problems } = parse('a: yes\nb: on\nc: true\nd: 0o17\ne: ~\nf: 1.5\ng: 2026-11-21\n');
    expect(problems).toEqual([]);
    expect(value).toEqual({ a: 'yes', b: 'on', c: true, d: 15, e: null, f: 1.5, g: '2026-11-21' });
  });

  test.each(['yaml', 'json'] as const)('a byte order mark is tolerated in %s', (format) => {
    const { value, problems } = parseDocument(new Uint8Array([0xef, 0xbb, 0xbf, ...bytesOf('{"a": 1}')]), format);
    expect([value, problems]).toEqual([{ a: 1 }, []]);
  });

  test('one document may have its markers and comments', () => {
    expect(parse('# top\n---\na: 1\n...\n# end\n')).toMatchObject({ value: { a: 1 }, problems: [] });
  });

  test('only comments are null', () => {
    expect(parse('# nothing\n')).toMatchObject({ value: null, problems: [] });
  });

  test('standard tags and aliases', () => {
    const { value, problems } = parse('a: &x [1, !!str 2]\nb: *x\n&k key: 1\nd: *k\n');
    expect(problems).toEqual([]);
    expect(value).toEqual({ a: [1, '2'], b: [1, '2'], key: 1, d: 'key' });
  });

  test('a quoted << is an ordinary key', () => {
    expect(parse('"<<": 1')).toMatchObject({ value: { '<<': 1 }, problems: [] });
  });

  test('lines of values, for missing keys the nearest that exists', () => {
    const yaml = parse('# c\nversion: 1\nlineage:\n  - from: a\n    to:\n      - b\n      - c\n');
    expect(yaml.position([])).toBe(1);
    expect(yaml.position(['lineage', 0, 'to', 1])).toBe(7);
    expect(yaml.position(['lineage', 0, 'columns', 'x'])).toBe(4);
    const json = parse('{\n "version": 1,\n "lineage": [\n  {"from": "a",\n   "to": ["b",\n    "c"]}]}', 'json');
    expect(json.position(['lineage', 0, 'to', 1])).toBe(6);
    expect(json.position(['lineage', 0, 'to'])).toBe(5);
    expect(json.position(['none'])).toBe(1);
  });

  test('below an alias the lines are those of the anchor', () => {
    const { position } = parse('a: &x\n  b: 1\n  c: 2\nd: *x\n');
    expect(position(['d'])).toBe(4);
    expect(position(['d', 'c'])).toBe(3);
  });
});

const deep = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);
const bomb = `a: &a [${'x,'.repeat(9)}]\n${[...'bcdefghij']
  .map((name, at) => `${name}: &${name} [${`*${'abcdefghi'[at]},`.repeat(9)}]\n`)
  .join('')}`;

const bad: readonly (readonly [string, DocumentFormat, string, RegExp, number | undefined, string])[] = [
  ['not YAML', 'yaml', 'a: 1\nb: [1, 2\nc: 3\n', /not valid YAML/, 3, ''],
  ['not JSON', 'json', '{"a": 1,\n"b": x}', /not valid JSON: expected a value, found "x"/, 2, 'b'],
  ['a comma too many', 'json', '{"a": [1,\n]}', /expected a value, found "\]"/, 2, 'a[1]'],
  ['text after JSON', 'json', '{}\n{}', /expected the end of the document/, 2, ''],
  ['cut JSON', 'json', '{"a": [1, 2', /found the end of the text/, 1, 'a'],
  ['a raw line break in JSON text', 'json', '{"a": "x\ny"}', /closing quote on the same line/, 1, 'a'],
  ['an unknown JSON escape', 'json', '{"a":\n"\\x"}', /escape/, 2, 'a'],
  ['a JSON number beyond doubles', 'json', '[1e999]', /too large/, 1, '[0]'],
  ['empty', 'yaml', ' \n', /empty/, 1, ''],
  ['empty', 'json', '', /empty/, 1, ''],
  ['duplicate key', 'yaml', 'a: 1\nb:\n  c: 1\n  "c": 2\n', /"c" is given twice/, 4, 'b.c'],
  ['duplicate key', 'json', '{"a": [{"c": 1,\n"\\u0063": 2}]}', /"c" is given twice/, 2, 'a[0].c'],
  ['two documents', 'yaml', 'a: 1\n---\nb: 1\n', /several YAML documents/, 3, ''],
  ['two documents, the second empty', 'yaml', 'a: 1\n---\n', /several YAML documents/, 2, ''],
  ['custom tag', 'yaml', 'a: 1\nb: !secret x\n', /the tag !secret is not read/, 2, 'b'],
  ['custom tag on a map', 'yaml', 'a: !!omap\n  - b: 1\n', /the tag tag:yaml\.org,2002:omap/, 2, 'a'],
  ['merge key', 'yaml', 'a: &a {x: 1}\nb:\n  <<: *a\n', /merge keys/, 3, 'b'],
  ['number as key', 'yaml', 'a:\n  2024: x\n', /a key must be text; put it in quotes: "2024"/, 2, 'a'],
  ['null as key', 'yaml', '~: x\n', /a key must be text/, 1, ''],
  ['list as key', 'yaml', '? [a]\n: x\n', /a key must be text/, 1, ''],
  ['__proto__', 'yaml', 'a:\n  __proto__: {x: 1}\n', /"__proto__" cannot be used as a key/, 2, 'a.__proto__'],
  ['__proto__', 'json', '{"a":\n{"__proto__": {"x": 1}}}', /cannot be used as a key/, 2, 'a.__proto__'],
  ['infinity', 'yaml', 'a: .inf\n', /not a value that JSON has/, 1, 'a'],
  ['alias without anchor', 'yaml', 'a: 1\nb: *x\n', /the alias \*x has no anchor/, 2, 'b'],
  ['alias to itself', 'yaml', 'a: &a [*a]\n', /has no anchor &a before it/, 1, 'a[0]'],
  ['YAML 1.1', 'yaml', '%YAML 1.1\n---\na: yes\n', /only YAML 1\.2/, 1, ''],
  ['alias bomb', 'yaml', bomb, /aliases stand for more than 100000 values/, 6, 'f[0]'],
  ['too deep', 'yaml', deep('[', ']', MAX_DEPTH + 1), /nested more than 64 levels/, 1, formatPath(Array(10).fill(0))],
  ['too deep', 'json', deep('[', ']', MAX_DEPTH + 1), /nested more than 64 levels/, 1, formatPath(Array(10).fill(0))],
];

describe('what is refused', () => {
  test.each(bad)('%s (%s)', (_, format, content, message, line, path) => {
    const { problems } = parse(content, format);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.line).toBe(line);
    expect(problems[0]?.path).toBe(path);
  });

  test('all problems at once', () => {
    const { problems } = parse('a: 1\na: 2\nb: !x 3\n4: 5\nc: {d: 1, d: 2}\n');
    expect(problems.map(({ line }) => line)).toEqual([2, 3, 4, 5]);
    expect(parse('a: }\nb: [\nc: "').problems.length).toBeGreaterThan(1);
  });

  test.each(['yaml', 'json'] as const)('nothing of %s that is not UTF-8', (format) => {
    const bytes = new Uint8Array([...bytesOf('{"a":\n"'), 0xc3, 0x28, ...bytesOf('"}')]);
    expect(parseDocument(bytes, format).problems).toEqual([
      { path: '', message: expect.stringMatching(/not UTF-8/), line: 2 },
    ]);
  });

  test.each(['yaml', 'json'] as const)('%s above its size, and not one byte earlier', (format) => {
    const full = `${' '.repeat(MAX_BYTES[format] - 2)}{}`;
    expect(parse(full, format).problems).toEqual([]);
    const [problem] = parse(`${full} `, format).problems;
    expect(problem?.message).toMatch(/the limit is \d\.0 MiB\. Split it into several documents/);
    expect(problem?.message.includes('write it as JSON')).toBe(format === 'yaml');
  });

  test('depth up to the limit is fine', () => {
    expect(parse(deep('[', ']', MAX_DEPTH)).problems).toEqual([]);
    expect(parse(deep('[', ']', MAX_DEPTH), 'json').problems).toEqual([]);
    const maps = Array.from({ length: MAX_DEPTH }, (_, level) => `${' '.repeat(level)}a:\n`).join('');
    expect(parse(maps).problems).toEqual([]);
    expect(parse('- '.repeat(MAX_DEPTH)).problems).toEqual([]);
  });

  test('an alias does not reach deeper than the limit', () => {
    const { problems } = parse(`a: &a ${deep('[', ']', 40)}\nb: ${'['.repeat(40)}*a${']'.repeat(40)}\n`);
    expect(problems[0]?.message).toMatch(/nested more than 64 levels/);
  });
});

describe('hostile documents end soon', () => {
  test.each([
    ['yaml', 'flow', filling('[', 'yaml')],
    ['yaml', 'flow maps', filling('{a: ', 'yaml')],
    ['yaml', 'block', filling('- ', 'yaml')],
    ['yaml', 'explicit keys', filling('? ', 'yaml')],
    ['yaml', 'documents', filling('---\n', 'yaml')],
    ['yaml', 'syntax errors', filling('}\n', 'yaml')],
    ['yaml', 'alias bomb', bomb],
    ['json', 'deep', filling('[', 'json')],
    ['json', 'values', filling('[1],', 'json').replace(/^/, '[')],
    ['json', 'long text', filling('"', 'json')],
  ] as const)('%s: %s', (format, _, content) => {
    const before = cpuMs();
    expect(parse(content, format).problems.length).toBeGreaterThan(0);
    expect(cpuMs() - before).toBeLessThan(2_000);
  });

  test('many keys in one map take linear time', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, at) => `k${at}: 1\n`).join('');
    const before = cpuMs();
    expect(parse(keys(60_000)).problems).toEqual([]);
    expect(cpuMs() - before).toBeLessThan(5_000);
  });

  test('5 MiB of JSON', () => {
    const entry = (at: number) => `{"from":["a${at}","b"],"to":"c${at}","columns":{"x":"a${at}.z"}}`;
    const content = `[${Array.from({ length: 80_000 }, (_, at) => entry(at)).join(',')}]`;
    expect(content.length).toBeGreaterThan(4_500_000);
    const before = cpuMs();
    expect(parse(content, 'json').problems).toEqual([]);
    expect(cpuMs() - before).toBeLessThan(2_000);
  });
});

/** JSON values without the one key that is refused. */
const json = fc
  .jsonValue({ maxDepth: 6 })
  .filter((value) => !JSON.stringify(value).includes('__proto__') && !Object.is(value, -0));

describe('properties', () => {
  test('any bytes: never throws, and has a value or problems', () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('yaml', 'json'), (bytes, format) => {
        const { value, problems } = parseDocument(bytes, format as DocumentFormat);
        return value !== undefined || problems.length > 0;
      }),
      { numRuns: 500 },
    );
  });

  test('any scrap of syntax: never throws', () => {
    const scrap = fc.constantFrom(...'{}[]:,-?&*!|>%@"\'#~ \n\t', 'a', '1', '<<', '---', '...', '__proto__', 'null');
    void fc.assert(
      fc.property(fc.array(scrap, { maxLength: 40 }), fc.constantFrom('yaml', 'json'), (parts, format) => {
        const { value, problems } = parse(parts.join(''), format as DocumentFormat);
        return value !== undefined || problems.length > 0;
      }),
      { numRuns: 2_000 },
    );
  });

  test('JSON reads as JSON.parse does', () => {
    void fc.assert(
      fc.property(json, fc.constantFrom(0, 2), (value, indent) => {
        const content = JSON.stringify(value, null, indent);
        const read = parse(content, 'json');
        expect(read.problems).toEqual([]);
        expect(read.value).toEqual(JSON.parse(content));
      }),
      { numRuns: 500 },
    );
  });

  test('what JSON.parse refuses is refused', () => {
    const scrap = fc.constantFrom(...'{}[]:,-.+eE01"\\ \n', 'u00e9', 'true', 'null', '"a"');
    void fc.assert(
      fc.property(fc.array(scrap, { maxLength: 8 }), (parts) => {
        const content = parts.join('');
        let valid = true;
        try {
          JSON.parse(content);
        } catch {
          valid = false;
        }
        const { value, problems } = parse(content, 'json');
        if (!valid) expect(problems.length).toBeGreaterThan(0);
        else expect(value !== undefined || problems.length > 0).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('YAML of a value reads as that value', () => {
    void fc.assert(
      fc.property(json, (value) => {
        const read = parse(stringify(value, { aliasDuplicateObjects: false }), 'yaml');
        expect(read.problems).toEqual([]);
        expect(JSON.stringify(read.value)).toBe(JSON.stringify(value));
      }),
      { numRuns: 200 },
    );
  });
});
