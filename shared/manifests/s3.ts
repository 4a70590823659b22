import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { AWS_CLIENT, type AwsOptions, type AwsSession, awsSessions } from '../aws.ts';
import { pageSize } from '../ledger/keys.ts';
import { checkKey, checkPrefix } from './folder-keys.ts';
import { type Manifests, type ObjectHead, type StoredObject, tooLarge } from './manifests.ts';
import { type Described, discardBody, isNoSuchKey, isNotFound, listed, readBody, unquoted } from './s3-answers.ts';

export interface S3Options extends AwsOptions {
  /** Default: one from this process's region and role. */
  readonly client?: S3Client;
}

/** A client with our timeouts; region, credentials and endpoint come from the environment unless given. */
export function s3Client(config: S3ClientConfig = {}): S3Client {
  return new S3Client({ ...AWS_CLIENT, ...config });
}

/** Manifests have up to 5 MiB, which may take longer than other calls do. */
const ATTEMPT_MS = 5_000;
const CALL_MS = 15_000;
const KEYS_PER_LISTING = 1_000;

/**
 * An S3 bucket, versioned or not. The role needs `s3:ListBucket` on it: without, S3 answers 403 for what is absent, and that
 * is `denied` here, never absence. Absence is `NoSuchKey` alone (a delete marker gives it, too); since a HEAD has no body to
 * tell it from `NoSuchBucket`, an absent head costs a GET as well. Etags are S3's, without the quotes.
 *
 * Objects whose keys the port does not allow (the `folder/` objects of the console) are not listed.
 */
export function s3Manifests(bucket: string, options: S3Options = {}): Manifests {
  const client = options.client ?? s3Client();
  const open = awsSessions({ attemptMs: ATTEMPT_MS, callMs: CALL_MS, ...options });

  /** Runs `use` on the answer before its body is read; undefined when there certainly is no such object. */
  async function fetched<T>(
    key: string,
    session: AwsSession,
    use: (answer: Described) => Promise<T>,
  ): Promise<T | undefined> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { value } = await session.send({ what: `S3 get of ${key}`, writes: false }, async (abortSignal) => {
      try {
        return await use(await client.send(command, { abortSignal }));
      } catch (thrown) {
        if (isNoSuchKey(thrown)) return undefined;
        throw thrown;
      }
    });
    return value;
  }

  return {
    async head(key) {
      checkKey(key);
      const session = open();
      const { value } = await session.send({ what: `S3 head of ${key}`, writes: false }, async (abortSignal) => {
        try {
          return await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
        } catch (thrown) {
          if (isNotFound(thrown)) return undefined;
          throw thrown;
        }
      });
      if (value !== undefined) return { key, etag: unquoted(value.ETag), size: value.ContentLength ?? 0 };
      return fetched(key, session, async (answer): Promise<ObjectHead> => {
        discardBody(answer);
        return { key, etag: unquoted(answer.ETag), size: answer.ContentLength ?? 0 };
      });
    },

    async get(key, reading = {}) {
      checkKey(key);
      return fetched(key, open(), async (answer): Promise<StoredObject> => {
        const size = answer.ContentLength ?? 0;
        const { maxBytes } = reading;
        if (maxBytes !== undefined && size > maxBytes) {
          discardBody(answer);
          throw tooLarge(key, size, maxBytes);
        }
        const bytes = await readBody(answer, key);
        return { key, etag: unquoted(answer.ETag), size: bytes.length, bytes };
      });
    },

    async put(key, bytes, contentType) {
      checkKey(key);
      // The caller may change its bytes while this waits.
      const copy = new Uint8Array(bytes);
      const input = { Bucket: bucket, Key: key, Body: copy, ContentType: contentType };
      const { value } = await open().send({ what: `S3 put of ${key}`, writes: true }, (abortSignal) =>
        client.send(new PutObjectCommand(input), { abortSignal }),
      );
      return { key, etag: unquoted(value.ETag), size: copy.length };
    },

    async delete(key) {
      checkKey(key);
      await open().send({ what: `S3 delete of ${key}`, writes: true }, (abortSignal) =>
        client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      );
    },

    async list(prefix, page = {}) {
      checkPrefix(prefix);
      const limit = pageSize(page.limit);
      const items: ObjectHead[] = [];
      for (let after = page.after; ; ) {
        const input = {
          Bucket: bucket,
          Prefix: prefix,
          MaxKeys: Math.min(limit - items.length, KEYS_PER_LISTING),
          // XML cannot carry every character a key may have.
          EncodingType: 'url' as const,
          ...(after === undefined ? {} : { StartAfter: after }),
        };
        const { value } = await open().send({ what: `S3 listing of ${prefix}`, writes: false }, (abortSignal) =>
          client.send(new ListObjectsV2Command(input), { abortSignal }),
        );
        const found = listed(value, prefix);
        items.push(...found.heads);
        if (found.next === undefined) return { items };
        if (items.length >= limit) return { items, next: found.next };
        after = found.next;
      }
    },
  };
}
