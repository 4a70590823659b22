import type { JsonObject } from '../core/json.ts';
import type { Secrets } from './secrets.ts';

/** Secrets that are read at most every `ttlMs`, so that a rotation is seen within that time. */
export interface CachedSecrets extends Secrets {
  /** Reads the secret again now, e.g. after a vendor refused the credentials, and keeps what it finds; at most every `refreshEveryMs`. */
  refresh(name: string): Promise<JsonObject | undefined>;
}

export interface CacheOptions {
  readonly ttlMs: number;
  /** How long a list is kept; 0, the default, is not at all. */
  readonly listTtlMs?: number;
  /** A refresh reads nothing that was read within this time, so that bad keys cannot make it read all the time; default 0. */
  readonly refreshEveryMs?: number;
  readonly now: () => number;
}

/**
 * Keeps what `inner.get` gives, absence included, for `ttlMs` milliseconds from the start of the read. Concurrent callers
 * share one read. A failure is passed on and not kept: the next call reads again.
 */
export function cachedSecrets(inner: Secrets, options: CacheOptions): CachedSecrets {
  const { ttlMs, listTtlMs = 0, refreshEveryMs = 0, now } = options;
  const values = kept((name) => inner.get(name), ttlMs, now);
  const lists = kept((prefix) => inner.list(prefix), listTtlMs, now);
  return { get: values.get, refresh: (name) => values.within(name, refreshEveryMs), list: lists.get };
}

function kept<T>(read: (key: string) => Promise<T>, ttlMs: number, now: () => number) {
  const entries = new Map<string, { readonly value: Promise<T>; readonly readAtMs: number }>();

  function refresh(key: string): Promise<T> {
    const value = read(key);
    const entry = { value, readAtMs: now() };
    entries.set(key, entry);
    value.catch(() => {
      // A newer read may already have taken the place.
      if (entries.get(key) === entry) entries.delete(key);
    });
    return value;
  }

  /** What was read at most `ageMs` ago, else what is there now. */
  async function within(key: string, ageMs: number): Promise<T> {
    const entry = entries.get(key);
    return entry !== undefined && now() - entry.readAtMs < ageMs ? entry.value : refresh(key);
  }

  return { get: (key: string) => within(key, ttlMs), within };
}
