import { createHash } from 'node:crypto';
import { Failure } from '../core/failure.ts';
import { compareUtf8 } from '../ledger/keys.ts';
import type { Manifests, ObjectHead } from '../manifests/manifests.ts';

/** Where people's manifests are; the only part of the bucket that a folder stands in for. */
const PREFIX = 'manifests/';

/**
 * The bucket as it would be with `files` (by key, `manifests/…`) put into it. `complete`: they are all there is under `manifests/`, so what
 * else is there counts as removed. What is the same in the bucket keeps its etag, so that it counts as unchanged. Read-only.
 */
export function overlaid(inner: Manifests, files: ReadonlyMap<string, Uint8Array>, complete: boolean): Manifests {
  const listed = new Map<string, Promise<readonly ObjectHead[]>>();
  const hidden = (key: string): boolean => complete && key.startsWith(PREFIX) && !files.has(key);
  const readOnly = (): never => {
    throw new Failure('unsupported', 'these manifests are only planned, nothing is written');
  };

  async function headOf(key: string, bytes: Uint8Array): Promise<ObjectHead> {
    const real = await inner.head(key);
    if (real?.size === bytes.byteLength) {
      const object = await inner.get(key);
      if (object && Buffer.from(object.bytes).equals(bytes)) return real;
    }
    return { key, etag: `planned-${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.byteLength };
  }

  async function listAll(prefix: string): Promise<readonly ObjectHead[]> {
    const found = new Map<string, ObjectHead>();
    for (let after: string | undefined, more = true; more; ) {
      const page = await inner.list(prefix, after === undefined ? {} : { after });
      for (const each of page.items) if (!hidden(each.key)) found.set(each.key, each);
      after = page.next;
      more = after !== undefined;
    }
    for (const [key, bytes] of files) if (key.startsWith(prefix)) found.set(key, await headOf(key, bytes));
    return [...found.values()].sort((a, b) => compareUtf8(a.key, b.key));
  }

  return {
    async head(key) {
      const bytes = files.get(key);
      if (bytes) return headOf(key, bytes);
      return hidden(key) ? undefined : inner.head(key);
    },
    async get(key, options) {
      const bytes = files.get(key);
      if (!bytes) return hidden(key) ? undefined : inner.get(key, options);
      if (options?.maxBytes !== undefined && bytes.byteLength > options.maxBytes) {
        const size = bytes.byteLength;
        throw new Failure('invalid', `${key} is larger than ${options.maxBytes} bytes`, { code: 'too-large', size });
      }
      return { ...(await headOf(key, bytes)), bytes };
    },
    put: async () => readOnly(),
    delete: async () => readOnly(),
    async list(prefix, { after = '', limit = 1_000 } = {}) {
      const all = listed.get(prefix) ?? listAll(prefix);
      listed.set(prefix, all);
      const rest = (await all).filter((each) => compareUtf8(each.key, after) > 0);
      const items = rest.slice(0, limit);
      const last = items.at(-1);
      return rest.length > limit && last ? { items, next: last.key } : { items };
    },
  };
}
