import type { SqliteFile } from '../ledger/sqlite-file.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { Delivery, Queue, QueueReceiver } from './queue.ts';

/** The embedded queue: both sides, and what only it needs. */
export interface SqliteQueue extends Queue, QueueReceiver {
  /** The oldest dead letters first, at most `limit` (default 1,000). */
  deadLetters(limit?: number): Promise<readonly DeadLetter[]>;
  /** Sends a dead letter again, due now, with a fresh count of attempts; false if there is none of that id. */
  replay(id: string): Promise<boolean>;
  /** Makes a dead letter of what was no message; one of the same body stays one, with the newer reason. */
  bury(body: string, reason: string): Promise<void>;
  /** Forgets a dead letter; false if there is none of that id. */
  drop(id: string): Promise<boolean>;
  /** Epoch milliseconds at which the next message is due (hidden ones included); undefined when there is none. */
  nextDueMs(): Promise<number | undefined>;
  /**
   * Makes every message that a receiver holds due now; gives their number. Only for a start that knows that no other
   * receiver lives (it has the lock of DATA_DIR).
   */
  releaseHeld(): Promise<number>;
}

export interface SqliteQueueOptions {
  /** The clock, epoch milliseconds. */
  readonly now: () => number;
  /** Deliveries before a message becomes a dead letter; default 5. */
  readonly maxAttempts?: number;
}

// AUTOINCREMENT, because a late answer about a message that is gone must not hit a newer one of the same number.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, reason TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS message_due ON message (due_ms, id);
  CREATE TABLE IF NOT EXISTS dead_letter (
    id INTEGER PRIMARY KEY, body TEXT NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL
  ) STRICT;
`;

type Columns = Record<string, unknown>;

/**
 * A queue in a database file (its own, or the ledger's: then both share commits). Sends of one tick share one commit.
 * The id of a delivery is `<message>-<attempt>`: a retry that comes after the message was handed out again is ignored.
 */
export function sqliteQueue(file: SqliteFile, options: SqliteQueueOptions): SqliteQueue {
  const { now, maxAttempts = 5 } = options;
  const { database } = file;
  file.read(() => database.exec(SCHEMA));
  const sql = file.read(() => ({
    send: database.prepare('INSERT INTO message (body, due_ms) VALUES (?, ?)'),
    due: database.prepare(
      'SELECT id, body, attempts, reason FROM message WHERE due_ms <= ? ORDER BY due_ms, id LIMIT ?',
    ),
    hold: database.prepare('UPDATE message SET attempts = attempts + 1, held = 1, due_ms = ? WHERE id = ?'),
    held: database.prepare('SELECT id, body, attempts FROM message WHERE id = ? AND attempts = ? AND held = 1'),
    later: database.prepare('UPDATE message SET held = 0, due_ms = ?, reason = ? WHERE id = ?'),
    remove: database.prepare('DELETE FROM message WHERE id = ?'),
    bury: database.prepare('INSERT INTO dead_letter (id, body, reason, attempts) VALUES (?, ?, ?, ?)'),
    release: database.prepare('UPDATE message SET held = 0, due_ms = ? WHERE held = 1'),
    next: database.prepare('SELECT min(due_ms) AS due FROM message'),
    deadLetters: database.prepare('SELECT id, body, reason, attempts FROM dead_letter ORDER BY id LIMIT ?'),
    buryNew: database.prepare(
      // One sequence for both tables, so that an id never stands for two of them.
      'INSERT INTO dead_letter (id, body, reason, attempts) VALUES (?, ?, ?, 1)',
    ),
    again: database.prepare('UPDATE dead_letter SET attempts = attempts + 1, reason = ? WHERE body = ?'),
    deadLetter: database.prepare('SELECT body FROM dead_letter WHERE id = ?'),
    forget: database.prepare('DELETE FROM dead_letter WHERE id = ?'),
  }));

  function bury(columns: Columns, reason: string): void {
    sql.bury.run(Number(columns['id']), String(columns['body']), reason, Number(columns['attempts']));
    sql.remove.run(Number(columns['id']));
  }

  /** Hands out one due message, or buries it if its last receiver died without an answer. */
  function handOut(columns: Columns, visibilityMs: number): Delivery | undefined {
    const attempt = Number(columns['attempts']) + 1;
    if (attempt > maxAttempts) {
      bury(columns, String(columns['reason'] ?? `no answer after ${maxAttempts} deliveries`));
      return undefined;
    }
    sql.hold.run(now() + visibilityMs, Number(columns['id']));
    return { id: `${columns['id']}-${attempt}`, body: String(columns['body']), attempt };
  }

  return {
    async send(message, sending = {}) {
      const body = JSON.stringify(message);
      const dueMs = Math.ceil(now() + (sending.delayMs ?? 0));
      await file.commit(() => sql.send.run(body, dueMs));
    },

    async sendMany(messages, sending = {}) {
      const bodies = messages.map((message) => JSON.stringify(message));
      const dueMs = Math.ceil(now() + (sending.delayMs ?? 0));
      if (bodies.length > 0) {
        await file.commit(() => {
          for (const body of bodies) sql.send.run(body, dueMs);
        });
      }
    },

    async receive(limit, visibilityMs) {
      // Looking costs no commit: an idle queue writes nothing.
      if (file.read(() => sql.due.get(now(), 1)) === undefined) return [];
      return file.commit(() => {
        const deliveries: Delivery[] = [];
        for (;;) {
          const due = sql.due.all(now(), limit - deliveries.length);
          if (due.length === 0) return deliveries;
          for (const columns of due) {
            const delivery = handOut(columns, Math.max(1, Math.ceil(visibilityMs)));
            if (delivery !== undefined) deliveries.push(delivery);
          }
        }
      });
    },

    async acknowledge(id) {
      const { message } = parseReceipt(id);
      await file.commit(() => sql.remove.run(message));
    },

    async retry(id, delayMs, reason) {
      const { message, attempt } = parseReceipt(id);
      await file.commit(() => {
        const columns = sql.held.get(message, attempt);
        if (columns === undefined) return;
        if (attempt >= maxAttempts) bury(columns, reason);
        else sql.later.run(Math.ceil(now() + delayMs), reason, message);
      });
    },

    async deadLetters(limit = 1_000) {
      return file.read(() => sql.deadLetters.all(limit).map(toDeadLetter));
    },

    async replay(id) {
      return file.commit(() => {
        const columns = sql.deadLetter.get(Number(id));
        if (columns === undefined) return false;
        sql.send.run(String(columns['body']), now());
        sql.forget.run(Number(id));
        return true;
      });
    },

    async bury(body, reason) {
      await file.commit(() => {
        if (Number(sql.again.run(reason, body).changes) > 0) return;
        const { lastInsertRowid } = sql.send.run(body, now());
        sql.remove.run(lastInsertRowid);
        sql.buryNew.run(lastInsertRowid, body, reason);
      });
    },

    async drop(id) {
      return file.commit(() => sql.forget.run(Number(id)).changes === 1);
    },

    async nextDueMs() {
      const due = file.read(() => sql.next.get()?.['due']);
      return typeof due === 'number' ? due : undefined;
    },

    async releaseHeld() {
      return file.commit(() => Number(sql.release.run(now()).changes));
    },
  };
}

function parseReceipt(id: string): { readonly message: number; readonly attempt: number } {
  const [message, attempt] = id.split('-');
  return { message: Number(message), attempt: Number(attempt) };
}

function toDeadLetter(columns: Columns): DeadLetter {
  return {
    id: String(columns['id']),
    body: String(columns['body']),
    reason: String(columns['reason']),
    attempts: Number(columns['attempts']),
  };
}
