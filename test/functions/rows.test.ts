import { expect, it } from 'vitest';
import { unitRow } from '../../shared/converge/unit-row.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { convergence } from './convergence.ts';
import { manifest, pairs } from './local.ts';

const OWNER = 'manifests/a.json';

/** A vendor that does everything, and a ledger whose largest row ever written is known. */
function world() {
  const store = memoryLedger();
  const seen = { largest: 0, calls: 0, columns: new Set<string>() };
  const ledger = spilling({
    ...store,
    write: (row, expected) => {
      seen.largest = Math.max(seen.largest, Buffer.byteLength(JSON.stringify(row)));
      return store.write(row, expected);
    },
  });
  const here = convergence(
    {
      async register({ columns }) {
        seen.calls += 1;
        for (const each of columns) seen.columns.add(each.to.column);
        return { receipt: 'r', ambiguous: false };
      },
      async withdraw({ columns }) {
        seen.calls += 1;
        for (const each of columns) seen.columns.delete(each.to.column);
        return { receipt: 'r', ambiguous: false };
      },
    },
    { ledger },
  );
  return { ...here, seen, store };
}

const MANY = 3_000;

it('one pair with thousands of columns', { timeout: 60_000 }, async () => {
  const { put, run, seen, store } = world();
  const columns = Array.from({ length: MANY }, (_, index) => `a_rather_long_column_name_${index}`);
  await put(OWNER, manifest([['a', 'b']], { columns }));
  expect(await run(OWNER, 1_000_000)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
  expect(seen.columns.size).toBe(MANY);
  expect(seen.calls).toBe(MANY / 100);
  // One change is one call and some rows, not all pieces again.
  await put(OWNER, manifest([['a', 'b']], { columns: [...columns, 'one_more'] }));
  await run(OWNER, 1_000_000);
  expect(seen.calls).toBe(MANY / 100 + 1);
  await put(OWNER, manifest([['c', 'd']]));
  await run(OWNER, 1_000_000);
  expect(seen.columns.size).toBe(1);
  expect(seen.largest).toBeLessThan(100_000);
  // Nothing of it is left but a tombstone.
  expect(store.rows().filter((row) => row.key.startsWith('piece/'))).toEqual([]);
});

it('one pair with more columns than any: the first ten thousand, and a word about the rest', async () => {
  const { deps } = world();
  const { list } = await deps.targets();
  const table = (name: string) => ({ alias: name, vendors: { dataphin: { guid: `odps.1.p.${name}` } } });
  const columns = Array.from({ length: 10_001 }, (_, index) => ({
    from: { table: 0, column: `c${index}` },
    to: { table: 0, column: `c${index}` },
    direct: true,
  }));
  const entry = { path: 'lineage[0]', from: [table('a')], to: [table('b')], columns, options: {} };
  const mapping = list[0]?.vendor.units({ entries: [entry], account: 'a', secret: {}, deployment: 'test' });
  expect(mapping?.units[0]?.columns).toHaveLength(10_000);
  expect(mapping?.unresolved).toMatchObject([
    { path: 'lineage[0]', reason: expect.stringMatching(/10001 pairs of columns, and only the first 10000/) },
  ]);
});

it('ten thousand entries on as many pairs, and on one', { timeout: 60_000 }, async () => {
  const { put, run, seen } = world();
  await put(OWNER, manifest(pairs('t', 10_000), { columns: [] }));
  await run(OWNER, 1_000_000);
  const same = Array.from({ length: 10_000 }, () => ['x', 'y'] as const);
  await put('manifests/b.json', manifest(same));
  await run('manifests/b.json', 1_000_000);
  expect(seen.calls).toBe(10_001);
  expect(seen.largest).toBeLessThan(100_000);
});

it('five thousand owners of one edge', { timeout: 60_000 }, async () => {
  const { put, run, seen, ledger, deps, status } = world();
  const columns = Array.from({ length: 50 }, (_, index) => `c${index}`);
  await put(OWNER, manifest([['a', 'b']], { columns }));
  await run(OWNER);
  const [key = ''] = (await ledger.find('units')).items;
  const row = await ledger.get(key);
  if (!row) throw new Error('no unit');
  const first = decodeUnit(row.body);
  const others = Array.from({ length: 5_000 }, (_, index) => [
    `manifests/a-team-with-a-name/orders-${index}.json`,
    { mask: first.shown, options: { relationProperties: { index } } },
  ]);
  const state = { ...first, claims: { ...first.claims, ...Object.fromEntries(others) } };
  expect(await ledger.write(unitRow(state, deps), row.rev)).toBe(true);
  await put('manifests/last.json', manifest([['a', 'b']], { columns: [...columns, 'new'] }));
  await run('manifests/last.json');
  expect((await status('manifests/last.json')).edges[0]?.outcome).toMatch(/registered|conflict/);
  expect(seen.columns.has('new')).toBe(true);
  await put('manifests/last.json', manifest([['c', 'd']]));
  await run('manifests/last.json');
  expect(seen.columns.has('new')).toBe(false);
  expect(Object.keys(decodeUnit((await ledger.get(key))?.body ?? {}).claims)).toHaveLength(5_001);
  expect(seen.largest).toBeLessThan(100_000);
});
