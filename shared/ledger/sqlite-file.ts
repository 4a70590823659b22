import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../core/failure.ts';
import { sqliteFailure } from './sqlite-failure.ts';

/** One database file whose writes share commits. The ledger and the queue may use the same one. */
export interface SqliteFile {
  readonly path: string;
  readonly database: DatabaseSync;
  /**
   * Runs `work` (synchronous) in a transaction together with everything else that was asked for in the same tick, and
   * resolves with its result once that transaction is on disk. What `work` throws rejects this call alone.
   */
  commit<T>(work: () => T): Promise<T>;
  /** Runs a synchronous read now, with errors as `Failure`. */
  read<T>(work: () => T): T;
  /** Commits what is waiting, then closes the file. Calls after that throw `unavailable`. */
  close(): void;
}

interface Job {
  readonly work: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: Failure) => void;
}

/** Above this a commit would block the event loop for too long; the rest goes into the next one. */
const JOBS_PER_COMMIT = 1_000;

/**
 * Opens or creates a database file for durable writes: WAL, `synchronous=FULL`, one fsync per commit.
 * `busyTimeoutMs` is how long to wait for another process that writes (default 5,000).
 * Throws `Failure` `unavailable` or `denied` when the file cannot be opened.
 */
export function openSqliteFile(path: string, options: { readonly busyTimeoutMs?: number } = {}): SqliteFile {
  const database = openDatabase(path, options.busyTimeoutMs ?? 5_000);
  let waiting: Job[] = [];
  let scheduled = false;
  let closed = false;

  function flush(): void {
    scheduled = false;
    const jobs = waiting.slice(0, JOBS_PER_COMMIT);
    waiting = waiting.slice(JOBS_PER_COMMIT);
    if (waiting.length > 0) schedule();
    runTogether(database, path, jobs);
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  }

  return {
    path,
    database,
    commit<T>(work: () => T): Promise<T> {
      if (closed) return Promise.reject(closedFailure(path));
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: (result) => resolve(result as T), reject });
        schedule();
      });
    },
    read<T>(work: () => T): T {
      if (closed) throw closedFailure(path);
      try {
        return work();
      } catch (thrown) {
        throw sqliteFailure(thrown, path);
      }
    },
    close(): void {
      if (closed) return;
      closed = true;
      while (waiting.length > 0) flush();
      database.close();
    },
  };
}

/** One transaction for all; if one job spoils it, each gets its own, so that it spoils only itself. */
function runTogether(database: DatabaseSync, path: string, jobs: readonly Job[]): void {
  if (jobs.length === 0) return;
  const results: unknown[] = [];
  let step: 'begin' | 'work' | 'commit' = 'begin';
  try {
    database.exec('BEGIN IMMEDIATE');
    step = 'work';
    for (const job of jobs) results.push(job.work());
    step = 'commit';
    database.exec('COMMIT');
  } catch (thrown) {
    rollBack(database);
    if (step === 'work' && jobs.length > 1) {
      for (const job of jobs) runTogether(database, path, [job]);
      return;
    }
    const failure = sqliteFailure(thrown, path, step === 'commit');
    for (const job of jobs) job.reject(failure);
    return;
  }
  jobs.forEach((job, at) => {
    job.resolve(results[at]);
  });
}

function rollBack(database: DatabaseSync): void {
  // SQLite has already rolled back by itself after some errors (disk full, I/O).
  if (!database.isTransaction) return;
  try {
    database.exec('ROLLBACK');
  } catch {
    // Nothing was committed, and the error that led here is the one to report.
  }
}

function openDatabase(path: string, busyTimeoutMs: number): DatabaseSync {
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true });
    const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    try {
      switchToWal(database, busyTimeoutMs);
      database.exec('PRAGMA synchronous = FULL');
      syncFolder(folder);
      return database;
    } catch (thrown) {
      database.close();
      throw thrown;
    }
  } catch (thrown) {
    throw sqliteFailure(thrown, path);
  }
}

/** Two processes that create one file at the same moment exclude each other here without SQLite's own waiting. */
function switchToWal(database: DatabaseSync, busyTimeoutMs: number): void {
  const pauseMs = 20;
  for (let left = Math.ceil(busyTimeoutMs / pauseMs); ; left--) {
    try {
      const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
      if (mode !== 'wal') {
        throw new Failure('unavailable', 'This file system cannot hold the ledger (no WAL mode); use a local disk.');
      }
      return;
    } catch (thrown) {
      const busy = (thrown as { errcode?: unknown }).errcode === 5;
      if (!busy || left <= 0) throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}

/** A new file survives a power cut only once its folder's entry is on disk. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function closedFailure(path: string): Failure {
  return new Failure('unavailable', `${path} is closed, because this process is stopping; start it again.`);
}
