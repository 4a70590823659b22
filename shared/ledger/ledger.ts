import type { JsonObject } from '../core/json.ts';

/**
 * One item of the ledger. `rev` is a globally unique id made by the writer for each write; it is the only thing a
 * condition ever tests, so that a lost answer can be recognised by reading the item back.
 */
export interface Row {
  readonly key: string;
  readonly rev: string;
  readonly body: JsonObject;
  /**
   * Index entries, `name:value` (`owners:`, `feeds:hive://h/db.t`). Hints: a reader re-reads the row before believing one.
   * An entry is visible no later than the row it belongs to and may outlive it.
   */
  readonly index?: readonly string[];
  /** Epoch seconds after which the store may drop the row; readers must not count on it being gone. */
  readonly expiresAt?: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: string;
}

/**
 * What we remember: conditional writes of single items, and hints. No transactions, no scans.
 * Every method throws `Failure` (`throttled`, `unavailable`, `unknown-outcome`, `denied`) when the store fails;
 * a write that throws `unknown-outcome` may have happened.
 */
export interface Ledger {
  /** Consistent read. */
  get(key: string): Promise<Row | undefined>;
  /** Consistent reads of many keys; keys without a row are absent from the map. */
  getMany(keys: readonly string[]): Promise<Map<string, Row>>;
  /**
   * Puts `row` iff the stored item's rev is `expected`, or, with `null`, iff there is no item of that key.
   * Durable when it resolves true; false means the condition failed and nothing was written.
   */
  write(row: Row, expected: string | null): Promise<boolean>;
  /** Removes the item iff its rev is `expected`; false means the condition failed (an absent item included). */
  remove(key: string, expected: string): Promise<boolean>;
  /** Keys of rows that carry exactly this index entry, in key order, eventually consistent. `limit` defaults to 1,000. */
  find(index: string, options?: { readonly after?: string; readonly limit?: number }): Promise<Page<string>>;
  /**
   * First pages of many index entries, with what lies behind the keys: for each entry, in their order, what `find` and `getMany` would
   * give. Only stores have it to which it costs less than those.
   */
  findRows?(indexes: readonly string[], options: FindRows): Promise<Page<FoundRow>[]>;
  /**
   * Removes what was left by writes that never came to their end, looking at a part of what there is. Only ledgers have it whose writes
   * may leave something.
   */
  collect?(options: Collect): Promise<Collected>;
}

export interface Collect {
  /** Epoch ms: what was written since then stays, because its writer may still be at it. At least an hour ago. */
  readonly before: number;
  /** Where the last call stopped. */
  readonly after?: string;
  /** How much is looked at, 25 by default. */
  readonly limit?: number;
}

export interface Collected {
  readonly removed: number;
  /** Pass as `after` for the next part; absent on the last. */
  readonly next?: string;
}

export interface FindRows {
  /** Rows per entry. */
  readonly limit: number;
  /** Rows that the caller has already come without their body. */
  known(key: string): boolean;
}

export interface FoundRow {
  readonly key: string;
  readonly body?: JsonObject;
}
