import { expect, test } from 'vitest';
import { folderSyncs } from '../../shared/manifests/folder-sync.ts';

/** Syncs that end when they are told to. */
function held() {
  const begun: { readonly path: string; end(): void; fail(): void }[] = [];
  const sync = folderSyncs(
    (path) =>
      new Promise<void>((resolve, reject) => begun.push({ path, end: resolve, fail: () => reject(new Error('disk')) })),
  );
  return { begun, sync };
}

const turn = () => new Promise(setImmediate);

test('a call is answered by a sync that began after it, and calls that wait share one', async () => {
  const { begun, sync } = held();
  const answered: number[] = [];
  const ask = (n: number) => sync('a').then(() => answered.push(n));
  const first = ask(1);
  const rest = [ask(2), ask(3), ask(4)];
  void sync('b');
  expect(begun.map(({ path }) => path)).toEqual(['a', 'b']);
  begun[0]?.end();
  await first;
  await turn();
  expect([answered, begun.map(({ path }) => path)]).toEqual([[1], ['a', 'b', 'a']]);
  // Too late for the one that is running.
  const last = ask(5);
  begun[2]?.end();
  await Promise.all(rest);
  expect(answered).toEqual([1, 2, 3, 4]);
  await turn();
  begun[3]?.end();
  await last;
  expect([answered.at(-1), begun.length]).toEqual([5, 4]);
});

test('a sync that fails is told to those who waited for it, and to nobody else', async () => {
  const { begun, sync } = held();
  const first = sync('a');
  const second = sync('a');
  begun[0]?.fail();
  await expect(first).rejects.toThrow('disk');
  await turn();
  begun[1]?.end();
  await expect(second).resolves.toBeUndefined();
  const third = sync('a');
  begun[2]?.end();
  await third;
  expect(begun).toHaveLength(3);
});
