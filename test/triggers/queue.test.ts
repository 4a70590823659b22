import type { SQSEvent } from 'aws-lambda';
import { describe, expect, test } from 'vitest';
import { invocation } from '../../local/invocation.ts';
import { sqsEvent } from '../../local/worker.ts';
import { objectChanged, type QueueEntry, queued } from '../../shared/triggers/queue.ts';
import { opened } from './opened.ts';

const events = (...bodies: readonly unknown[]): SQSEvent => ({
  Records: bodies.flatMap(
    (body, at) => sqsEvent(`m${at}`, typeof body === 'string' ? body : JSON.stringify(body), 1, 'q').Records,
  ),
});

const s3 = (eventName: string, ...keys: readonly string[]) => ({
  Records: keys.map((key) => ({ eventSource: 'aws:s3', eventName, s3: { bucket: { name: 'b' }, object: { key } } })),
});

async function run(entry: QueueEntry, event: SQSEvent, leftMs = 60_000) {
  const services = await opened();
  const { batchItemFailures } = await entry.open(services)(event, invocation('f', leftMs, 'r1'));
  return { failed: batchItemFailures.map((each) => each.itemIdentifier).sort(), log: services.log };
}

describe('notifications of the bucket', () => {
  async function keysOf(...bodies: readonly unknown[]) {
    const keys: string[] = [];
    const entry = objectChanged(async ({ key }) => {
      keys.push(key);
    });
    return { keys, ...(await run(entry, events(...bodies))) };
  }

  test.each([
    'ObjectCreated:Put',
    'ObjectCreated:CompleteMultipartUpload',
    'ObjectRemoved:Delete',
    'ObjectRemoved:DeleteMarkerCreated',
    'LifecycleExpiration:Delete',
    'LifecycleExpiration:DeleteMarkerCreated',
  ])('%s is a hint to look at its key', async (name) => {
    expect(await keysOf(s3(name, 'manifests/a.yaml'))).toMatchObject({ keys: ['manifests/a.yaml'], failed: [] });
  });

  test('several records are several keys, decoded, each once', async () => {
    const body = s3(
      'ObjectCreated:Put',
      'manifests/a+b.yaml',
      'http/x%252Fy.json',
      'manifests/%C3%BC%2B.yaml',
      'manifests/a+b.yaml',
    );
    expect((await keysOf(body)).keys).toEqual(['manifests/a b.yaml', 'http/x%2Fy.json', 'manifests/ü+.yaml']);
  });

  test("the bucket's test event is nobody's change", async () => {
    const body = { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b', Time: '2026-11-21T02:00:00.000Z' };
    expect(await keysOf(body)).toMatchObject({ keys: [], failed: [] });
  });

  test('what is no notification fails, with a reason, and the others are done', async () => {
    const found = await keysOf('hello', s3('ObjectCreated:Put', 'manifests/a.yaml'), {}, s3('ObjectCreated:Put', '%'));
    expect(found).toMatchObject({ keys: ['manifests/a.yaml'], failed: ['m0', 'm2', 'm3'] });
    expect(found.log.lines.filter((line) => line.level === 'error')).toHaveLength(3);
  });
});

describe('a batch', () => {
  const message = (owner: string) => ({ kind: 'converge', owner });

  test('reports only what failed', async () => {
    const entry = queued(async (each) => {
      if ('owner' in each && each.owner === 'bad') throw new Error('no');
    });
    expect((await run(entry, events(message('a'), message('bad'), message('c'), { no: 'kind' }))).failed).toEqual([
      'm1',
      'm3',
    ]);
  });

  test('runs side by side, at most five at a time', async () => {
    let now = 0;
    let most = 0;
    const entry = queued(async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((done) => setTimeout(done, 10));
      now -= 1;
    });
    await run(entry, events(...Array.from({ length: 12 }, (_, at) => message(`${at}`))));
    expect(most).toBe(5);
  });

  test('begins nothing that cannot end in time, and says so', async () => {
    let begun = 0;
    const entry = queued(async () => {
      begun += 1;
    });
    const { failed, log } = await run(entry, events(message('a'), message('b')), 12_000);
    expect([begun, failed]).toEqual([0, ['m0', 'm1']]);
    expect(log.lines.map((line) => line.fields['reason'])).toContainEqual(
      expect.stringMatching(/too little time left/),
    );
  });

  test('that is none is refused as a whole', async () => {
    const entry = queued(async () => {});
    await expect(run(entry, {} as SQSEvent)).rejects.toThrow(/messages of a queue/);
  });
});
