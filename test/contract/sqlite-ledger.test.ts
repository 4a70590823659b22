import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { sqliteFailure } from '../../shared/ledger/sqlite-failure.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { startChild } from './child.ts';
import { eventually, temporaryFolder } from './opened.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'ledger.db');
});
afterEach(() => folder.remove());

describe('several processes', () => {
  test('three processes that count in one row lose no update', async () => {
    const each = 150;
    const children = [1, 2, 3].map(() => startChild('./ledger-child.ts', ['increment', path, String(each)]));
    for (const child of children) expect(await child.ended, child.errors()).toBe(0);
    const file = openSqliteFile(path);
    expect((await sqliteLedger(file).get('counter'))?.body).toEqual({ count: 3 * each });
    file.close();
  });

  test('every acknowledged write is there after kill -9, with its index entry', async () => {
    const child = startChild('./ledger-child.ts', ['append', path]);
    await eventually(() => (child.lines.length > 300 ? true : undefined), 15_000);
    child.process.kill('SIGKILL');
    expect(await child.ended).toBe('SIGKILL');
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    const rows = await ledger.getMany(child.lines);
    expect(child.lines.filter((key) => !rows.has(key))).toEqual([]);
    const indexed = new Set((await ledger.find('all:', { limit: 1_000_000 })).items);
    expect(child.lines.filter((key) => !indexed.has(key))).toEqual([]);
    file.close();
  });
});

describe('the sqlite ledger', () => {
  test('is set up for durability: WAL and synchronous=FULL', () => {
    const file = openSqliteFile(path);
    expect(file.database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(file.database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    file.close();
  });

  test('commits what arrives in one tick together', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    const other = openSqliteFile(path);
    const committed = () => other.database.prepare('SELECT count(*) AS rows FROM item').get()?.['rows'];
    const [inside] = await Promise.all(
      [
        ...Array.from({ length: 500 }, (_, at) => ledger.write({ key: `k${at}`, rev: 'r', body: {} }, null)),
        // Last of the tick: when it runs, nothing of the others may be visible to another connection.
        file.commit(committed),
      ].toReversed(),
    );
    expect(inside).toBe(0);
    expect(committed()).toBe(500);
    other.close();
    file.close();
  });

  test('a call that throws inside a common commit fails alone', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    const results = await Promise.allSettled([
      ledger.write({ key: 'a', rev: 'r', body: {} }, null),
      file.commit(() => file.database.exec('not sql')),
      ledger.write({ key: 'b', rev: 'r', body: {} }, null),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await ledger.getMany(['a', 'b'])).size).toBe(2);
    file.close();
  });

  test('sweep drops what has expired, and only that; get gives it until then', async () => {
    const file = openSqliteFile(path);
    for (const ledger of [sqliteLedger(file), memoryLedger()]) {
      await ledger.write({ key: 'old', rev: 'r', body: {}, index: ['all:'], expiresAt: 99 }, null);
      await ledger.write({ key: 'now', rev: 'r', body: {}, index: ['all:'], expiresAt: 100 }, null);
      await ledger.write({ key: 'ever', rev: 'r', body: {}, index: ['all:'] }, null);
      expect(await ledger.get('old')).toBeDefined();
      expect(await ledger.sweep(100)).toBe(1);
      expect(await ledger.get('old')).toBeUndefined();
      expect((await ledger.find('all:')).items).toEqual(['ever', 'now']);
    }
    file.close();
  });

  test('index entries of removed and rewritten rows go with them', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    await ledger.write({ key: 'a', rev: '1', body: {}, index: ['x:', 'y:'] }, null);
    await ledger.write({ key: 'a', rev: '2', body: {}, index: ['y:'] }, '1');
    expect((await ledger.find('x:')).items).toEqual([]);
    await ledger.remove('a', '2');
    expect((await ledger.find('y:')).items).toEqual([]);
    file.close();
  });

  test('a key with half a character is refused, because it could not be given back', async () => {
    const file = openSqliteFile(path);
    for (const ledger of [sqliteLedger(file), memoryLedger()]) {
      await expect(ledger.write({ key: 'a\ud800', rev: 'r', body: {} }, null)).rejects.toMatchObject({
        kind: 'invalid',
      });
    }
    file.close();
  });

  test('close commits what is waiting; afterwards every call says that it is closed', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    const writing = ledger.write({ key: 'last', rev: 'r', body: {} }, null);
    file.close();
    expect(await writing).toBe(true);
    await expect(ledger.get('last')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/closed/),
    });
    await expect(ledger.write({ key: 'x', rev: 'r', body: {} }, null)).rejects.toMatchObject({ kind: 'unavailable' });
    const again = openSqliteFile(path);
    expect(await sqliteLedger(again).get('last')).toBeDefined();
    again.close();
  });
});

describe('trouble with the file', () => {
  test('a full disk fails the write, keeps the rest and recovers', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    await ledger.write({ key: 'small', rev: 'r', body: {} }, null);
    const pages = Number(file.database.prepare('PRAGMA page_count').get()?.['page_count']);
    file.database.exec(`PRAGMA max_page_count = ${pages + 2}`);
    const body = { text: 'x'.repeat(100_000) };
    await expect(ledger.write({ key: 'big', rev: 'r', body }, null)).rejects.toMatchObject({
      kind: 'unavailable',
      maybeApplied: false,
      message: expect.stringMatching(/disk is full/),
    });
    expect(await ledger.get('big')).toBeUndefined();
    expect(await ledger.get('small')).toBeDefined();
    file.database.exec('PRAGMA max_page_count = 100000');
    expect(await ledger.write({ key: 'big', rev: 'r', body }, null)).toBe(true);
    file.close();
  });

  test('a file that another process keeps locked is unavailable', async () => {
    const other = openSqliteFile(path);
    const file = openSqliteFile(path, { busyTimeoutMs: 50 });
    const ledger = sqliteLedger(file);
    other.database.exec('BEGIN IMMEDIATE');
    await expect(ledger.write({ key: 'a', rev: 'r', body: {} }, null)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/another process/),
    });
    other.database.exec('ROLLBACK');
    expect(await ledger.write({ key: 'a', rev: 'r', body: {} }, null)).toBe(true);
    other.close();
    file.close();
  });

  test('a file that is no database says so', async () => {
    await writeFile(path, 'this is not a database, by far not'.repeat(100));
    expect(() => openSqliteFile(path)).toThrow(/damaged or not a database/);
  });

  test('a database that got damaged says so', async () => {
    const file = openSqliteFile(path);
    const ledger = sqliteLedger(file);
    for (let at = 0; at < 300; at++) void ledger.write({ key: `k${at}`, rev: 'r', body: { t: 'x'.repeat(500) } }, null);
    await ledger.write({ key: 'z', rev: 'r', body: {} }, null);
    file.close();
    const bytes = await readFile(path);
    bytes.fill(0xff, 4096 * 2, bytes.length);
    await writeFile(path, bytes);
    const damaged = openSqliteFile(path);
    await expect(async () => sqliteLedger(damaged).get('k150')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/damaged/),
    });
    damaged.close();
  });

  test('a folder that cannot be made is a failure with its path', async () => {
    await writeFile(path, '');
    expect(() => openSqliteFile(join(path, 'below', 'ledger.db'))).toThrow(/ledger\.db/);
  });

  test('an I/O error in COMMIT leaves the outcome open, elsewhere it does not', () => {
    const io = Object.assign(new Error('disk I/O error'), { errcode: 10 | (4 << 8) });
    expect(sqliteFailure(io, 'x', true)).toMatchObject({ kind: 'unknown-outcome', maybeApplied: true });
    expect(sqliteFailure(io, 'x')).toMatchObject({ kind: 'unavailable', maybeApplied: false });
  });
});
