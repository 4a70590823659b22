import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../shared/core/failure.ts';
import { sqliteFailure } from '../shared/ledger/sqlite-failure.ts';

export interface DataDirLock {
  /** Lets another process in. Ending the process, in whatever way, does so too. */
  release(): void;
}

const SQLITE_BUSY = 5;

// A connection that nobody refers to would be collected, and its lock with it.
const held = new Set<DatabaseSync>();

/**
 * Takes `dataDir` (created if need be) for this process alone. The lock is SQLite's exclusive lock on `lock.db`, which the
 * kernel drops when the process ends, so a `kill -9` leaves nothing to clean up. `lock.json` only names the holder.
 * Throws `Failure` `conflict` with the holder's pid when another process has it, `denied` or `unavailable` when it cannot be used.
 */
export function lockDataDir(dataDir: string, pid: number = process.pid): DataDirLock {
  const folder = resolve(dataDir);
  const holderPath = join(folder, 'lock.json');
  const database = openLock(folder);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    database.close();
    if ((thrown as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw sqliteFailure(thrown, join(folder, 'lock.db'));
    throw new Failure(
      'conflict',
      `${folder} is in use by ${holder(holderPath)}. Stop it, or give this one another DATA_DIR.`,
    );
  }
  try {
    writeFileSync(holderPath, `${JSON.stringify({ pid })}\n`);
  } catch (thrown) {
    database.close();
    throw sqliteFailure(thrown, holderPath);
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

function openLock(folder: string): DatabaseSync {
  const path = join(folder, 'lock.db');
  try {
    mkdirSync(folder, { recursive: true });
    return new DatabaseSync(path, { timeout: 0 });
  } catch (thrown) {
    throw sqliteFailure(thrown, path);
  }
}

/** `process 4711`, or less when the file does not tell (the other one may be writing it just now). */
function holder(path: string): string {
  try {
    const { pid } = JSON.parse(readFileSync(path, 'utf8')) as { readonly pid?: unknown };
    if (typeof pid === 'number' && isAlive(pid)) return `process ${pid}`;
  } catch {
    // Not written yet.
  }
  return 'another process';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as { code?: unknown }).code === 'EPERM';
  }
}
