import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** Every regular expression that is written in the code that meets what strangers send, with its place. */
function patterns(): { readonly place: string; readonly pattern: RegExp }[] {
  const files = ['shared', 'functions'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('page/client'))
      .map((name) => join(folder, name)),
  );
  const literal =
    /(?<=[(,=:[!&|?{};\s])\/(?![*/])((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)(?=[\s.,;)\]:}])/g;
  return files.flatMap((file) => {
    const code = readFileSync(join(root, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    return [...code.matchAll(literal)].flatMap(([, source = '', flags = '']) => {
      try {
        return [{ place: `${file} /${source}/${flags}`, pattern: new RegExp(source, flags.replace(/[gy]/g, '')) }];
      } catch {
        // No pattern after all: two divisions in a line.
        return [];
      }
    });
  });
}

/** Runs of what patterns repeat, each with an end that does not fit. */
const RUNS = [
  ' ',
  '\t',
  '\n',
  '\r\n',
  'a',
  'A',
  '0',
  '/',
  '//',
  '.',
  ',',
  ', ',
  '-',
  '_',
  '=',
  '%',
  '%41',
  '&a=',
  '?',
  '*',
  '[',
  '{',
  '"',
  '\\',
  '~',
  ':',
  ';',
  '+',
  'a.',
  'a,',
  'a ',
  'a/',
  '0.',
  'a:',
  '${',
  '\u00e9',
  '\u0000',
];
const HEADS = ['', 'a', 'https://a', 'Bearer ', '{', '"'];
const ENDS = ['', '\u0001', '!', '\n'];
const SHORT = 1_000;
const LONG = 8_000;
/** Shorter than this is noise: it counts as this. */
const FLOOR_MS = 0.05;
/** Eight times the text: a linear pattern takes eight times as long, a quadratic one sixty-four. */
const MOST = 24;

function timed(pattern: RegExp, text: string): number {
  const began = performance.now();
  pattern.test(text);
  return performance.now() - began;
}

function ratio(pattern: RegExp, make: (length: number) => string): number {
  const [short, long] = [make(SHORT), make(LONG)];
  return Math.max(FLOOR_MS, timed(pattern, long)) / Math.max(FLOOR_MS, timed(pattern, short));
}

test('no pattern takes more than its share of time for a longer text', { timeout: 60_000 }, () => {
  const all = patterns();
  expect(all.length).toBeGreaterThan(150);
  const slow: string[] = [];
  for (const { place, pattern } of all) {
    let worst = 0;
    for (const head of HEADS)
      for (const run of RUNS)
        for (const end of ENDS) {
          const make = (length: number) => head + run.repeat(Math.ceil(length / run.length)) + end;
          // What grows too fast once may have been somebody else's doing; what does so three times is not.
          const grown = Math.max(0, ratio(pattern, make));
          if (grown > MOST) worst = Math.max(worst, Math.min(grown, ratio(pattern, make), ratio(pattern, make)));
        }
    if (worst > MOST) slow.push(`${place}: ${Math.round(worst)} times as long for ${LONG / SHORT} times the text`);
  }
  expect(slow).toEqual([]);
});

test('and the test would notice one that does', () => {
  expect(ratio(/\/+$/, (length) => `${'/'.repeat(length)}x`)).toBeGreaterThan(MOST);
  expect(ratio(/(?<!\/)\/+$/, (length) => `${'/'.repeat(length)}x`)).toBeLessThan(MOST);
});
