import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { unitUpgraded, upgradeLedger } from '../../shared/converge/upgrade-ledger.ts';
import { unitIndex } from '../../shared/core/unit-index.ts';
import { decodeUnit, encodeUnit } from '../../shared/core/unit-state.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { versioned } from '../../shared/ledger/versioned.ts';
import { silentLog } from '../../shared/log.ts';
import { local, until } from '../functions/local.ts';
import { folder } from './script.ts';

interface Recorded {
  readonly items: readonly {
    readonly key: string;
    readonly rev: string;
    readonly body: Record<string, never>;
    readonly entries: readonly string[] | null;
    readonly expires_at: number | null;
  }[];
  readonly bucket: Readonly<Record<string, string>>;
  readonly simulators: Readonly<Record<string, string>>;
}

const recorded = JSON.parse(await readFile(join(import.meta.dirname, 'recorded/ledger-1.json'), 'utf8')) as Recorded;

/** The data folder as an older version left it. */
async function oldFolder(): Promise<string> {
  const dataDir = await folder();
  const files = { ...prefixed('bucket', recorded.bucket), ...prefixed('simulators', recorded.simulators, '.jsonl') };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dataDir, path)), { recursive: true });
    await writeFile(join(dataDir, path), text);
  }
  const file = openSqliteFile(join(dataDir, 'lineage.db'));
  sqliteLedger(file);
  file.close();
  const database = new DatabaseSync(join(dataDir, 'lineage.db'));
  const item = database.prepare('INSERT INTO item (key, rev, body, entries, expires_at) VALUES (?, ?, ?, ?, ?)');
  const entry = database.prepare('INSERT INTO entry (entry, key) VALUES (?, ?)');
  for (const { key, rev, body, entries, expires_at } of recorded.items) {
    item.run(key, rev, JSON.stringify(body), entries === null ? null : JSON.stringify(entries), expires_at);
    for (const each of entries ?? []) entry.run(each, key);
  }
  database.close();
  return dataDir;
}

const prefixed = (folderName: string, files: Readonly<Record<string, string>>, end = '') =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folderName}/${name}${end}`, text]));

it('a ledger of an older version goes on: nothing is sent, everything is found, and a change is one change', async () => {
  const one = await local({}, await oldFolder());
  await one.runtime.reconcile();
  expect(await one.writes('dataphin')).toEqual([]);
  expect(await one.writes('dataarts')).toEqual([]);

  const dataset = encodeURIComponent('maxcompute://cn-shanghai/shop.orders_daily');
  const graph = (await (await one.request('GET', `/lineage?dataset=${dataset}&direction=upstream&depth=2`)).json()) as {
    edges: { from: string; to: string }[];
  };
  expect(new Set(graph.edges.map(({ from }) => from))).toEqual(
    new Set(['maxcompute://cn-shanghai/shop.orders_clean', 'maxcompute://cn-shanghai/shop.orders_raw']),
  );
  const { ledger } = one.runtime.services;
  for (const { key } of recorded.items.filter((each) => each.key.startsWith('unit/'))) {
    const row = await ledger.get(key);
    expect(row?.body['version']).toBe(2);
    expect(row?.index).toEqual(unitIndex(decodeUnit(row?.body ?? {})));
  }
  await one.remove('manifests/more.json');
  await until(async () => (await one.dataphin()).length === 1);
  expect((await one.writes('dataphin')).map((call) => call.operation)).toEqual(['DeleteRegisterLineage']);
});

const old = recorded.items
  .filter((each) => each.key.startsWith('unit/'))
  .map(({ key, rev, body, entries }) => ({ key, rev, body, index: entries ?? [] }));

it('rewrites each old row once, keeps what it says, and stops when time is up', async () => {
  const ledger = memoryLedger();
  for (const row of old) await ledger.write(row, null);
  let ids = 0;
  const deps = { ledger, log: silentLog, now: () => 1_000, id: () => `new-${ids++}` };
  expect(await upgradeLedger(deps, 0)).toBe(0);
  expect((await ledger.get('meta/format'))?.body).toBeUndefined();
  expect(await upgradeLedger(deps, 2_000)).toBe(old.length);
  expect(await upgradeLedger({ ...deps, ledger: { ...ledger } }, 2_000)).toBe(0);
  for (const { key, body } of old) {
    const now = await ledger.get(key);
    expect({ ...now?.body, version: 1 }).toEqual(body);
    expect(now?.rev).toMatch(/^new-/);
  }
  expect((await ledger.find('dataset:dataphin:odps.300000001.shop.orders_raw')).items).toEqual([]);
  expect((await ledger.find('feeds:maxcompute://cn-shanghai/shop.orders_raw')).items).toHaveLength(2);
});

it('leaves rows of the newest form and of other kinds alone', () => {
  const [row] = old;
  if (!row) throw new Error('nothing recorded');
  const deps = { id: () => 'x' };
  expect(unitUpgraded({ ...row, body: encodeUnit(decodeUnit(row.body)) }, deps)).toBeUndefined();
  expect(unitUpgraded({ ...row, body: { kind: 'owner', version: 1 } }, deps)).toBeUndefined();
});

it('refuses rows of a version that it does not know, with what to do', async () => {
  const inner = memoryLedger();
  const ledger = versioned(inner);
  await inner.write({ key: 'unit/a', rev: '1', body: { kind: 'unit', version: 3 } }, null);
  await inner.write({ key: 'owner/b', rev: '1', body: { kind: 'owner', version: 2 } }, null);
  await inner.write({ key: 'webhook/c', rev: '1', body: { owner: 'x' } }, null);
  await expect(ledger.get('unit/a')).rejects.toThrow(/form 3 of unit, and this program knows 2.*Run that version/s);
  await expect(ledger.getMany(['owner/b', 'webhook/c'])).rejects.toMatchObject({ kind: 'conflict' });
  expect((await ledger.get('webhook/c'))?.body).toEqual({ owner: 'x' });
});
