import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import { expect, it, onTestFinished } from 'vitest';
import { startNotifier } from '../../local/notifier.ts';
import { memoryLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { embeddedServices } from '../../shared/wiring.ts';
import { until } from './local.ts';

it('tells at once of what this process writes or removes below openlineage/, and of what others drop there when it looks', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-notifier-'));
  const services = await embeddedServices({ ...readSettings({}), dataDir }, { log: memoryLog() });
  const told: string[] = [];
  let dropped = () => {};
  const seen = new Promise<void>((done) => {
    dropped = done;
  });
  const notifier = await startNotifier(services, async ({ Records: [record] }: SQSEvent) => {
    const { Records: changes } = JSON.parse(record?.body ?? '') as {
      Records: { eventName: string; s3: { object: { key: string } } }[];
    };
    const [change] = changes;
    told.push(`${change?.eventName} ${change?.s3.object.key}`);
    if (change?.s3.object.key.endsWith('dropped.json')) dropped();
    return { batchItemFailures: [] };
  });
  onTestFinished(async () => {
    await notifier.close();
    await services.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const { manifests } = services.deps;
  await manifests.put('openlineage/n/own.json', Buffer.from('{}'), 'application/json');
  await manifests.put('status/openlineage/n/own.json.json', Buffer.from('{}'), 'application/json');
  expect(told).toEqual(['ObjectCreated:Put openlineage/n/own.json']);
  await manifests.delete('openlineage/n/own.json');
  expect(told.slice(1)).toEqual(['ObjectRemoved:Delete openlineage/n/own.json']);
  // The first look only learns what is there, so it is dropped until one comes after that.
  await mkdir(join(services.bucket, 'openlineage/n'), { recursive: true });
  const dropping = (async () => {
    for (let n = 0; ; n += 1) {
      await writeFile(join(services.bucket, 'openlineage/n/dropped.json'), `${n}`);
      if (await Promise.race([seen.then(() => true), new Promise<false>((no) => setTimeout(no, 300, false))])) return;
    }
  })();
  await dropping;
});

it('tells once of what is written while it looks', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-notifier-'));
  const services = await embeddedServices({ ...readSettings({}), dataDir }, { log: memoryLog() });
  const { manifests } = services.deps;
  let looks = 0;
  let write = async () => {};
  const list: typeof manifests.list = async (prefix, page) => {
    const found = await manifests.list(prefix, page);
    if (prefix !== 'openlineage/') return found;
    looks += 1;
    if (looks === 2) await write();
    return found;
  };
  const slow = new Proxy(manifests, { get: (target, name) => (name === 'list' ? list : Reflect.get(target, name)) });
  const told: string[] = [];
  const notifier = await startNotifier({ ...services, deps: { ...services.deps, manifests: slow } }, async (event) => {
    told.push(event.Records[0]?.body.includes('ObjectCreated') ? 'created' : 'removed');
    return { batchItemFailures: [] };
  });
  onTestFinished(async () => {
    await notifier.close();
    await services.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  write = () => manifests.put('openlineage/n/own.json', Buffer.from('{}'), 'application/json').then(() => {});
  await until(async () => looks >= 4);
  expect(told).toEqual(['created']);
});
