import { Failure } from '../core/failure.ts';

interface S3Notification {
  readonly Event?: unknown;
  readonly Records?: readonly { readonly s3?: { readonly object?: { readonly key?: unknown } } }[];
}

/**
 * The keys that a bucket's notification names, each once, decoded. Which event it was does not matter, because every one is a hint to look:
 * created, removed, expired by lifecycle, a delete marker put or taken away, a version deleted. None for the test
 * event that a bucket sends when its notifications are set up. Throws `Failure` `invalid` for anything else.
 * (AWS, S3 event message structure, read 2026-11: keys are URL-encoded, a space as `+`.)
 */
export function changedKeys(body: string): readonly string[] {
  const { Event, Records } = notification(body);
  if (Records === undefined && Event === 's3:TestEvent') return [];
  if (!Array.isArray(Records))
    throw new Failure('invalid', 'The message is no notification of a bucket; look who sends to this queue.');
  const keys = Records.map((each) => {
    const key: unknown = each?.s3?.object?.key;
    if (typeof key !== 'string')
      throw new Failure('invalid', 'A record of the notification names no object; look who sends to this queue.');
    return decoded(key);
  });
  return [...new Set(keys)];
}

function notification(body: string): S3Notification {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new Failure('invalid', 'The message is not JSON; look who sends to this queue.');
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw new Failure(
      'invalid',
      `The notification names ${JSON.stringify(key.slice(0, 200))}, which is not URL-encoded.`,
    );
  }
}
