import type { Manifests } from './manifests.ts';

/** What this process has done to an object: `etag` is what it holds now, absent when it was removed. */
export interface Written {
  readonly key: string;
  readonly etag?: string;
}

/** The same bucket, which tells of what is written through it once that is durable. */
export function announcing(manifests: Manifests, tell: (written: Written) => void): Manifests {
  return {
    ...manifests,
    async put(key, bytes, contentType) {
      const head = await manifests.put(key, bytes, contentType);
      tell({ key, etag: head.etag });
      return head;
    },
    async delete(key) {
      await manifests.delete(key);
      tell({ key });
    },
  };
}
