import { expect, test } from 'vitest';
import { readQuery } from '../../functions/fetch/query.ts';
import { problemOf } from '../../shared/triggers/problem.ts';

const ask = (accept: string | undefined, query = '') =>
  readQuery({ query: new URLSearchParams(query), headers: accept === undefined ? {} : { accept } });

/** The format, or the status of the answer. */
function shown(accept: string | undefined, query?: string): string | number {
  try {
    const read = ask(accept, query);
    return 'asked' in read ? read.asked.format : 400;
  } catch (thrown) {
    return problemOf(thrown).status;
  }
}

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

test.each([
  [undefined, 'json'],
  ['', 'json'],
  [' , ', 'json'],
  ['*/*', 'json'],
  ['application/*', 'json'],
  ['text/*', 'html'],
  ['image/*', 'svg'],
  [BROWSER, 'html'],
  ['image/avif,image/webp,image/*,*/*;q=0.8', 'svg'],
  ['Text/HTML; Q=0.5, Application/JSON; q=0.4', 'html'],
  ['application/json;charset=utf-8', 'json'],
  ['text/plain, */*;q=0.1', 'json'],
  ['application/json;q=0.5, text/csv', 'csv'],
  // What is refused by name is not let in again by a range.
  ['*/*, application/json;q=0', 'html'],
  ['text/*, text/html;q=0', 'csv'],
  ['text/html;q=0, application/xhtml+xml', 'html'],
  ['image/*;q=0, */*;q=0.1', 'json'],
])('Accept: %s is answered with %s', (accept, format) => {
  expect(shown(accept)).toBe(format);
});

test.each(['application/pdf', 'text/plain;q=0.9, image/png', 'application/json;q=0', '*/*;q=0', 'json'])(
  'Accept: %s cannot be met',
  (accept) => {
    expect(shown(accept)).toBe(406);
  },
);

test('the answer names what can be had, and a parameter goes before the header', () => {
  expect(() => ask('application/pdf')).toThrow(/application\/json, text\/html, .*format/);
  expect(shown('application/pdf', 'format=csv')).toBe('csv');
  expect(shown('text/html', 'format=pdf')).toBe(400);
  // What is wrong with the question comes first.
  expect(shown('application/pdf', 'depth=no')).toBe(400);
});
