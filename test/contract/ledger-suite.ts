import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Ledger, Row } from '../../shared/ledger/ledger.ts';
import { eventually, type Open, withOpened } from './opened.ts';

/** What every ledger must do. `find` is awaited, because index entries may be late. */
export function ledgerSuite(name: string, open: Open<Ledger>): void {
  const on = (check: (ledger: Ledger, id: string) => Promise<void>) =>
    withOpened(open, (ledger) => check(ledger, randomUUID()));

  describe(`${name} keeps the ledger contract`, () => {
    test(
      'a row that was never written is undefined',
      on(async (ledger, id) => {
        expect(await ledger.get(`row:${id}`)).toBeUndefined();
      }),
    );

    test(
      'a first write is read back as it was, with everything it carries',
      on(async (ledger, id) => {
        const row: Row = {
          key: `owner:manifests/ä b/%41/😀'"_.yaml ${id}`,
          rev: 'r1',
          body: { text: 'größe 😀 \n "', list: [], none: null, deep: { a: [1, -2.5, true, { b: '' }] }, big: 1e15 },
          index: [`dataset:hive://h/db.t ${id}`, `owners:${id}`],
          expiresAt: 4_000_000_000,
        };
        expect(await ledger.write(row, null)).toBe(true);
        expect(await ledger.get(row.key)).toEqual(row);
      }),
    );

    test(
      'a row without index and expiry has neither when it is read',
      on(async (ledger, id) => {
        await ledger.write({ key: id, rev: 'r1', body: {} }, null);
        expect(await ledger.get(id)).toEqual({ key: id, rev: 'r1', body: {} });
      }),
    );

    test(
      'a first write fails where there is a row, and leaves it alone',
      on(async (ledger, id) => {
        await ledger.write(row(id, 'r1'), null);
        expect(await ledger.write(row(id, 'r2'), null)).toBe(false);
        expect(await ledger.get(id)).toEqual(row(id, 'r1'));
      }),
    );

    test(
      'a write replaces the whole row if the rev is the expected one',
      on(async (ledger, id) => {
        await ledger.write({ ...row(id, 'r1'), index: [`a:${id}`], expiresAt: 4_000_000_000 }, null);
        expect(await ledger.write({ key: id, rev: 'r2', body: { new: 1 } }, 'r1')).toBe(true);
        expect(await ledger.get(id)).toEqual({ key: id, rev: 'r2', body: { new: 1 } });
      }),
    );

    test(
      'a write fails on any other rev, and on a row that is gone',
      on(async (ledger, id) => {
        await ledger.write(row(id, 'r1'), null);
        expect(await ledger.write(row(id, 'r3'), 'r2')).toBe(false);
        expect(await ledger.get(id)).toEqual(row(id, 'r1'));
        expect(await ledger.write(row(`${id}-gone`, 'r2'), 'r1')).toBe(false);
        expect(await ledger.get(`${id}-gone`)).toBeUndefined();
      }),
    );

    test(
      'a removal needs the expected rev, and a removed row can be written anew',
      on(async (ledger, id) => {
        await ledger.write(row(id, 'r1'), null);
        expect(await ledger.remove(id, 'r2')).toBe(false);
        expect(await ledger.get(id)).toBeDefined();
        expect(await ledger.remove(id, 'r1')).toBe(true);
        expect(await ledger.get(id)).toBeUndefined();
        expect(await ledger.remove(id, 'r1')).toBe(false);
        expect(await ledger.write(row(id, 'r2'), null)).toBe(true);
      }),
    );

    test(
      'many rows are read at once; those that are absent are absent, and a key may be asked for twice',
      on(async (ledger, id) => {
        const keys = Array.from({ length: 230 }, (_, at) => `${id}-${at}`);
        await Promise.all(keys.map((key) => ledger.write(row(key, `rev of ${key}`), null)));
        const rows = await ledger.getMany([...keys, `${id}-none`, `${id}-0`]);
        expect(rows.size).toBe(230);
        expect(keys.every((key) => rows.get(key)?.rev === `rev of ${key}`)).toBe(true);
        expect((await ledger.getMany([])).size).toBe(0);
      }),
    );

    test(
      'writes of one moment each have their own condition, and one of them wins',
      on(async (ledger, id) => {
        const racers = Array.from({ length: 20 }, (_, at) => ledger.write(row(id, `r${at}`), null));
        const other = ledger.write(row(`${id}-other`, 'r1'), null);
        const won = await Promise.all(racers);
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await ledger.get(id))?.rev).toBe(`r${won.indexOf(true)}`);
        expect(await other).toBe(true);
      }),
    );

    test(
      'concurrent read-and-write loops lose no update',
      on(async (ledger, id) => {
        await ledger.write({ key: id, rev: 'start', body: { count: 0 } }, null);
        const worker = async (): Promise<void> => {
          for (let done = 0; done < 5; ) {
            const found = await ledger.get(id);
            const count = Number(found?.body['count']) + 1;
            if (await ledger.write({ key: id, rev: randomUUID(), body: { count } }, found?.rev ?? '')) done++;
          }
        };
        await Promise.all(Array.from({ length: 6 }, worker));
        expect((await ledger.get(id))?.body).toEqual({ count: 30 });
      }),
    );

    test(
      'what callers do to their objects does not reach the store',
      on(async (ledger, id) => {
        const body = { list: [1] };
        const index = [`a:${id}`];
        const writing = ledger.write({ key: id, rev: 'r1', body, index }, null);
        body.list.push(2);
        index.push(`b:${id}`);
        await writing;
        const found = await ledger.get(id);
        if (found !== undefined) (found.body as { list: number[] }).list.push(3);
        expect(await ledger.get(id)).toEqual({ key: id, rev: 'r1', body: { list: [1] }, index: [`a:${id}`] });
        expect((await ledger.find(`b:${id}`)).items).toEqual([]);
      }),
    );

    test(
      'a body of 200 KB is kept',
      on(async (ledger, id) => {
        const body: JsonObject = { claims: Array.from({ length: 2_000 }, (_, at) => `${at}`.padStart(100, 'x')) };
        await ledger.write({ key: id, rev: 'r1', body }, null);
        expect((await ledger.get(id))?.body).toEqual(body);
      }),
    );

    test(
      'rows are found by exactly their index entries',
      on(async (ledger, id) => {
        await ledger.write({ ...row(`${id}-1`, 'r'), index: [`dataset:${id}`, `owners:${id}`] }, null);
        await ledger.write({ ...row(`${id}-2`, 'r'), index: [`dataset:${id}`] }, null);
        await ledger.write(
          { ...row(`${id}-3`, 'r'), index: [`dataset:${id}x`, `Dataset:${id}`, `dataset:${id}%`] },
          null,
        );
        await ledger.write(row(`${id}-4`, 'r'), null);
        expect(await found(ledger, `dataset:${id}`, 2)).toEqual([`${id}-1`, `${id}-2`]);
        expect(await found(ledger, `owners:${id}`, 1)).toEqual([`${id}-1`]);
        expect((await ledger.find(`dataset:${id}%`)).items).toEqual([`${id}-3`]);
        expect(await ledger.find(`none:${id}`)).toEqual({ items: [] });
      }),
    );

    test(
      'a rewritten row is found by its new entries',
      on(async (ledger, id) => {
        await ledger.write({ ...row(id, 'r1'), index: [`old:${id}`] }, null);
        await ledger.write({ ...row(id, 'r2'), index: [`kept:${id}`, `new:${id}`] }, 'r1');
        await ledger.write({ ...row(id, 'r3'), index: [`kept:${id}`] }, 'r2');
        expect(await found(ledger, `kept:${id}`, 1)).toEqual([id]);
      }),
    );

    test(
      'a write whose condition fails adds no index entry',
      on(async (ledger, id) => {
        await ledger.write(row(id, 'r1'), null);
        await ledger.write({ ...row(id, 'r2'), index: [`never:${id}`] }, 'r0');
        await ledger.write({ ...row(`${id}-2`, 'r'), index: [`later:${id}`] }, null);
        await found(ledger, `later:${id}`, 1);
        expect((await ledger.find(`never:${id}`)).items).toEqual([]);
      }),
    );

    test(
      'keys come in the order of their UTF-8 bytes, in pages of the size asked for',
      on(async (ledger, id) => {
        // JavaScript compares 16-bit units and would put the last two the other way round.
        const keys = [`${id}`, `${id}-`, `${id}.`, `${id}/`, `${id}A`, `${id}a`, `${id}é`, `${id}\uff5e`, `${id}😀`];
        for (const key of keys.toReversed()) await ledger.write({ ...row(key, 'r'), index: [`all:${id}`] }, null);
        expect(await found(ledger, `all:${id}`, keys.length)).toEqual(keys);
        const pages: (readonly string[])[] = [];
        for (let after: string | undefined; ; ) {
          const page = await ledger.find(`all:${id}`, { limit: 4, ...(after === undefined ? {} : { after }) });
          pages.push(page.items);
          if (page.next === undefined) break;
          after = page.next;
        }
        expect(pages.flat()).toEqual(keys);
        expect(pages.every((page) => page.length <= 4)).toBe(true);
        expect((await ledger.find(`all:${id}`, { after: `${id}a` })).items).toEqual(keys.slice(6));
      }),
    );

    test(
      'where rows are found with their bodies, they are what find and getMany give',
      on(async (ledger, id) => {
        if (ledger.findRows === undefined) return;
        const keys = [`${id}`, `${id}-`, `${id}é`, `${id}\uff5e`, `${id}😀`];
        for (const key of keys.toReversed()) {
          await ledger.write({ ...row(key, 'r'), index: [`all:${id}`, `half:\ud800${id}`, `one:${key}`] }, null);
        }
        const indexes = [`one:${id}-`, `none:${id}`, `all:${id}`, `half:\ud800${id}`, `nul:\0`, `all:${id}`];
        for (const limit of [1, 4, 5, 6]) {
          const pages = await ledger.findRows(indexes, { limit, known: (key) => key === keys[1] });
          const expected = indexes.map(async (index) => {
            const { items, ...next } = await ledger.find(index, { limit });
            const rows = await ledger.getMany(items);
            const bodies = items.map((key) => (key === keys[1] ? { key } : { key, body: rows.get(key)?.body }));
            return { items: bodies, ...next };
          });
          expect(pages).toEqual(await Promise.all(expected));
        }
        await ledger.write({ key: keys[0] ?? '', rev: 'r2', body: {} }, 'r');
        const [page] = await ledger.findRows([`all:${id}`], { limit: 1, known: () => false });
        expect(page?.items.map(({ key }) => key)).toEqual([keys[1]]);
        expect(await ledger.findRows([], { limit: 1, known: () => false })).toEqual([]);
      }),
    );
  });
}

function row(key: string, rev: string): Row {
  return { key, rev, body: { says: `${key} at ${rev}` } };
}

/** All keys of an index entry once there are `count` of them. */
async function found(ledger: Ledger, index: string, count: number): Promise<readonly string[]> {
  return eventually(async () => {
    const { items } = await ledger.find(index);
    return items.length === count ? items : undefined;
  });
}
