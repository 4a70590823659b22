import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import { type Open, withOpened } from './opened.ts';

/** What every bucket must do. Keys stand below a prefix of the test's own, so that tests can share one bucket. */
export function manifestsSuite(name: string, open: Open<Manifests>): void {
  const on = (check: (bucket: Manifests, prefix: string) => Promise<void>) =>
    withOpened(open, (bucket) => check(bucket, `manifests/${randomUUID()}`));

  describe(`${name} keeps the bucket contract`, () => {
    test(
      'an object that was never put is undefined, and so is one below or above another',
      on(async (bucket, prefix) => {
        await bucket.put(`${prefix}/a.yaml`, text('a'), 'application/yaml');
        for (const key of [`${prefix}/b.yaml`, `${prefix}/a.yaml/b.yaml`, prefix, `${prefix}/no/such/folder.yaml`]) {
          expect(await bucket.head(key)).toBeUndefined();
          expect(await bucket.get(key)).toBeUndefined();
        }
      }),
    );

    test(
      'put, head, get and list agree on key, etag and size',
      on(async (bucket, prefix) => {
        const key = `${prefix}/deep/er/a.yaml`;
        const bytes = randomBytes(5_000);
        const put = await bucket.put(key, bytes, 'application/yaml');
        expect(put).toEqual({ key, etag: expect.stringMatching(/.{8,}/), size: 5_000 });
        expect(await bucket.head(key)).toEqual(put);
        expect((await bucket.list(prefix)).items).toEqual([put]);
        const got = await bucket.get(key);
        expect({ ...got, bytes: Buffer.from(got?.bytes ?? []) }).toEqual({ ...put, bytes });
      }),
    );

    test(
      'the etag changes with the content, also at the same size',
      on(async (bucket, prefix) => {
        const etags: (string | undefined)[] = [];
        for (const content of ['one', 'two', '']) {
          await bucket.put(`${prefix}/a.yaml`, text(content), 'application/yaml');
          etags.push((await bucket.head(`${prefix}/a.yaml`))?.etag);
          expect(string(await bucket.get(`${prefix}/a.yaml`))).toBe(content);
        }
        expect(new Set(etags).size).toBe(3);
        expect((await bucket.head(`${prefix}/a.yaml`))?.size).toBe(0);
      }),
    );

    test(
      'what callers do to their bytes does not reach the store',
      on(async (bucket, prefix) => {
        const bytes = text('before');
        const putting = bucket.put(`${prefix}/a.yaml`, bytes, 'application/yaml');
        bytes.fill(0);
        await putting;
        (await bucket.get(`${prefix}/a.yaml`))?.bytes.fill(0);
        expect(string(await bucket.get(`${prefix}/a.yaml`))).toBe('before');
      }),
    );

    test(
      'a deleted object is gone from everywhere, deleting it again succeeds, and it can come back',
      on(async (bucket, prefix) => {
        const key = `${prefix}/a.yaml`;
        const first = await bucket.put(key, text('x'), 'application/yaml');
        await bucket.delete(key);
        expect(await bucket.head(key)).toBeUndefined();
        expect(await bucket.get(key)).toBeUndefined();
        expect((await bucket.list(prefix)).items).toEqual([]);
        await bucket.delete(key);
        await bucket.delete(`${prefix}/never/was.yaml`);
        expect((await bucket.put(key, text('x'), 'application/yaml')).size).toBe(first.size);
        expect(string(await bucket.get(key))).toBe('x');
      }),
    );

    test(
      'an object above maxBytes is refused as too-large, one of exactly that size is not',
      on(async (bucket, prefix) => {
        const key = `${prefix}/a.yaml`;
        await bucket.put(key, text('12345'), 'application/yaml');
        await expect(bucket.get(key, { maxBytes: 4 })).rejects.toMatchObject({
          kind: 'invalid',
          code: 'too-large',
          size: 5,
          // By its key: not where the store keeps it.
          message: `${key} has 5 bytes, more than the 4 allowed.`,
        });
        expect(string(await bucket.get(key, { maxBytes: 5 }))).toBe('12345');
        expect(await bucket.get(`${prefix}/b.yaml`, { maxBytes: 1 })).toBeUndefined();
      }),
    );

    const badKeys = [
      '',
      '/a',
      'a//b',
      'a/',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a/..',
      'a\\b',
      '..\\a',
      'a\0b',
      '/',
      '\\',
    ];
    test.each(badKeys)('the key %j is invalid for every call', async (key) => {
      await withOpened(open, async (bucket) => {
        const invalid = { name: 'Failure', kind: 'invalid' };
        await expect(bucket.head(key)).rejects.toMatchObject(invalid);
        await expect(bucket.get(key)).rejects.toMatchObject(invalid);
        await expect(bucket.put(key, text('x'), 'text/plain')).rejects.toMatchObject(invalid);
        await expect(bucket.delete(key)).rejects.toMatchObject(invalid);
      })();
    });

    test(
      'every key the port allows has an object of its own, and is listed as it was put',
      on(async (bucket, prefix) => {
        const segments = [
          ...[
            '.hidden.json',
            'load~.json',
            'load~',
            'x.tmp',
            'x.swp',
            '#x#',
            '...',
            '@x@',
            '@.hidden@',
            '@@',
            '%2Ehidden',
          ],
          ...[
            '.tmp',
            'a b',
            ' a',
            'a%2Fb',
            'q?#&=',
            '"quoted\'',
            '\u00e4',
            'a\u0308',
            '😀',
            '*',
            '-rf',
            'A.yaml',
            '~',
            '@',
          ],
          ...['naming.yaml', `${'n'.repeat(150)}~${'0'.repeat(49)}`],
        ];
        const keys = segments.flatMap((segment) => [`${prefix}/${segment}`, `${prefix}/in/${segment}.d/x.json`]);
        for (const key of keys) await bucket.put(key, text(key), 'text/plain');
        for (const key of keys) expect(string(await bucket.get(key))).toBe(key);
        const { items } = await bucket.list(`${prefix}/`);
        expect(items.map((item) => item.key)).toEqual(keys.toSorted(byBytes));
        for (const key of keys) await bucket.delete(key);
        expect((await bucket.list(`${prefix}/`)).items).toEqual([]);
      }),
    );

    test(
      'a listing is in the order of the UTF-8 bytes of whole keys, page by page, and complete',
      on(async (bucket, prefix) => {
        const names = [
          'a.yaml',
          'a-b.yaml',
          'a/x.yaml',
          'a/y/z.yaml',
          'a0.yaml',
          'B.yaml',
          'é.yaml',
          '～.yaml',
          '😀.yaml',
        ];
        const keys = names.map((key) => `${prefix}/${key}`);
        for (const key of keys) await bucket.put(key, text(key), 'text/plain');
        const sorted = keys.toSorted(byBytes);
        for (const limit of [1, 2, 4, 9, 10]) {
          const pages: string[][] = [];
          for (let after: string | undefined; ; ) {
            const page = await bucket.list(`${prefix}/`, { limit, ...(after === undefined ? {} : { after }) });
            pages.push(page.items.map((item) => item.key));
            if (page.next === undefined) break;
            after = page.next;
          }
          expect(pages.flat()).toEqual(sorted);
          expect(pages.every((page) => page.length <= limit)).toBe(true);
        }
        const after = `${prefix}/a/x.yaml`;
        expect((await bucket.list(`${prefix}/`, { after })).items[0]?.key).toBe(`${prefix}/a/y/z.yaml`);
      }),
    );

    test(
      'a prefix is a beginning of keys, not a folder',
      on(async (bucket, prefix) => {
        for (const key of ['team/a.yaml', 'team/b.yaml', 'teams.yaml', 'other.yaml']) {
          await bucket.put(`${prefix}/${key}`, text(key), 'text/plain');
        }
        const listed = async (beginning: string) =>
          (await bucket.list(`${prefix}/${beginning}`)).items.map((item) => item.key.slice(prefix.length + 1));
        expect(await listed('team')).toEqual(['team/a.yaml', 'team/b.yaml', 'teams.yaml']);
        expect(await listed('team/')).toEqual(['team/a.yaml', 'team/b.yaml']);
        expect(await listed('team/b')).toEqual(['team/b.yaml']);
        expect(await listed('team/b.yaml')).toEqual(['team/b.yaml']);
        expect(await listed('none/')).toEqual([]);
        expect((await bucket.list(prefix)).items).toHaveLength(4);
      }),
    );

    test(
      'a prefix that no key can have is invalid',
      on(async (bucket) => {
        for (const prefix of ['/', '../', 'a//', 'a/../b', 'a\\', 'a\0']) {
          await expect(bucket.list(prefix)).rejects.toMatchObject({ kind: 'invalid' });
        }
      }),
    );

    test(
      'readers see the old content or the new, never a part',
      on(async (bucket, prefix) => {
        const key = `${prefix}/a.yaml`;
        const contents = ['a', 'b', 'c'].map((letter) => Buffer.alloc(400_000, letter));
        await bucket.put(key, contents[0] ?? text(''), 'text/plain');
        let writing = true;
        const writer = (async () => {
          for (let at = 0; at < 12; at++) await bucket.put(key, contents[at % 3] ?? text(''), 'text/plain');
          writing = false;
        })();
        while (writing) {
          const got = await bucket.get(key);
          expect(contents.some((content) => content.equals(got?.bytes ?? text('')))).toBe(true);
        }
        await writer;
      }),
    );

    test(
      'puts of one moment to one key end with one of them whole',
      on(async (bucket, prefix) => {
        const key = `${prefix}/new/a.yaml`;
        const heads = await Promise.all(
          ['one', 'two', 'three', 'four'].map((content) => bucket.put(key, text(content), 'text/plain')),
        );
        const got = await bucket.get(key);
        expect(heads.map((head) => head.etag)).toContain(got?.etag);
        expect(['one', 'two', 'three', 'four']).toContain(string(got));
        expect(await bucket.head(key)).toMatchObject({ etag: got?.etag });
      }),
    );
  });
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function string(object: { readonly bytes: Uint8Array } | undefined): string | undefined {
  return object === undefined ? undefined : new TextDecoder().decode(object.bytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
