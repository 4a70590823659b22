import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { life, type Place } from '../../local/life.ts';
import { local } from './local.ts';
import { onAws } from './on-aws.ts';

const places: Readonly<Record<string, () => Promise<Place>>> = {
  'on one machine': async () => {
    const { runtime } = await local({ VANISH_GRACE: '0.5' });
    return {
      async drop(key, text) {
        await mkdir(dirname(join(runtime.bucket, key)), { recursive: true });
        await writeFile(join(runtime.bucket, key), text);
      },
      remove: (key) => rm(join(runtime.bucket, key)),
      request: (method, path, body) => fetch(runtime.url + path, { method, ...(body === undefined ? {} : { body }) }),
      reconcile: () => runtime.reconcile(),
      vendors: runtime.vendors,
    };
  },
  'on the AWS adapters': () => onAws(),
};

/** What is told, without what differs each time. */
function plain(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/\([^()]*(?:@node|[0-9A-F]{8}-)[^()]*\)/g, '(receipt)'));
}

const told = new Map<string, string[]>();

test.each(Object.keys(places))('the whole life passes %s', { timeout: 60_000 }, async (where) => {
  const lines: string[] = [];
  const place = await places[where]?.();
  if (place) await life(place, (line) => lines.push(line));
  expect(lines.at(-1)).toMatch(/DataArts .* \[3 columns\]/);
  told.set(where, plain(lines));
});

test('and is the same in both', () => {
  const [here, there] = Object.keys(places).map((where) => told.get(where));
  expect(there).toEqual(here);
});
