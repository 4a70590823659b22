import type { JsonObject } from '../core/json.ts';

/** Where credentials live. Values never reach a log, an error or a status document. */
export interface Secrets {
  /**
   * The secret's JSON object; undefined when there certainly is none. Throws `Failure`: `invalid` when it is not a JSON
   * object, `denied` when it may not be read, `unavailable` otherwise.
   */
  get(name: string): Promise<JsonObject | undefined>;
  /** Names under a prefix (`lineage/`), sorted. */
  list(prefix: string): Promise<readonly string[]>;
  /** Like `get`, but not from memory, unless it was read just now: after credentials were refused. Absent where nothing is remembered. */
  refresh?(name: string): Promise<JsonObject | undefined>;
}
