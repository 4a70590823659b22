import type { JsonObject } from '../core/json.ts';
import { checkLedgerKey, pageSize } from './keys.ts';
import type { Ledger, Page, Row } from './ledger.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** The embedded ledger, and what only it needs. */
export interface SqliteLedger extends Ledger {
  /** Drops rows whose `expiresAt` lies before `nowSeconds`; gives their number. Until then `get` returns them. */
  sweep(nowSeconds: number): Promise<number>;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS item (
    key TEXT PRIMARY KEY, rev TEXT NOT NULL, body TEXT NOT NULL, entries TEXT, expires_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entry (
    entry TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (entry, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS item_expiry ON item (expires_at) WHERE expires_at IS NOT NULL;
`;

const SWEEP_ROWS = 1_000;

type Columns = Record<string, unknown>;

/**
 * A ledger in a database file: an item and its index entries are written in one transaction, and the writes of one tick
 * share one commit. Closing the file closes the ledger. Throws `Failure` when the file cannot be used.
 */
export function sqliteLedger(file: SqliteFile): SqliteLedger {
  const { database } = file;
  file.read(() => database.exec(SCHEMA));
  const sql = file.read(() => ({
    get: database.prepare('SELECT key, rev, body, entries, expires_at FROM item WHERE key = ?'),
    peek: database.prepare('SELECT rev, entries FROM item WHERE key = ?'),
    put: database.prepare('INSERT OR REPLACE INTO item (key, rev, body, entries, expires_at) VALUES (?, ?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM item WHERE key = ?'),
    addEntry: database.prepare('INSERT OR IGNORE INTO entry (entry, key) VALUES (?, ?)'),
    dropEntry: database.prepare('DELETE FROM entry WHERE entry = ? AND key = ?'),
    find: database.prepare('SELECT key FROM entry WHERE entry = ? AND key > ? ORDER BY key LIMIT ?'),
    expired: database.prepare('SELECT key FROM item WHERE expires_at < ? LIMIT ?'),
  }));

  function read(key: string): Row | undefined {
    const columns = sql.get.get(key);
    return columns === undefined ? undefined : toRow(columns);
  }

  function replaceEntries(key: string, old: readonly string[], next: readonly string[]): void {
    for (const entry of old) if (!next.includes(entry)) sql.dropEntry.run(entry, key);
    for (const entry of next) if (!old.includes(entry)) sql.addEntry.run(entry, key);
  }

  /** Rows in the order of the expiry index; runs inside a transaction. */
  function dropExpired(nowSeconds: number): number {
    const keys = sql.expired.all(nowSeconds, SWEEP_ROWS).map((columns) => String(columns['key']));
    for (const key of keys) drop(key);
    return keys.length;
  }

  function drop(key: string): void {
    replaceEntries(key, toEntries(sql.peek.get(key)), []);
    sql.remove.run(key);
  }

  return {
    async get(key) {
      return file.read(() => read(key));
    },

    async getMany(keys) {
      return file.read(() => {
        const rows = new Map<string, Row>();
        for (const key of keys) {
          const row = read(key);
          if (row !== undefined) rows.set(key, row);
        }
        return rows;
      });
    },

    async write(row, expected) {
      checkLedgerKey(row.key);
      const { key, rev, expiresAt } = row;
      // As text now: the caller may change its objects before the commit.
      const body = JSON.stringify(row.body);
      const index = row.index === undefined ? undefined : [...row.index];
      const entries = index === undefined ? null : JSON.stringify(index);
      return file.commit(() => {
        const stored = sql.peek.get(key);
        if ((stored?.['rev'] ?? null) !== expected) return false;
        sql.put.run(key, rev, body, entries, expiresAt ?? null);
        replaceEntries(key, toEntries(stored), index ?? []);
        return true;
      });
    },

    async remove(key, expected) {
      return file.commit(() => {
        if (sql.peek.get(key)?.['rev'] !== expected) return false;
        drop(key);
        return true;
      });
    },

    async find(index, options = {}): Promise<Page<string>> {
      const limit = pageSize(options.limit);
      const found = file.read(() => sql.find.all(index, options.after ?? '', limit + 1));
      const items = found.slice(0, limit).map((columns) => String(columns['key']));
      const last = items.at(-1);
      return found.length > limit && last !== undefined ? { items, next: last } : { items };
    },

    async sweep(nowSeconds) {
      let dropped = 0;
      for (;;) {
        const step = await file.commit(() => dropExpired(nowSeconds));
        dropped += step;
        if (step < SWEEP_ROWS) return dropped;
      }
    },
  };
}

function toEntries(columns: Columns | undefined): readonly string[] {
  const text = columns?.['entries'];
  return typeof text === 'string' ? (JSON.parse(text) as string[]) : [];
}

function toRow(columns: Columns): Row {
  const expiresAt = columns['expires_at'];
  return {
    key: String(columns['key']),
    rev: String(columns['rev']),
    body: JSON.parse(String(columns['body'])) as JsonObject,
    ...(typeof columns['entries'] === 'string' ? { index: toEntries(columns) } : {}),
    ...(typeof expiresAt === 'number' ? { expiresAt } : {}),
  };
}
