import type { SQSEvent } from 'aws-lambda';
import type { SqliteQueue } from '../shared/queue/sqlite.ts';
import type { QueueHandler } from '../shared/triggers/queue.ts';
import { invocation } from './invocation.ts';

const TIMEOUT_MS = 60_000;
const AT_ONCE = 8;
const POLL_MS = 40;
/** A message is hidden from others for as long as its invocation may live. */
const VISIBILITY_MS = 2 * TIMEOUT_MS;

export interface Worker {
  close(): Promise<void>;
}

/** Hands queued messages to the worker function, as the platform's event source does. `reasonOf` says why one failed. */
export function startWorker(
  queue: SqliteQueue,
  handler: QueueHandler,
  reasonOf: (id: string) => Promise<string | undefined>,
): Worker {
  let closed = false;
  const busy = new Set<Promise<void>>();
  const loop = (async () => {
    while (!closed) {
      const free = AT_ONCE - busy.size;
      const deliveries = free > 0 ? await queue.receive(free, VISIBILITY_MS) : [];
      for (const { id, body, attempt } of deliveries) {
        const run = deliver(id, body, attempt).finally(() => busy.delete(run));
        busy.add(run);
      }
      if (busy.size >= AT_ONCE) await Promise.race([...busy].map((each) => each.catch(() => {})));
      else if (deliveries.length === 0) await new Promise((done) => setTimeout(done, POLL_MS));
    }
  })();

  async function deliver(id: string, body: string, attempt: number): Promise<void> {
    const { batchItemFailures } = await handler(
      sqsEvent(id, body, attempt, 'lineage'),
      invocation('register-worker', TIMEOUT_MS, id),
    );
    if (batchItemFailures.length === 0) await queue.acknowledge(id);
    else
      await queue.retry(
        id,
        Math.min(60_000, 1_000 * 2 ** attempt),
        (await reasonOf(id)) ?? 'the function reported the message as failed; its log line has the reason',
      );
  }

  return {
    async close() {
      closed = true;
      await loop;
      await Promise.race([Promise.allSettled(busy), new Promise((done) => setTimeout(done, 5_000).unref())]);
    },
  };
}

/** One message as SQS delivers it. */
export function sqsEvent(id: string, body: string, attempt: number, queue: string): SQSEvent {
  return {
    Records: [
      {
        messageId: id,
        receiptHandle: id,
        body,
        attributes: {
          ApproximateReceiveCount: String(attempt),
          SentTimestamp: String(Date.now()),
          SenderId: 'local',
          ApproximateFirstReceiveTimestamp: String(Date.now()),
        },
        messageAttributes: {},
        md5OfBody: '',
        eventSource: 'aws:sqs',
        eventSourceARN: `arn:aws:sqs:local:000000000000:${queue}`,
        awsRegion: 'local',
      },
    ],
  };
}
