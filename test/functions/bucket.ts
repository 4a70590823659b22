import { createHash } from 'node:crypto';
import { compareUtf8 } from '../../shared/ledger/keys.ts';
import type { Manifests, StoredObject } from '../../shared/manifests/manifests.ts';

/** A bucket in memory. */
export function bucket(): Manifests {
  const objects = new Map<string, StoredObject>();
  const headOf = (object: StoredObject | undefined) =>
    object && { key: object.key, etag: object.etag, size: object.size };
  return {
    head: async (key) => headOf(objects.get(key)),
    get: async (key) => objects.get(key),
    async put(key, bytes) {
      const object = { key, bytes, size: bytes.byteLength, etag: createHash('sha256').update(bytes).digest('hex') };
      objects.set(key, object);
      return object;
    },
    delete: async (key) => void objects.delete(key),
    async list(prefix, { after = '', limit = 1_000 } = {}) {
      const found = [...objects.values()]
        .filter(({ key }) => key.startsWith(prefix) && compareUtf8(key, after) > 0)
        .sort((a, b) => compareUtf8(a.key, b.key));
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return found.length > limit && last ? { items, next: last.key } : { items };
    },
  };
}
