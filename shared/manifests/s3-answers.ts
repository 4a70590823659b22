import { Readable } from 'node:stream';
import type { GetObjectCommandOutput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { Failure } from '../core/failure.ts';
import { checkKey } from './folder-keys.ts';
import type { ObjectHead } from './manifests.ts';

/** What S3 says about an object before its body is read. */
export type Described = Pick<GetObjectCommandOutput, 'ETag' | 'ContentLength' | 'Body'>;

/** The one answer that means that there certainly is no such object. */
export function isNoSuchKey(thrown: unknown): boolean {
  return nameOf(thrown) === 'NoSuchKey';
}

/** What a HEAD says, which has no body: no such object, or no such bucket. */
export function isNotFound(thrown: unknown): boolean {
  return nameOf(thrown) === 'NotFound' || isNoSuchKey(thrown);
}

function nameOf(thrown: unknown): unknown {
  return (thrown as { readonly name?: unknown } | null)?.name;
}

/** An etag without its quotes. Without one nobody could tell whether the object has changed. */
export function unquoted(etag: string | undefined): string {
  const text = etag?.replace(/^(?:W\/)?"(.*)"$/, '$1') ?? '';
  if (text === '') throw new Failure('unavailable', 'S3 answered without an etag; it is tried again later.');
  return text;
}

/** The whole body; `unavailable` when it is not as long as announced. */
export async function readBody({ Body, ContentLength }: Described, key: string): Promise<Uint8Array> {
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
  if (ContentLength !== undefined && bytes.length !== ContentLength) {
    throw new Failure(
      'unavailable',
      `S3 sent ${bytes.length} of ${ContentLength} bytes of ${key}; it is tried again later.`,
    );
  }
  return bytes;
}

/** Lets go of a body that nobody wants, and of its connection. */
export function discardBody({ Body }: Described): void {
  if (Body instanceof Readable) Body.destroy();
}

/** One answer of a listing; `next` is its last key, if there is more behind it. */
export function listed(
  answer: ListObjectsV2CommandOutput,
  prefix: string,
): { readonly heads: readonly ObjectHead[]; readonly next?: string } {
  const decode = answer.EncodingType === 'url' ? decoded : (key: string) => key;
  const objects = (answer.Contents ?? []).map(({ Key, ETag, Size }) => ({
    key: decode(Key ?? ''),
    etag: unquoted(ETag),
    size: Size ?? 0,
  }));
  const heads = objects.filter(({ key }) => isAllowed(key));
  if (answer.IsTruncated !== true) return { heads };
  const last = objects.at(-1);
  if (last === undefined) {
    throw new Failure('unavailable', `S3 cut the listing of ${prefix} short; it is tried again later.`);
  }
  return { heads, next: last.key };
}

function decoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function isAllowed(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}
