import type { StatementSync } from 'node:sqlite';
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
/** Key, rev, body, entries and expiry. */
type RowColumns = readonly [string, string, string, string | null, number | null];

/**
 * A ledger in a database file: an item and its index entries are written in one transaction, and the writes of one tick
 * share one commit. Closing the file closes the ledger. Throws `Failure` when the file cannot be used.
 */
export function sqliteLedger(file: SqliteFile): SqliteLedger {
  const { database } = file;
  file.read(() => database.exec(SCHEMA));
  const sql = file.read(() => ({
    get: asArrays('SELECT key, rev, body, entries, expires_at FROM item WHERE key = ?'),
    // One statement for many keys: each statement of its own would take and give back the file's lock.
    getMany: asArrays(
      'SELECT item.key, rev, body, entries, expires_at FROM json_each(?) AS wanted CROSS JOIN item ON item.key = wanted.value',
    ),
    peek: database.prepare('SELECT rev, entries FROM item WHERE key = ?'),
    put: database.prepare('INSERT OR REPLACE INTO item (key, rev, body, entries, expires_at) VALUES (?, ?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM item WHERE key = ?'),
    addEntry: database.prepare('INSERT OR IGNORE INTO entry (entry, key) VALUES (?, ?)'),
    dropEntry: database.prepare('DELETE FROM entry WHERE entry = ? AND key = ?'),
    find: asArrays('SELECT key FROM entry WHERE entry = ? AND key > ? ORDER BY key LIMIT ?'),
    // Up to the key after the page, if there is one; any text is less than a blob.
    findMany: asArrays(`
      SELECT wanted.key, entry.key FROM json_each(?1) AS wanted CROSS JOIN entry ON entry.entry = wanted.value AND entry.key <=
        coalesce((SELECT key FROM entry WHERE entry = wanted.value ORDER BY key LIMIT 1 OFFSET ?2), x'')
      ORDER BY wanted.key, entry.key`),
    expired: database.prepare('SELECT key FROM item WHERE expires_at < ? LIMIT ?'),
  }));

  /** Rows as arrays cost a fraction of rows as objects. */
  function asArrays(text: string): StatementSync {
    const statement = database.prepare(text);
    statement.setReturnArrays(true);
    return statement;
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
      return file.read(() => {
        const columns = sql.get.get(key);
        return columns === undefined ? undefined : toRow(columns as unknown as RowColumns);
      });
    },

    async getMany(keys) {
      return file.read(() => {
        const rows = new Map<string, Row>();
        for (const columns of keys.length === 0 ? [] : sql.getMany.all(asList(keys))) {
          const row = toRow(columns as unknown as RowColumns);
          rows.set(row.key, row);
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
      return toPage(
        found.map((columns) => (columns as unknown as readonly [string])[0]),
        limit,
      );
    },

    async findMany(indexes, options = {}) {
      const limit = pageSize(options.limit);
      const wanted = [...new Set(indexes)];
      const keys = wanted.map((): string[] => []);
      for (const columns of wanted.length === 0 ? [] : file.read(() => sql.findMany.all(asList(wanted), limit))) {
        const [place, key] = columns as unknown as readonly [number, string];
        keys[place]?.push(key);
      }
      return new Map(wanted.map((index, place) => [index, toPage(keys[place] ?? [], limit)]));
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

/** As the statements with `json_each` take it. Half a character is stored as its replacement, so that is what is looked for. */
const asList = (texts: readonly string[]): string => JSON.stringify(texts.map((text) => text.toWellFormed()));

/** A page of keys of which there may be one too many. */
function toPage(keys: readonly string[], limit: number): Page<string> {
  const last = keys[limit - 1];
  return keys.length > limit && last !== undefined ? { items: keys.slice(0, limit), next: last } : { items: keys };
}

function toEntries(columns: Columns | undefined): readonly string[] {
  const text = columns?.['entries'];
  return typeof text === 'string' ? (JSON.parse(text) as string[]) : [];
}

function toRow([key, rev, body, entries, expiresAt]: RowColumns): Row {
  return {
    key,
    rev,
    body: JSON.parse(body) as JsonObject,
    ...(entries === null ? {} : { index: JSON.parse(entries) as string[] }),
    ...(expiresAt === null ? {} : { expiresAt }),
  };
}
