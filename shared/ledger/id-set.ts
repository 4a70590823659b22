import type { JsonObject } from '../core/json.ts';
import type { Ledger } from './ledger.ts';

/**
 * A set of unit ids as an owner's row keeps it: inline while small, else in rows of their own of at most some 8 KB, split by
 * hash, so that a change of k ids rewrites at most k of them. Chunk rows are never changed, only replaced: whether one counts is decided
 * by the owner's row alone.
 */
export type StoredIds = { readonly ids: readonly string[] } | { readonly chunks: readonly string[] };

export const NO_IDS: StoredIds = { ids: [] };

const INLINE = 48;
const PER_CHUNK = 256;

/** Chunks read so far, by key, so that unchanged ones are kept when the set is saved again. */
export type ChunkCache = Map<string, readonly string[]>;

export async function loadIds(ledger: Ledger, stored: StoredIds, cache: ChunkCache): Promise<Set<string>> {
  if ('ids' in stored) return new Set(stored.ids);
  const missing = stored.chunks.filter((key) => !cache.has(key));
  for (const [key, row] of await ledger.getMany(missing)) {
    cache.set(key, (row.body as unknown as { ids: string[] }).ids);
  }
  const ids = new Set<string>();
  for (const key of stored.chunks) {
    const chunk = cache.get(key);
    if (chunk === undefined) throw new LostChunk(key);
    for (const id of chunk) ids.add(id);
  }
  return ids;
}

/** The owner's row was replaced while its chunks were read; reading the row again helps. */
export class LostChunk extends Error {
  constructor(key: string) {
    super(`the row that refers to ${key} was replaced while it was read`);
  }
}

const MOST_READS = 5;

/** Reads again while a row is replaced between it and the ids that it refers to. `read` has to read the row anew when it is `again`. */
export async function readWhole<T>(read: (again: boolean) => Promise<T>): Promise<T> {
  for (let times = 1; ; times += 1) {
    try {
      return await read(times > 1);
    } catch (thrown) {
      if (!(thrown instanceof LostChunk) || times === MOST_READS) throw thrown;
    }
  }
}

export async function saveIds(
  ledger: Ledger,
  ids: ReadonlySet<string>,
  cache: ChunkCache,
  newId: () => string,
): Promise<StoredIds> {
  if (ids.size <= INLINE) return { ids: [...ids].sort() };
  const bits = Math.max(1, Math.ceil(Math.log2(ids.size / PER_CHUNK)));
  const buckets = Array.from({ length: 2 ** bits }, (): string[] => []);
  for (const id of ids) buckets[bucketOf(id, bits)]?.push(id);
  const known = new Map([...cache].map(([key, chunk]) => [chunk.join(), key]));
  const chunks = await Promise.all(
    buckets
      .filter((bucket) => bucket.length > 0)
      .map(async (bucket) => {
        bucket.sort();
        const reused = known.get(bucket.join());
        if (reused !== undefined) return reused;
        const key = `ids/${newId()}`;
        const body: JsonObject = { kind: 'ids', version: 1, ids: bucket };
        await ledger.write({ key, rev: newId(), body }, null);
        cache.set(key, bucket);
        return key;
      }),
  );
  return { chunks };
}

/** Removes chunk rows that the owner's row no longer refers to. A chunk key is used once, so this can never hit a live one. */
export async function dropIds(ledger: Ledger, cache: ChunkCache, kept: readonly StoredIds[]): Promise<void> {
  const live = new Set(kept.flatMap((stored) => ('chunks' in stored ? stored.chunks : [])));
  const dead = [...cache.keys()].filter((key) => !live.has(key));
  const rows = await ledger.getMany(dead);
  await Promise.all([...rows.values()].map((row) => ledger.remove(row.key, row.rev)));
  for (const key of dead) cache.delete(key);
}

/** Of 2^bits buckets the one of this id. Ids are base64url digests: their leading bits are evenly spread. */
export function bucketOf(id: string, bits: number): number {
  const leading = Buffer.from(id.slice(0, 4), 'base64url').readUIntBE(0, 3);
  return leading >> (24 - bits);
}
