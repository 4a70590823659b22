import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { onTestFinished, vi } from 'vitest';
import { entries } from '../../local/entries.ts';
import { startHost } from '../../local/host.ts';
import { invocation } from '../../local/invocation.ts';
import type { Place } from '../../local/life.ts';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { startFlink } from '../../local/simulators/flink/index.ts';
import { sqsEvent } from '../../local/worker.ts';
import { type Log, memoryLog } from '../../shared/log.ts';
import { s3Manifests } from '../../shared/manifests/s3.ts';
import type { Message } from '../../shared/queue/queue.ts';
import { sqsClient } from '../../shared/queue/sqs.ts';
import { readSettings } from '../../shared/settings.ts';
import type { QueueHandler } from '../../shared/triggers/queue.ts';
import { awsServices } from '../../shared/wiring-aws.ts';
import { at, startDynalite, startFauxqs } from '../contract/aws-emulators.ts';
import { startS3Stub } from '../contract/s3-stub.ts';
import { type SecretsManagerStub, startSecretsManagerStub } from '../contract/secrets-manager-stub.ts';
import { sqsReceiver } from '../contract/sqs-receiver.ts';

const BUCKET = 'lineage-life';
const TIMEOUT_MS = 120_000;
const BATCH = 5;

export interface OnAws extends Place {
  readonly log: Log & { readonly lines: readonly { readonly message: string }[] };
  /** Secrets Manager, to take something out of it. */
  readonly secrets: SecretsManagerStub;
  /** Only tells of a change; the bucket stays as it is. */
  notify(eventName: string, key: string): Promise<void>;
  /** Puts a message into the work queue. */
  send(message: Message): Promise<void>;
  /** Nothing is in the queues, and nothing is being worked on. */
  idle(): Promise<boolean>;
  /** Messages that have been handed out more than `times`. */
  deliveredMoreOftenThan(times: number): number;
}

/**
 * The functions on the AWS adapters, against loopback servers; the platform's part (notifications, event sources) is played here. Ends
 * with the test.
 */
export async function onAws(
  environment: Readonly<Record<string, string>> = {},
  /** What stands between the functions and a service; the platform's own part goes past it. */
  through: (service: 'dynamodb' | 's3' | 'sqs', url: string) => Promise<string> = async (_service, url) => url,
): Promise<OnAws> {
  const simulators = await Promise.all([startDataphin(), startDataArts(), startFlink()]);
  const [dynamodb, fauxqs, s3, secrets] = await Promise.all([
    startDynalite(),
    startFauxqs(),
    startS3Stub(BUCKET),
    startSecretsManagerStub(),
  ]);
  const sqs = sqsClient(at(fauxqs.url));
  const queue = async (name: string) => {
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
    return QueueUrl;
  };
  const [objects, work] = [await queue('objects'), await queue('work')];
  secrets.held = Object.fromEntries(
    simulators.map((each) => [`life/lineage/${each.name}`, JSON.stringify(each.secret())]),
  );
  const endpoints = {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKTEST',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: await through('dynamodb', dynamodb.url),
    AWS_ENDPOINT_URL_S3: await through('s3', s3.url),
    AWS_ENDPOINT_URL_SQS: await through('sqs', fauxqs.url),
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
  };
  for (const [name, value] of Object.entries(endpoints)) vi.stubEnv(name, value);

  const log = memoryLog();
  const settings = readSettings({
    TABLE: dynamodb.table,
    BUCKET,
    QUEUE_URL: `https://sqs.eu-central-1.amazonaws.com${new URL(work).pathname}`,
    SECRET_PREFIX: 'life/',
    DEPLOYMENT: 'life',
    VANISH_GRACE: '0.5',
    UNKNOWN_WAIT: '1',
    DRIFT_DETECT: '0',
    ...environment,
  });
  const services = awsServices(settings, { log });
  // The caller has signed in with AWS; the URLs that anybody may call are others.
  const signedIn = Object.entries(entries).filter(([, each]) => each.kind !== 'http' || each.options.url !== 'public');
  const host = await startHost(Object.fromEntries(signedIn), services, 0);
  const source = (url: string, name: 'register-bucket' | 'register-worker') =>
    startEventSource(sqsReceiver(sqs, url), entries[name].open(services), name);
  const sources = [source(objects, 'register-bucket'), source(work, 'register-worker')];
  onTestFinished(async () => {
    await Promise.all(sources.map((each) => each.close()));
    await host.close();
    await Promise.all([dynamodb, fauxqs, s3, secrets, ...simulators].map((each) => each.close()));
    vi.unstubAllEnvs();
  });

  const bucket = s3Manifests(BUCKET);
  const notify = async (eventName: string, key: string) => {
    const object = { key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') };
    const body = { Records: [{ eventSource: 'aws:s3', eventName, s3: { bucket: { name: BUCKET }, object } }] };
    await sqs.send(new SendMessageCommand({ QueueUrl: objects, MessageBody: JSON.stringify(body) }));
  };
  const schedule = entries['scheduled-reconcile'].open(services);
  return {
    log,
    secrets,
    vendors: Object.fromEntries(simulators.map((each) => [each.name, each.url])),
    async drop(key, text) {
      await bucket.put(key, Buffer.from(text), 'application/yaml');
      await notify('ObjectCreated:Put', key);
    },
    async remove(key) {
      await bucket.delete(key);
      await notify('ObjectRemoved:DeleteMarkerCreated', key);
    },
    request: (method, path, body) => fetch(host.url + path, { method, ...(body === undefined ? {} : { body }) }),
    notify,
    send: (message) => services.deps.queue.send(message),
    async idle() {
      const counts = await Promise.all([objects, work].map((url) => waiting(sqs, url)));
      return counts.every((count) => count === 0);
    },
    reconcile: () => schedule({}, invocation('scheduled-reconcile', TIMEOUT_MS, 'pass')),
    deliveredMoreOftenThan: (times) => sources.reduce((sum, each) => sum + each.deliveredMoreOftenThan(times), 0),
  };
}

async function waiting(sqs: SQSClient, QueueUrl: string): Promise<number> {
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }));
  return names.reduce((sum, name) => sum + Number(Attributes?.[name]), 0);
}

/** What Lambda's event source does: batches to the function, deletes what it does not report as failed. */
function startEventSource(receiver: ReturnType<typeof sqsReceiver>, handler: QueueHandler, name: string) {
  const attempts: number[] = [];
  let closed = false;
  const loop = (async () => {
    while (!closed) {
      const deliveries = await receiver.receive(BATCH, 6 * TIMEOUT_MS);
      if (deliveries.length === 0) {
        await new Promise((done) => setTimeout(done, 40));
        continue;
      }
      attempts.push(...deliveries.map((each) => each.attempt));
      const Records = deliveries.flatMap(({ id, body, attempt }) => sqsEvent(id, body, attempt, name).Records);
      const { batchItemFailures } = await handler({ Records }, invocation(name, TIMEOUT_MS, name));
      const failed = new Set(batchItemFailures.map((each) => each.itemIdentifier));
      for (const { id } of deliveries)
        await (failed.has(id) ? receiver.retry(id, 1_000, '') : receiver.acknowledge(id));
    }
  })();
  return {
    deliveredMoreOftenThan: (times: number) => attempts.filter((attempt) => attempt > times).length,
    async close() {
      closed = true;
      await loop;
    },
  };
}
