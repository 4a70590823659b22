import type { StatementSync } from 'node:sqlite';
import type { JsonObject } from '../core/json.ts';
import { checkLedgerKey, pageSize } from './keys.ts';
import type { FoundRow, Ledger, Page, Row } from './ledger.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** The embedded ledger, and what only it needs. */
export interface SqliteLedger extends Ledger {
  /** Drops rows whose `expiresAt` lies before `nowSeconds`; gives their number. Until then `get` returns them. */
  sweep(nowSeconds: number): Promise<number>;
}

/**
 * Items lie in the order in which they were first written, so that what is written together shares pages; ordered by their key, which is
 * as good as random, each write took pages of its own. Files made before that keep their order, and the same statements serve both.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS item (
    key TEXT PRIMARY KEY, rev TEXT NOT NULL, body TEXT NOT NULL, entries TEXT, expires_at INTEGER
  ) STRICT;
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
    put: database.prepare(`
      INSERT INTO item (key, rev, body, entries, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
        SET rev = excluded.rev, body = excluded.body, entries = excluded.entries, expires_at = excluded.expires_at`),
    remove: database.prepare('DELETE FROM item WHERE key = ?'),
    addEntry: database.prepare('INSERT OR IGNORE INTO entry (entry, key) VALUES (?, ?)'),
    dropEntry: database.prepare('DELETE FROM entry WHERE entry = ? AND key = ?'),
    find: asArrays('SELECT key FROM entry WHERE entry = ? AND key > ? ORDER BY key LIMIT ?'),
    // Up to the key behind the page, if there is one; no text is greater than a blob.
    findRows: asArrays(`
      SELECT wanted.key, entry.key, item.body FROM json_each(?1) AS wanted
        CROSS JOIN entry ON entry.entry = wanted.value AND entry.key <=
          coalesce((SELECT key FROM entry WHERE entry = wanted.value ORDER BY key LIMIT 1 OFFSET ?2), x'')
        CROSS JOIN item ON item.key = entry.key
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
        // A row that is written again mostly keeps its entries.
        if ((stored?.['entries'] ?? null) !== entries) replaceEntries(key, toEntries(stored), index ?? []);
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
      const keys = found.map((columns) => (columns as unknown as readonly [string])[0]);
      return toPage(keys, limit, (key) => key);
    },

    async findRows(indexes, { known, ...options }) {
      const limit = pageSize(options.limit);
      const pages = indexes.map((): FoundRow[] => []);
      const bodies = new Map<string, JsonObject>();
      for (const columns of file.read(() => sql.findRows.all(asList(indexes), limit))) {
        const [place, key, text] = columns as unknown as readonly [number, string, string];
        const page = pages[place];
        if (page === undefined || page.length > limit) continue;
        if (page.length === limit || known(key)) {
          page.push({ key });
          continue;
        }
        const body = bodies.get(key) ?? (JSON.parse(text) as JsonObject);
        bodies.set(key, body);
        page.push({ key, body });
      }
      return pages.map((page) => toPage(page, limit, ({ key }) => key));
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

/** A page of which there may be one too many. */
function toPage<T>(items: readonly T[], limit: number, keyOf: (item: T) => string): Page<T> {
  const last = items[limit - 1];
  return items.length > limit && last !== undefined ? { items: items.slice(0, limit), next: keyOf(last) } : { items };
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
