import { Failure } from '../core/failure.ts';
import type { Page } from '../ledger/ledger.ts';

export interface ObjectHead {
  readonly key: string;
  /** Changes whenever the content changes; equal content may keep it. */
  readonly etag: string;
  readonly size: number;
}

export interface StoredObject extends ObjectHead {
  readonly bytes: Uint8Array;
}

/**
 * The bucket: manifests (desired state), naming.yaml and status documents. Keys are `/`-separated, never start with `/`,
 * never hold `.` or `..` segments, NUL or backslashes (`Failure` `invalid` otherwise).
 *
 * `undefined` means certainly absent. Whatever leaves a doubt (no permission, no bucket, an I/O error) throws.
 */
export interface Manifests {
  head(key: string): Promise<ObjectHead | undefined>;
  /** Throws `Failure` `invalid` with code `too-large` and its `size` before reading when the object is above `maxBytes`. */
  get(key: string, options?: { readonly maxBytes?: number }): Promise<StoredObject | undefined>;
  /** Atomic and durable when it resolves: readers see the old bytes or the new, never a part. */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<ObjectHead>;
  /** Durable when it resolves; removing what is absent succeeds. */
  delete(key: string): Promise<void>;
  /** Objects under a prefix in UTF-8 byte order of their keys. A listing that cannot be completed throws. `limit` defaults to 1,000. */
  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<Page<ObjectHead>>;
}

/** An object above `maxBytes`, by its key: where a store keeps it is nobody's business. */
export function tooLarge(key: string, size: number, maxBytes: number): Failure {
  return new Failure('invalid', `${key} has ${size} bytes, more than the ${maxBytes} allowed.`, {
    code: 'too-large',
    size,
  });
}
