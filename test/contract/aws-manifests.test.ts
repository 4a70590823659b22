import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js';
import { SnsStore } from '../../node_modules/fauxqs/dist/sns/snsStore.js';
import { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js';
import { s3Client, s3Manifests } from '../../shared/manifests/s3.ts';
import { at, type Emulator, startFauxqs } from './aws-emulators.ts';
import { manifestsSuite } from './manifests-suite.ts';
import { type S3Stub, startS3Stub } from './s3-stub.ts';

const BUCKET = 'lineage-test';
let s3: S3Stub;
let client: S3Client;
let fauxqs: Emulator;
let fauxqsClient: S3Client;

/** fauxqs lists in the order of this machine's language; S3 in that of UTF-8 bytes. */
class InByteOrder extends S3Store {
  override listObjects(...[bucket, options]: Parameters<S3Store['listObjects']>) {
    const { startAfter = '', maxKeys = 1_000, prefix = '' } = options ?? {};
    const all = super.listObjects(bucket, { prefix, maxKeys: Number.MAX_SAFE_INTEGER }).objects;
    const rest = all
      .filter(({ key }) => Buffer.compare(Buffer.from(key), Buffer.from(startAfter)) > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    return { objects: rest.slice(0, maxKeys), commonPrefixes: [], isTruncated: rest.length > maxKeys };
  }
}

beforeAll(async () => {
  s3 = await startS3Stub(BUCKET);
  client = s3Client({ ...at(s3.url), forcePathStyle: true });
  const stores = { s3Store: new InByteOrder(), sqsStore: new SqsStore(), snsStore: new SnsStore() };
  fauxqs = await startFauxqs(stores);
  fauxqsClient = s3Client({ ...at(fauxqs.url), forcePathStyle: true });
  await fauxqsClient.send(new CreateBucketCommand({ Bucket: BUCKET }));
});
afterAll(async () => {
  client.destroy();
  fauxqsClient.destroy();
  await Promise.all([s3.close(), fauxqs.close()]);
});

const quick = { sleep: async () => {}, random: () => 0 };
const bucket = () => s3Manifests(BUCKET, { client, ...quick });
const bytes = (text: string) => new TextEncoder().encode(text);

manifestsSuite('S3 (a strict stub of it, versioned)', () => ({ subject: bucket(), close: () => {} }));
manifestsSuite('S3 (fauxqs)', () => ({
  subject: s3Manifests(BUCKET, { client: fauxqsClient }),
  close: () => {},
}));

describe('absence is NoSuchKey, and nothing else is', () => {
  beforeEach(() => {
    s3.refuse = undefined;
    s3.requests.length = 0;
  });

  test('a head of what is there is one HEAD; of what is not, a GET says whether the bucket is', async () => {
    await bucket().put('manifests/a.yaml', bytes('x'), 'application/yaml');
    await bucket().head('manifests/a.yaml');
    expect(await bucket().head('manifests/b.yaml')).toBeUndefined();
    expect(s3.requests).toEqual([
      'PUT manifests/a.yaml',
      'HEAD manifests/a.yaml',
      'HEAD manifests/b.yaml',
      'GET manifests/b.yaml',
    ]);
  });

  test('no bucket, no right, no key and trouble throw, for every call', async () => {
    const cases = [
      [404, 'NoSuchBucket', 'unavailable'],
      [403, 'AccessDenied', 'denied'],
      [400, 'KMS.DisabledException', 'denied'],
      [403, 'KMS.AccessDeniedException', 'denied'],
      [403, 'InvalidObjectState', 'denied'],
      [500, 'InternalError', 'unavailable'],
      [503, 'SlowDown', 'throttled'],
      [301, 'PermanentRedirect', 'unavailable'],
    ] as const;
    for (const [status, code, kind] of cases) {
      s3.refuse = { status, code };
      const lost = status === 500 ? 'unknown-outcome' : kind;
      await expect(bucket().get('a'), code).rejects.toMatchObject({ kind });
      await expect(bucket().list('a'), code).rejects.toMatchObject({ kind });
      await expect(bucket().put('a', bytes('x'), 'text/plain'), code).rejects.toMatchObject({ kind: lost });
      await expect(bucket().delete('a'), code).rejects.toMatchObject({ kind: lost });
      // A HEAD brings no code, only a status.
      const headKind = status === 503 ? 'unavailable' : status === 400 ? 'invalid' : kind;
      await expect(bucket().head('a'), code).rejects.toMatchObject({ kind: headKind });
    }
  });

  test('a bucket that does not exist is not an empty one', async () => {
    const other = s3Manifests('another-bucket', { client, ...quick });
    for (const call of [other.head, other.get, other.list, other.delete]) {
      await expect(call('a')).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/NoSuchBucket/),
      });
    }
  });

  test('trouble that passes is not seen', async () => {
    await bucket().put('manifests/a.yaml', bytes('x'), 'application/yaml');
    s3.refuse = { status: 503, code: 'SlowDown' };
    const waits: number[] = [];
    const patient = s3Manifests(BUCKET, {
      client,
      random: () => 0.5,
      sleep: async (ms) => {
        waits.push(ms);
        s3.refuse = undefined;
      },
    });
    expect((await patient.get('manifests/a.yaml'))?.size).toBe(1);
    expect(waits).toHaveLength(1);
  });
});

describe('listings', () => {
  test('objects whose keys are none of ours are passed over, also where a page ends with one', async () => {
    const raw = s3Manifests(BUCKET, { client });
    for (const key of ['dir/a.yaml', 'dir/c.yaml']) await raw.put(key, bytes(key), 'text/plain');
    // As the console makes a folder.
    await fetch(`${s3.url}/${BUCKET}/dir/b/`, { method: 'PUT', headers: { 'content-type': 'x' } });
    expect((await raw.list('dir/')).items.map(({ key }) => key)).toEqual(['dir/a.yaml', 'dir/c.yaml']);
    const first = await raw.list('dir/', { limit: 1 });
    const second = await raw.list('dir/', { limit: 1, after: first.next ?? '' });
    expect([first.items, second.items].map((items) => items.map(({ key }) => key))).toEqual([
      ['dir/a.yaml'],
      ['dir/c.yaml'],
    ]);
  });

  test('characters that XML cannot carry come through', async () => {
    const keys = ['odd/\u0001.yaml', 'odd/\uffff.yaml'];
    for (const key of keys) await bucket().put(key, bytes(key), 'text/plain');
    expect((await bucket().list('odd/')).items.map(({ key }) => key)).toEqual(keys);
  });

  test('a limit above one listing of S3 takes several', async () => {
    const subject = bucket();
    const keys = Array.from({ length: 1_100 }, (_, number) => `many/${String(number).padStart(4, '0')}.yaml`);
    for (let start = 0; start < keys.length; start += 100) {
      await Promise.all(keys.slice(start, start + 100).map((key) => subject.put(key, bytes(''), 'text/plain')));
    }
    expect((await subject.list('many/', { limit: 5_000 })).items.map(({ key }) => key)).toEqual(keys);
    const page = await subject.list('many/');
    expect([page.items.length, page.next]).toEqual([1_000, keys[999]]);
  });
});
