import type { Json } from './product.ts';

/** One line of `GET /_sandbox/calls`. */
export interface CallRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly operation: string;
  /** `ok`, the vendor's error code, or the kind of the fault that hit it. */
  readonly outcome: string;
  /** The decoded body; null when the call was refused before it was decoded. */
  readonly request: Json;
}

export interface CallLog {
  /** `bytes` is the size of the request body, a measure of what remembering it costs. */
  add(call: CallRecord, bytes: number): void;
  list(): readonly CallRecord[];
  clear(): void;
}

const MOST_CALLS = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;

/** The latest 10,000 calls, fewer when their bodies exceed 64 MiB together. In memory only. */
export function callLog(): CallLog {
  let entries: { readonly call: CallRecord; readonly bytes: number }[] = [];
  let first = 0;
  let total = 0;
  return {
    add(call, bytes) {
      entries.push({ call, bytes });
      total += bytes;
      while (entries.length - first > MOST_CALLS || (total > MOST_BYTES && entries.length - first > 1)) {
        total -= entries[first]?.bytes ?? 0;
        first += 1;
      }
      if (first > MOST_CALLS || (first > 0 && total > MOST_BYTES / 2)) {
        entries = entries.slice(first);
        first = 0;
      }
    },
    list: () => entries.slice(first).map(({ call }) => call),
    clear: () => {
      entries = [];
      first = 0;
      total = 0;
    },
  };
}
