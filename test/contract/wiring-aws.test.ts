import { readFile } from 'node:fs/promises';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { register, settle } from '../../functions/register/register.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { s3Client } from '../../shared/manifests/s3.ts';
import { sqsClient } from '../../shared/queue/sqs.ts';
import { readSettings } from '../../shared/settings.ts';
import { wire } from '../../shared/wiring.ts';
import { at, type Emulator, startDynalite, startFauxqs, type TableEmulator } from './aws-emulators.ts';
import { type SecretsManagerStub, startSecretsManagerStub } from './secrets-manager-stub.ts';
import { sqsReceiver } from './sqs-receiver.ts';

const BUCKET = 'lineage-wiring';
let dynamodb: TableEmulator;
let fauxqs: Emulator;
let secrets: SecretsManagerStub;
let queueUrl: string;

beforeAll(async () => {
  [dynamodb, fauxqs, secrets] = await Promise.all([startDynalite(), startFauxqs(), startSecretsManagerStub()]);
  const s3 = s3Client({ ...at(fauxqs.url), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const sqs = sqsClient(at(fauxqs.url));
  queueUrl = (await sqs.send(new CreateQueueCommand({ QueueName: 'work' }))).QueueUrl ?? '';
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([dynamodb.close(), fauxqs.close(), secrets.close()]);
});

beforeEach(() => {
  vi.unstubAllEnvs();
  const environment = {
    // What Lambda sets, and the SDK's own variables that lead it to this machine.
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKTEST',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
    AWS_ENDPOINT_URL_S3: fauxqs.url,
    AWS_ENDPOINT_URL_SQS: fauxqs.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    TABLE: dynamodb.table,
    BUCKET,
    // With the host it has in AWS, where no test may ever go.
    QUEUE_URL: `https://sqs.eu-central-1.amazonaws.com${new URL(queueUrl).pathname}`,
    SECRET_PREFIX: 'test/',
    LOG_LEVEL: 'silent',
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
});

describe('the services in AWS', () => {
  test('keep everything where the settings say', async () => {
    secrets.held = { 'test/lineage/flink': '{"wrong":1}', 'lineage/dataphin': '{}' };
    const { deps } = await wire();
    const id = deps.id();
    expect(await deps.ledger.write({ key: id, rev: id, body: {}, index: ['owners'] }, null)).toBe(true);
    expect((await deps.ledger.find('owners')).items).toContain(id);
    await deps.manifests.put('manifests/a.yaml', new TextEncoder().encode('version: 1\n'), 'application/yaml');
    expect((await deps.manifests.head('manifests/a.yaml'))?.size).toBe(11);
    await deps.queue.send({ kind: 'converge', owner: 'manifests/a.yaml' });
    expect(await sqsReceiver(sqsClient(at(fauxqs.url)), queueUrl).receive(1, 1_000)).toHaveLength(1);
    const targets = await deps.targets();
    expect(targets.list).toEqual([]);
    expect(targets.problems.map(({ target }) => target)).toEqual(['flink']);
  });

  test('register a manifest at a vendor, and do nothing when nothing changed', async () => {
    const dataphin = await startDataphin();
    onTestFinished(() => dataphin.close());
    secrets.held = { 'test/lineage/dataphin': JSON.stringify(dataphin.secret()) };
    const services = await wire();
    const manifest = await readFile(new URL('../../events/manifests/minimal.yaml', import.meta.url));
    const settled = await register('manifests/minimal.yaml', manifest, services, Date.now() + 20_000);
    expect(settled).toMatchObject({ finished: true, status: { edges: [{ outcome: 'registered' }] } });
    expect((await services.deps.manifests.head('status/manifests/minimal.yaml.json'))?.size).toBeGreaterThan(0);
    const calls = async () => ((await (await fetch(`${dataphin.url}/_sandbox/calls`)).json()) as unknown[]).length;
    const before = await calls();
    const row = await services.deps.ledger.get('owner/manifests/minimal.yaml');
    const again = await wire();
    expect(await settle('manifests/minimal.yaml', again, Date.now() + 20_000)).toMatchObject({ finished: true });
    expect(await calls()).toBe(before);
    expect(await again.deps.ledger.get('owner/manifests/minimal.yaml')).toEqual(row);
    expect((await again.deps.ledger.find('units')).items).toHaveLength(1);
  });

  test('read secrets and their list once a minute', async () => {
    secrets.held = { 'test/lineage/flink': '{"wrong":1}' };
    const { deps } = await wire();
    secrets.requests.length = 0;
    for (let again = 0; again < 3; again++) await deps.targets();
    expect(secrets.requests).toEqual(['ListSecrets', 'GetSecretValue']);
  });

  test('count on clocks that differ, and on leases that include it', async () => {
    const { deps } = await wire();
    expect(deps.settings).toMatchObject({ graceMs: 60_000, clockSkewMs: 5_000 });
    expect(deps.alive({ token: 'of another process', until: Date.now() + 1_000 })).toBe(true);
    expect(deps.alive({ token: 'of another process', until: Date.now() - 1 })).toBe(false);
    expect(deps.id()).not.toBe(deps.id());
  });

  test.each([
    [['TABLE'], 'Set TABLE, too'],
    [['BUCKET', 'QUEUE_URL'], 'Set BUCKET and QUEUE_URL, too'],
  ])('without %j they say so instead of starting', async (names, message) => {
    for (const name of names) vi.stubEnv(name, '');
    await expect(wire()).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(message) });
  });
});

describe('the settings for AWS', () => {
  const all = {
    TABLE: 'lineage-prod',
    BUCKET: 'lineage-prod',
    QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/q',
  };

  test('are there when any is set, and change the default of the grace', () => {
    expect(readSettings({ SECRET_PREFIX: 'prod/' }).aws).toBeUndefined();
    expect(readSettings(all)).toMatchObject({
      vanishGraceMs: 60_000,
      aws: { table: 'lineage-prod', bucket: 'lineage-prod', queueUrl: all.QUEUE_URL, secretPrefix: '' },
    });
    expect(readSettings({ TABLE: 'lineage-prod' }).aws).toEqual({ table: 'lineage-prod', secretPrefix: '' });
    expect(readSettings({ ...all, VANISH_GRACE: '5', SECRET_PREFIX: 'prod/' })).toMatchObject({
      vanishGraceMs: 5_000,
      aws: { secretPrefix: 'prod/' },
    });
  });

  test.each([
    ['TABLE', ['a b', 'ab']],
    ['BUCKET', ['Upper', 'a', '-x-']],
    ['QUEUE_URL', ['queue', 'arn:aws:sqs:x:1:q']],
    ['SECRET_PREFIX', ['ä/', 'a b']],
  ] as const)('%s is refused as any of %j', (name, values) => {
    for (const value of values) expect(() => readSettings({ ...all, [name]: value }), value).toThrow(`- ${name} is`);
  });
});
