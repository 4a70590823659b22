import { request as forward } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import pMap from 'p-map';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { sqsEvent } from '../../local/worker.ts';
import { ledgerCheck } from '../../shared/converge/lost-ledger.ts';
import { namingFile } from '../../shared/converge/naming-file.ts';
import type { StatusDocument } from '../../shared/converge/status.ts';
import { statusKey } from '../../shared/core/owner-key.ts';
import { dynamodbClient, dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { silentLog } from '../../shared/log.ts';
import { s3Client, s3Manifests } from '../../shared/manifests/s3.ts';
import type { Message } from '../../shared/queue/queue.ts';
import { sqsClient, sqsQueue } from '../../shared/queue/sqs.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import { awsServices } from '../../shared/wiring-aws.ts';
import { at, type Emulator, startDynalite, startFauxqs, stub, type TableEmulator } from '../contract/aws-emulators.ts';
import { type S3Stub, startS3Stub } from '../contract/s3-stub.ts';
import { type SecretsManagerStub, startSecretsManagerStub } from '../contract/secrets-manager-stub.ts';
import { manifest } from './local.ts';

/**
 * A worker dies at its k-th call to AWS, for every k: the call never arrives, or it is carried out and the answer never arrives. What it
 * held in memory is gone. When its lease has ended the platform delivers the message again, to a worker that knows nothing of it.
 */
const BUCKET = 'lineage-kill';
const TIMEOUT_MS = 120_000;
/** Behind the dead worker's lease, and the latest moment at which its calls could still be applied. */
const LATER_MS = 200_000;
const MOST_TURNS = 10;

let dynamodb: TableEmulator;
let sqs: Emulator;
let s3: S3Stub;
let secrets: SecretsManagerStub;
let vendors: readonly Awaited<ReturnType<typeof startDataphin>>[];
let base: Services;
let queueUrl: string;
const gates: Emulator[] = [];

beforeAll(async () => {
  vendors = [await startDataphin(), await startDataArts()];
  [dynamodb, sqs, s3, secrets] = await Promise.all([
    startDynalite(),
    startFauxqs(),
    startS3Stub(BUCKET),
    startSecretsManagerStub(),
  ]);
  secrets.held = Object.fromEntries(vendors.map((each) => [`lineage/${each.name}`, JSON.stringify(each.secret())]));
  const created = await sqsClient(at(sqs.url)).send(new CreateQueueCommand({ QueueName: 'work' }));
  queueUrl = created.QueueUrl ?? '';
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKTEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', secrets.url);
  // For the vendors' budgets, which all workers share here.
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', dynamodb.url);
  const settings = { TABLE: dynamodb.table, BUCKET, QUEUE_URL: queueUrl, UNKNOWN_WAIT: '1', DEPLOYMENT: 'kill' };
  base = awsServices(readSettings(settings), { log: silentLog });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([...gates, dynamodb, sqs, s3, secrets, ...vendors].map((each) => each.close()));
});

/** The services of one process; `to` is how it gets to AWS. */
function worker(to: { dynamodb: string; s3: string; sqs: string }, shiftMs = 0): Services {
  const now = () => Date.now() + shiftMs;
  const ledger = dynamodbLedger(dynamodb.table, { client: dynamodbClient(at(to.dynamodb)) });
  const manifests = s3Manifests(BUCKET, { client: s3Client({ ...at(to.s3), forcePathStyle: true }) });
  const queue = sqsQueue(queueUrl, { client: sqsClient(at(to.sqs)) });
  const naming = namingFile(manifests);
  const check = ledgerCheck(ledger, manifests, base.deps.id);
  const alive: Services['deps']['alive'] = ({ until }) => until > now();
  return { ...base, deps: { ...base.deps, ledger, manifests, queue, naming, now, alive, ledgerCheck: check } };
}

/** Lets `calls` requests through, the one after that as `last` says, and no more. */
async function gate(calls: number, last: 'lost on the way' | 'carried out') {
  let count = 0;
  let reached = () => {};
  const dead = new Promise<'killed'>((done) => {
    reached = () => done('killed');
  });
  const to = async (behind: string) => {
    const emulator = await stub((request, response) => {
      count += 1;
      const position = count;
      if (position > calls + 1 || (position > calls && last === 'lost on the way')) return reached();
      void buffer(request).then((body) => {
        const { hostname, port } = new URL(behind);
        const { method, url: path, headers } = request;
        forward({ hostname, port, method, path, headers }, (answer) => {
          void buffer(answer).then((bytes) => {
            if (position > calls) return reached();
            response.writeHead(answer.statusCode ?? 500, answer.headers);
            response.end(bytes);
          });
        }).end(body);
      });
    });
    gates.push(emulator);
    return emulator.url;
  };
  return { to: { dynamodb: await to(dynamodb.url), s3: await to(s3.url), sqs: await to(sqs.url) }, dead };
}

async function deliver(message: Message, services: Services): Promise<'done'> {
  const handler = entries['register-worker'].open(services);
  const event = sqsEvent('m', JSON.stringify(message), 1, 'work');
  const { batchItemFailures } = await handler(event, invocation('register-worker', TIMEOUT_MS, 'm'));
  expect(batchItemFailures).toEqual([]);
  return 'done';
}

/** The message again, and whatever is queued because of it, as time goes by. */
async function finish(message: Message): Promise<void> {
  const direct = { dynamodb: dynamodb.url, s3: s3.url, sqs: sqs.url };
  let shiftMs = LATER_MS;
  let next: Message | undefined = message;
  for (let turns = 0; next !== undefined && turns < MOST_TURNS; turns += 1) {
    let queued: Message | undefined;
    const services = worker(direct, shiftMs);
    const queue: typeof services.deps.queue = {
      async send(each, { delayMs = 0 } = {}) {
        if (each.kind === 'converge' || each.kind === 'judge') queued = each;
        shiftMs += delayMs;
      },
    };
    await deliver(next, { ...services, deps: { ...services.deps, queue } });
    next = queued;
  }
}

interface Held {
  readonly source?: string;
  readonly inputs?: readonly string[];
}

async function shown(table: string): Promise<number[]> {
  const all = await Promise.all(
    vendors.map(async (each) => (await (await fetch(`${each.url}/_sandbox/lineage`)).json()) as Held[]),
  );
  const has = ({ source, inputs }: Held) => source?.endsWith(`.p.${table}`) || inputs?.includes(`db.${table}`);
  return all.map((held) => held.filter(has).length);
}

/** Kills the worker at every call in turn, until it gets through with one to spare. */
async function killed(last: Parameters<typeof gate>[1]): Promise<number> {
  let through = Number.POSITIVE_INFINITY;
  await pMap(
    Array.from({ length: 60 }, (_, calls) => calls),
    async (calls) => {
      if (calls > through) return;
      const table = `${last === 'carried out' ? 'c' : 'l'}${calls}`;
      const owner = `manifests/${table}.json`;
      const bytes = Buffer.from(manifest([[table, `${table}_t`]], { targets: ['dataphin', 'dataarts'] }));
      await s3Manifests(BUCKET, { client: s3Client({ ...at(s3.url), forcePathStyle: true }) }).put(
        owner,
        bytes,
        'application/json',
      );
      const { to, dead } = await gate(calls, last);
      const first = deliver({ kind: 'converge', owner }, worker(to));
      const outcome = await Promise.race([first, dead]);
      if (outcome === 'done') {
        through = Math.min(through, calls);
        return;
      }
      // What it had sent to a vendor when it died arrives there.
      first.catch(() => {});
      await sleep(100);
      await finish({ kind: 'converge', owner });
      const direct = worker({ dynamodb: dynamodb.url, s3: s3.url, sqs: sqs.url });
      const object = await direct.deps.manifests.get(statusKey(owner));
      const status = JSON.parse(Buffer.from(object?.bytes ?? []).toString('utf8')) as StatusDocument;
      const [dataphin, dataarts] = await shown(table);
      const created = status.edges.find((edge) => edge.target === 'dataarts')?.outcome;
      const registered = status.edges.find((edge) => edge.target === 'dataphin')?.outcome;
      expect({ calls, dataphin, registered }).toEqual({ calls, dataphin: 1, registered: 'registered' });
      // DataArts cannot be asked whether it has the node: where a create had begun, none is made a second time, and somebody is told.
      expect({ calls, dataarts, created }).toEqual({
        calls,
        ...(created === 'unknown'
          ? { dataarts: expect.toBeOneOf([0, 1]), created }
          : { dataarts: 1, created: 'registered' }),
      });
    },
    { concurrency: 6 },
  );
  return through;
}

test.each(['lost on the way', 'carried out'] as const)(
  'a worker that is killed with its next call %s leaves nothing that the redelivered message does not finish',
  { timeout: 60_000 },
  async (last) => {
    const calls = await killed(last);
    expect(calls).toBeGreaterThan(15);
    expect(calls).toBeLessThan(60);
  },
);
