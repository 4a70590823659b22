import { expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const large = (seed: string, length = 400_000): string => seed.repeat(Math.ceil(length / seed.length)).slice(0, length);

function world() {
  const store = memoryLedger();
  const largest = () => Math.max(...store.rows().map(bytes));
  const pieces = () => store.rows().filter((row) => row.key.startsWith('piece/')).length;
  return { store, ledger: spilling(store), largest, pieces };
}

it.each([
  ['plain text', 'abcdefgh'],
  ['three bytes a character', '漢字'],
  ['characters of two units', 'a😀'],
  ['quotes', '"\\'],
  ['control characters', '\u0001'],
])('keeps every row below 100 KB, whatever the text: %s', async (_what, seed) => {
  const { ledger, largest } = world();
  const body: JsonObject = { kind: 'unit', text: large(seed, 100_000), list: Array.from({ length: 999 }, () => seed) };
  expect(await ledger.write({ key: 'k', rev: 'r1', body }, null)).toBe(true);
  expect((await ledger.get('k'))?.body).toEqual(body);
  expect(largest()).toBeLessThan(100_000);
});

it('leaves small rows as they are', async () => {
  const { ledger, store, pieces } = world();
  const row = { key: 'k', rev: 'r1', body: { text: large('x', 60_000) } };
  await ledger.write(row, null);
  expect(store.rows()).toEqual([row]);
  expect(pieces()).toBe(0);
});

it('writes what stays the same only once, and removes what nothing refers to any more', async () => {
  const { ledger, pieces } = world();
  const same = large('s');
  await ledger.write({ key: 'k', rev: 'r1', body: { same, other: large('a') } }, null);
  const first = pieces();
  await ledger.write({ key: 'k', rev: 'r2', body: { same, other: large('b') } }, 'r1');
  expect(pieces()).toBe(first);
  await ledger.write({ key: 'k', rev: 'r3', body: { same } }, 'r2');
  expect(pieces()).toBe(first / 2);
  expect((await ledger.get('k'))?.body).toEqual({ same });
  await ledger.remove('k', 'r3');
  expect(pieces()).toBe(0);
});

it('keeps the pieces of the row that won, whoever else wrote', async () => {
  const { ledger, store } = world();
  const other = spilling(store);
  await ledger.write({ key: 'k', rev: 'r1', body: { text: large('a') } }, null);
  await other.get('k');
  expect(await ledger.write({ key: 'k', rev: 'r2', body: { text: large('b') } }, 'r1')).toBe(true);
  expect(await other.write({ key: 'k', rev: 'r3', body: { text: large('c') } }, 'r1')).toBe(false);
  expect((await other.get('k'))?.body).toEqual({ text: large('b') });
  expect((await ledger.getMany(['k'])).get('k')?.body).toEqual({ text: large('b') });
});

it('reads again when the row is replaced while its pieces are read', async () => {
  const { store, ledger } = world();
  await ledger.write({ key: 'k', rev: 'r1', body: { text: large('a') } }, null);
  let replaced = false;
  const slow = spilling({
    ...store,
    async getMany(keys) {
      if (!replaced) {
        replaced = true;
        await ledger.write({ key: 'k', rev: 'r2', body: { text: large('b') } }, 'r1');
      }
      return store.getMany(keys);
    },
  });
  expect(await slow.get('k')).toMatchObject({ rev: 'r2', body: { text: large('b') } });
});

it('says so when a piece is gone for good', async () => {
  const { store, ledger } = world();
  await ledger.write({ key: 'k', rev: 'r1', body: { text: large('a') } }, null);
  const piece = store.rows().find((row) => row.key.startsWith('piece/'));
  if (piece) await store.remove(piece.key, piece.rev);
  await expect(ledger.get('k')).rejects.toThrow('lacks a piece');
});

it('makes the text of what is frozen once, however often its row is written', async () => {
  const { ledger } = world();
  let made = 0;
  const toJSON = () => {
    made += 1;
    return large('x', 1_000);
  };
  const part = { toJSON } as unknown as JsonObject;
  const parts = Object.freeze(Array.from({ length: 100 }, () => part));
  for (let write = 0; write < 5; write += 1) {
    const body: JsonObject = { write, parts };
    expect(await ledger.write({ key: 'k', rev: `r${write}`, body }, write === 0 ? null : `r${write - 1}`)).toBe(true);
  }
  expect(made).toBe(100);
  // What may still change is not taken for what it was.
  const open = { text: large('a') };
  await ledger.write({ key: 'o', rev: 'r1', body: { open } }, null);
  open.text = large('b');
  await ledger.write({ key: 'o', rev: 'r2', body: { open } }, 'r1');
  expect((await ledger.get('o'))?.body).toEqual({ open: { text: large('b') } });
});
