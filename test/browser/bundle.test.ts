import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { pageBundle } from '../../local/page.ts';

const TEXT = 'functions/fetch/page/client.bundle.ts';

it('holds the script that client/ makes today (else: npm run page)', async () => {
  expect(await readFile(TEXT, 'utf8')).toBe(await pageBundle());
});

it('keeps the pages’ script within 120 KB, without markup from texts', async () => {
  const text = await readFile(TEXT, 'utf8');
  expect(text.length).toBeLessThan(120_000);
  expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
});

it.each(['functions/fetch/page/client', 'test/browser'])(
  'compiles with the browser’s own types: %s',
  async (project) => {
    await promisify(execFile)('node_modules/.bin/tsc', ['--noEmit', '-p', project]);
  },
);
