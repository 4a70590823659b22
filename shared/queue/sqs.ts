import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import pMap from 'p-map';
import { AWS_CLIENT, type AwsOptions, type AwsSession, awsSessions } from '../aws.ts';
import { Failure } from '../core/failure.ts';
import type { Queue } from './queue.ts';

export interface SqsOptions extends AwsOptions {
  /** Default: one from this process's region and role. */
  readonly client?: SQSClient;
}

/**
 * A client with our timeouts; region, credentials and endpoint come from the environment unless given. Without
 * `useQueueUrlAsEndpoint: false` the SDK would go to the queue URL's host, whatever endpoint is set.
 */
export function sqsClient(config: SQSClientConfig = {}): SQSClient {
  return new SQSClient({ ...AWS_CLIENT, useQueueUrlAsEndpoint: false, ...config });
}

/** The longest delay of one message (AWS, SQS quotas). */
const MAX_DELAY_SECONDS = 900;
/** Messages in a request, and bytes of all of them together (AWS, SQS quotas; 256 KiB is what every region takes). */
const BATCH = 10;
const BATCH_BYTES = 262_144;
const BATCHES_AT_ONCE = 4;
/** Rounds that bring no message through, before we say so. */
const FRUITLESS_ROUNDS = 4;

/**
 * The sending side of a standard SQS queue; the platform receives. Delays are whole seconds, rounded up; above 900 s a message
 * comes after 900 s, and whoever gets it looks at the clock. A send that is tried again may deliver twice.
 */
export function sqsQueue(queueUrl: string, options: SqsOptions = {}): Queue {
  const client = options.client ?? sqsClient();
  const open = awsSessions(options);

  /** Until all are taken: SQS may take some of a batch and refuse others. */
  async function sendBatch(batch: readonly SendMessageBatchRequestEntry[], session: AwsSession): Promise<void> {
    let fruitless = 0;
    for (let rest = batch; rest.length > 0; ) {
      const input = { QueueUrl: queueUrl, Entries: [...rest] };
      const { value } = await session.send(
        { what: `SQS send of ${rest.length} messages`, writes: true },
        (abortSignal) => client.send(new SendMessageBatchCommand(input), { abortSignal }),
      );
      const refused = value.Failed ?? [];
      const wrong = refused.find((each) => each.SenderFault === true);
      if (wrong !== undefined) {
        throw new Failure('rejected', `SQS refuses a message: ${wrong.Message ?? wrong.Code ?? 'no reason given'}.`);
      }
      const left = rest.filter((entry) => refused.some((each) => each.Id === entry.Id));
      if (left.length === 0) return;
      fruitless = left.length < rest.length ? 0 : fruitless + 1;
      rest = left;
      if (fruitless >= FRUITLESS_ROUNDS || !(await session.pause(fruitless))) {
        throw new Failure('throttled', `SQS did not take ${left.length} messages; they are sent again later.`);
      }
    }
  }

  return {
    async sendMany(messages, { delayMs = 0 } = {}) {
      const entries = messages.map(
        (message, at): SendMessageBatchRequestEntry => ({
          Id: String(at),
          MessageBody: ascii(JSON.stringify(message)),
          DelaySeconds: delaySeconds(delayMs),
        }),
      );
      // A session each: they share no deadline, because there may be many of them.
      await pMap(batches(entries), (batch) => sendBatch(batch, open()), { concurrency: BATCHES_AT_ONCE });
    },

    async send(message, { delayMs = 0 } = {}) {
      const input = {
        QueueUrl: queueUrl,
        MessageBody: ascii(JSON.stringify(message)),
        DelaySeconds: delaySeconds(delayMs),
      };
      await open().send({ what: `SQS send of a ${message.kind} message`, writes: true }, (abortSignal) =>
        client.send(new SendMessageCommand(input), { abortSignal }),
      );
    },
  };
}

function delaySeconds(delayMs: number): number {
  return Math.min(MAX_DELAY_SECONDS, Math.max(0, Math.ceil(delayMs / 1_000)));
}

/** As few batches as SQS allows, in order. Bodies are ASCII, so that characters are bytes. */
function batches(entries: readonly SendMessageBatchRequestEntry[]): SendMessageBatchRequestEntry[][] {
  const all: SendMessageBatchRequestEntry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.MessageBody?.length ?? 0;
    const last = all.at(-1);
    if (last === undefined || last.length === BATCH || bytes + size > BATCH_BYTES) {
      all.push([entry]);
      bytes = size;
    } else {
      last.push(entry);
      bytes += size;
    }
  }
  return all;
}

/** The same JSON in ASCII: SQS refuses some characters, and its imitations more of them. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
