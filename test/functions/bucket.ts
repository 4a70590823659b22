import { createHash } from 'node:crypto';
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
    list: async (prefix) => ({ items: [...objects.values()].filter((each) => each.key.startsWith(prefix)) }),
  };
}
