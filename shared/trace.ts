import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import type { JsonObject } from './core/json.ts';

/** What everything that is done for one event has in common, down to the call of a vendor. */
export interface Trace {
  /** In every line of the log: `request_id`, `message_id`, `owner`. */
  readonly fields: JsonObject;
  /** Whether debug lines are printed, whatever the level says. */
  readonly debug: boolean;
}

// Clients and stores outlive the event they work for: nothing that is handed down to them could say which one it is.
const traces = new AsyncLocalStorage<Trace>();

/** The trace of whoever asks; undefined outside of any event. */
export function currentTrace(): Trace | undefined {
  return traces.getStore();
}

/** Runs with these fields besides those there are already; `debug` counts for all that is inside. */
export function traced<T>(fields: JsonObject, run: () => T, debug = false): T {
  const outer = traces.getStore();
  return traces.run({ fields: { ...outer?.fields, ...fields }, debug: debug || outer?.debug === true }, run);
}

/** Whether an event belongs to the share (0 to 1) that is told in full: by its id, so that all of it is told or nothing. */
export function isSampled(id: string, share: number): boolean {
  if (share <= 0) return false;
  return createHash('sha256').update(id).digest().readUInt32BE(0) / 2 ** 32 < share;
}
