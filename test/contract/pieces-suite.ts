import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Ledger, Row } from '../../shared/ledger/ledger.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { type Open, withOpened } from './opened.ts';

const DAY_MS = 86_400_000;
const SIZES = { row: 100, field: 20, piece: 30 };

/** Clients of one store, each with its own memory, on one clock; and a store call of theirs that dies, or waits. */
function world(store: Ledger) {
  const clock = { now: Date.UTC(2026, 10, 21) };
  const key = `row/${randomUUID()}`;
  /** Ids of the fields in pieces that were ever written here. */
  const pieces = new Set<string>();
  const client = (between: (row: Row) => Promise<void> | void = () => {}) => {
    const recorded: Ledger = {
      ...store,
      async write(row, expected) {
        if (row.key.startsWith('piece/')) pieces.add(row.key);
        await between(row);
        return store.write(row, expected);
      },
    };
    return spilling(recorded, SIZES, () => clock.now);
  };
  return {
    clock,
    key,
    client,
    row: (rev: string, text: string, more: JsonObject = {}): Row => ({
      key,
      rev,
      body: { text: text.repeat(100), ...more },
    }),
    /** How many pieces are there of all that were ever written. */
    left: async () => (await store.getMany([...pieces])).size,
    /** All parts; what is old enough at this time goes. */
    async collect(by = client()) {
      let [removed, after, calls] = [0, '', 0];
      do {
        const page = { ...(after === '' ? {} : { after }), limit: 3 };
        const done = await by.collect({ before: clock.now - DAY_MS, ...page });
        removed += done.removed;
        after = done.next ?? '';
        calls += 1;
      } while (after !== '' && calls < 1_000);
      return removed;
    },
  };
}

const dies = (which: (row: Row) => boolean) => (row: Row) => {
  if (which(row)) throw new Error('killed');
};
const isPiece = (row: Row): boolean => row.key.startsWith('piece/');
const isLaterPiece = (row: Row): boolean => isPiece(row) && !row.key.endsWith('/0');

/** What is left of large rows by writers that never came to their end, in any store. */
export function piecesSuite(name: string, open: Open<Ledger>): void {
  const on = (check: (here: ReturnType<typeof world>, store: Ledger) => Promise<void>) =>
    withOpened(open, (store) => check(world(store), store));

  describe(`${name}: pieces of large rows`, () => {
    test.each([
      ['before its row', (row: Row) => !isPiece(row)],
      ['between its pieces', isLaterPiece],
    ])('go when their writer died %s, a day later', async (_when, which) => {
      await on(async ({ client, row, key, clock, left, collect }) => {
        const other = client();
        expect(await other.write(row('r1', 'a'), null)).toBe(true);
        const needed = await left();
        expect(needed).toBeGreaterThan(2);
        await expect(client(dies(which)).write(row('r2', 'b'), 'r1')).rejects.toThrow('killed');
        const all = await left();
        expect(all).toBeGreaterThan(needed);
        clock.now += DAY_MS - 1;
        await collect();
        expect(await left()).toBe(all);
        clock.now += 2;
        expect(await collect()).toBe(all - needed);
        expect(await left()).toBe(needed);
        expect((await client().get(key))?.body).toEqual(row('r1', 'a').body);
      })();
    });

    test(
      'are not written before the first of their field, by which they are found',
      on(async ({ client, row, left }) => {
        await expect(client(dies((each) => each.key.endsWith('/0'))).write(row('r1', 'a'), null)).rejects.toThrow();
        expect(await left()).toBe(0);
      }),
    );

    test(
      'of which some could not be removed are found again',
      on(async ({ client, row, clock, left, collect }, store) => {
        await expect(client(dies((each) => !isPiece(each))).write(row('r1', 'a'), null)).rejects.toThrow('killed');
        clock.now += DAY_MS + 1;
        const all = await left();
        const removals: Promise<boolean>[] = [];
        const dying = spilling({
          ...store,
          async remove(key, rev) {
            if (removals.length < 2) {
              removals.push(store.remove(key, rev));
              return removals.at(-1) ?? false;
            }
            await Promise.all(removals);
            throw new Error('killed');
          },
        });
        await expect(collect(dying)).rejects.toThrow('killed');
        expect(await left()).toBeLessThan(all);
        expect(await collect()).toBeGreaterThan(0);
        expect(await left()).toBe(0);
      }),
    );

    test(
      'go when nobody ever wrote the row',
      on(async ({ client, row, clock, left, collect }) => {
        await expect(client(dies((each) => !isPiece(each))).write(row('r1', 'a'), null)).rejects.toThrow('killed');
        clock.now += DAY_MS + 1;
        await collect();
        expect(await left()).toBe(0);
      }),
    );

    test(
      'go when their row was replaced by a process that died, or by one that did not know of them',
      on(async ({ client, row, key, clock, left, collect }, store) => {
        await client().write(row('r1', 'a'), null);
        await store.write({ key, rev: 'r2', body: {} }, 'r1');
        expect(await left()).toBeGreaterThan(2);
        clock.now += DAY_MS + 1;
        await collect();
        expect(await left()).toBe(0);
      }),
    );

    test(
      'stay as long as a row refers to them, also one that took them over from another',
      on(async ({ client, row, key, clock, left, collect }) => {
        const writer = client();
        await writer.write(row('r1', 'a'), null);
        const needed = await left();
        clock.now += DAY_MS + 1;
        expect(await writer.write(row('r2', 'a', { more: 1 }), 'r1')).toBe(true);
        expect(await left()).toBe(needed);
        expect(await collect()).toBe(0);
        expect((await client().get(key))?.body).toEqual(row('r2', 'a', { more: 1 }).body);
      }),
    );

    test(
      'stay while their writer is at it, and one that comes far too late writes nothing',
      on(async ({ client, row, key, clock, collect }) => {
        let wake = (): void => {};
        const asleep = new Promise<void>((resolve) => {
          wake = resolve;
        });
        let written = (): void => {};
        const between = new Promise<void>((resolve) => {
          written = resolve;
        });
        const writer = client(async (each) => {
          if (!isLaterPiece(each)) return;
          written();
          await asleep;
        });
        const writing = writer.write(row('r1', 'a'), null);
        await between;
        clock.now += DAY_MS + 1;
        // In its own process it is known that it lives.
        expect(await collect(writer)).toBe(0);
        expect(await collect()).toBe(1);
        wake();
        await expect(writing).rejects.toMatchObject({ kind: 'unavailable' });
        expect(await client().get(key)).toBeUndefined();
        expect(await client().write(row('r2', 'b'), null)).toBe(true);
        expect((await client().get(key))?.rev).toBe('r2');
      }),
    );

    test(
      'go at once when their writer loses the race',
      on(async ({ client, row, key, left }) => {
        const [one, two] = [client(), client()];
        await one.write(row('r1', 'a'), null);
        const needed = await left();
        await two.get(key);
        expect(await one.write(row('r2', 'b'), 'r1')).toBe(true);
        expect(await two.write(row('r3', 'c'), 'r1')).toBe(false);
        expect(await left()).toBe(needed);
        expect((await client().get(key))?.body).toEqual(row('r2', 'b').body);
      }),
    );

    test(
      'that are collected while somebody reads the row they belonged to: it is read again',
      on(async ({ client, row, key, clock, collect }, store) => {
        await client().write(row('r1', 'a'), null);
        clock.now += DAY_MS + 1;
        let looked = false;
        const reader = spilling(
          {
            ...store,
            async getMany(keys) {
              if (!looked) {
                looked = true;
                // By somebody who has never read it, and so leaves its pieces.
                await client().write(row('r2', 'b'), 'r1');
                expect(await collect()).toBeGreaterThan(2);
              }
              return store.getMany(keys);
            },
          },
          SIZES,
        );
        expect(await reader.get(key)).toEqual(row('r2', 'b'));
      }),
    );
  });
}
