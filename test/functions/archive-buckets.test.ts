import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { work } from '../../functions/register/register.ts';
import { putTogether } from '../../shared/intake/archive-batch.ts';
import { memoryLog } from '../../shared/log.ts';
import { s3Client, s3Manifests } from '../../shared/manifests/s3.ts';
import type { IntakeMessage } from '../../shared/queue/queue.ts';
import { readSettings } from '../../shared/settings.ts';
import { embeddedServices } from '../../shared/wiring.ts';
import { at, startFauxqs } from '../contract/aws-emulators.ts';
import { archiveMachine, LIMITS, line, NO_DEADLINE, PREFIX, WINDOW } from './archive-machine.ts';

it('a folder of more objects than one run takes is put together between other messages', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-archive-'));
  const services = await embeddedServices({ ...readSettings({}), dataDir }, { log: memoryLog() });
  onTestFinished(async () => {
    await services.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const { queue, bucket } = services;
  const folder = join(bucket, PREFIX);
  await mkdir(folder, { recursive: true });
  const lines = Array.from({ length: 1_100 }, (_, n) => line(n));
  await Promise.all(
    lines.map((text, n) => writeFile(join(folder, `${(n * 7_919) % 1_100}.jsonl.gz`), gzipSync(`${text}\n`))),
  );
  await queue.send({ kind: 'archive', window: WINDOW });
  await queue.send({ kind: 'tidy' });

  const order: string[] = [];
  for (;;) {
    const [delivery] = await queue.receive(1, 60_000);
    if (!delivery) break;
    const message = JSON.parse(delivery.body) as IntakeMessage;
    order.push(message.kind);
    if (message.kind === 'archive')
      await putTogether(message.window, services, Date.now() + 600_000, { ...LIMITS, objects: 250, slices: 2 });
    await queue.acknowledge(delivery.id);
  }
  expect(order).toEqual(['archive', 'tidy', 'archive', 'archive']);
  expect(await readdir(folder)).toEqual([]);
  const batches = await readdir(join(bucket, 'archive/batches/2026-11-20'));
  const texts = batches.map(async (name) =>
    gunzipSync(await readFile(join(bucket, 'archive/batches/2026-11-20', name))).toString('utf8'),
  );
  expect([batches.length, (await Promise.all(texts)).join('').trim().split('\n').sort()]).toEqual([5, lines.sort()]);
});

it('a bucket of S3 in which a run died is put together by the next one', async () => {
  const fauxqs = await startFauxqs();
  const client = s3Client({ ...at(fauxqs.url), forcePathStyle: true });
  onTestFinished(async () => {
    client.destroy();
    await fauxqs.close();
  });
  await client.send(new CreateBucketCommand({ Bucket: 'lineage-archive' }));
  const bucket = s3Manifests('lineage-archive', { client });
  const machine = archiveMachine(120);
  for (const [key, bytes] of machine.objects) await bucket.put(key, bytes, 'application/gzip');
  const listed = async (prefix: string) => (await bucket.list(prefix)).items.map(({ key }) => key);
  let removed = 0;
  const dying = {
    ...bucket,
    async delete(key: string) {
      removed += 1;
      if (removed > 70) throw new Error('killed');
      await bucket.delete(key);
    },
  };
  const limits = { ...LIMITS, objects: 50, slices: 10 };
  await expect(putTogether(WINDOW, machine.process({}, { manifests: dying }), NO_DEADLINE, limits)).rejects.toThrow(
    'killed',
  );
  expect(await listed('archive/batches/')).toHaveLength(2);
  // As the worker does it, with the limits that it has.
  await work({ kind: 'archive', window: WINDOW }, machine.process({}, { manifests: bucket }), Date.now() + 600_000);
  expect(await listed('archive/new/')).toEqual([]);
  const objects = await Promise.all((await listed('archive/batches/')).map((key) => bucket.get(key)));
  const texts = objects.map((object) => gunzipSync(object?.bytes ?? '').toString('utf8'));
  expect([objects.length, texts.join('').trim().split('\n').sort()]).toEqual([3, machine.lines.sort()]);
}, 30_000);
