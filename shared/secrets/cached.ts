import type { JsonObject } from '../core/json.ts';
import type { Secrets } from './secrets.ts';

/** Secrets that are read at most every `ttlMs`, so that a rotation is seen within that time. */
export interface CachedSecrets extends Secrets {
  /** Reads the secret again now, e.g. after a vendor refused the credentials, and keeps what it finds. */
  refresh(name: string): Promise<JsonObject | undefined>;
}

interface Kept {
  readonly value: Promise<JsonObject | undefined>;
  readonly readAtMs: number;
}

/**
 * Keeps what `inner.get` gives, absence included, for `ttlMs` milliseconds from the start of the read. Concurrent callers
 * share one read. A failure is passed on and not kept: the next call reads again.
 */
export function cachedSecrets(
  inner: Secrets,
  options: { readonly ttlMs: number; readonly now: () => number },
): CachedSecrets {
  const { ttlMs, now } = options;
  const kept = new Map<string, Kept>();

  function refresh(name: string): Promise<JsonObject | undefined> {
    const value = inner.get(name);
    const entry = { value, readAtMs: now() };
    kept.set(name, entry);
    value.catch(() => {
      // A newer read may already have taken the place.
      if (kept.get(name) === entry) kept.delete(name);
    });
    return value;
  }

  return {
    async get(name) {
      const entry = kept.get(name);
      return entry !== undefined && now() - entry.readAtMs < ttlMs ? entry.value : refresh(name);
    },
    refresh,
    list: (prefix) => inner.list(prefix),
  };
}
