import { checkLedgerKey, compareUtf8, pageSize } from './keys.ts';
import type { Ledger, Page, Row } from './ledger.ts';

/** A ledger for simulations: deterministic, and gone with the process. */
export interface MemoryLedger extends Ledger {
  /** Drops rows whose `expiresAt` lies before `nowSeconds`; gives their number. Until then `get` returns them. */
  sweep(nowSeconds: number): Promise<number>;
  /** Every row, in key order, as copies: what a simulation compares and prints. */
  rows(): readonly Row[];
}

interface Stored {
  readonly rev: string;
  /** The whole row as JSON: callers on either side cannot change what is stored. */
  readonly text: string;
  readonly index: readonly string[];
  readonly expiresAt: number | undefined;
}

/**
 * A ledger in memory. Each call gives up control once before it does anything, through `pause` if given (a simulation's
 * scheduler), so that concurrent callers interleave as they would with a real store. The effect itself is atomic.
 */
export function memoryLedger(options: { readonly pause?: () => Promise<void> } = {}): MemoryLedger {
  const pause = options.pause ?? (() => Promise.resolve());
  const items = new Map<string, Stored>();
  const keysOf = new Map<string, Set<string>>();

  function drop(key: string): void {
    for (const entry of items.get(key)?.index ?? []) {
      const keys = keysOf.get(entry);
      keys?.delete(key);
      if (keys?.size === 0) keysOf.delete(entry);
    }
    items.delete(key);
  }

  function put(key: string, stored: Stored): void {
    drop(key);
    items.set(key, stored);
    for (const entry of stored.index) {
      const keys = keysOf.get(entry) ?? new Set();
      keysOf.set(entry, keys.add(key));
    }
  }

  function read(key: string): Row | undefined {
    const stored = items.get(key);
    return stored === undefined ? undefined : (JSON.parse(stored.text) as Row);
  }

  return {
    async get(key) {
      await pause();
      return read(key);
    },

    async getMany(keys) {
      const wanted = [...keys];
      await pause();
      const rows = new Map<string, Row>();
      for (const key of wanted) {
        const row = read(key);
        if (row !== undefined) rows.set(key, row);
      }
      return rows;
    },

    async write(row, expected) {
      checkLedgerKey(row.key);
      const { key, rev, expiresAt } = row;
      const stored = { rev, text: JSON.stringify(row), index: [...(row.index ?? [])], expiresAt };
      await pause();
      if ((items.get(key)?.rev ?? null) !== expected) return false;
      put(key, stored);
      return true;
    },

    async remove(key, expected) {
      await pause();
      if (items.get(key)?.rev !== expected) return false;
      drop(key);
      return true;
    },

    async find(index, page = {}): Promise<Page<string>> {
      const limit = pageSize(page.limit);
      const after = page.after ?? '';
      await pause();
      const keys = [...(keysOf.get(index) ?? [])].filter((key) => compareUtf8(key, after) > 0).sort(compareUtf8);
      const found = keys.slice(0, limit);
      const last = found.at(-1);
      return keys.length > limit && last !== undefined ? { items: found, next: last } : { items: found };
    },

    async sweep(nowSeconds) {
      await pause();
      const expired = [...items].filter(([, { expiresAt }]) => expiresAt !== undefined && expiresAt < nowSeconds);
      for (const [key] of expired) drop(key);
      return expired.length;
    },

    rows() {
      return [...items.keys()].sort(compareUtf8).flatMap((key) => read(key) ?? []);
    },
  };
}
