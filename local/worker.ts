import type { SQSEvent } from 'aws-lambda';
import { asFailure, type Failure } from '../shared/core/failure.ts';
import type { SqliteQueue } from '../shared/queue/sqlite.ts';
import type { QueueHandler } from '../shared/triggers/queue.ts';
import { invocation } from './invocation.ts';

const TIMEOUT_MS = 60_000;
/** As many share commits and syncs: with fewer, each message pays for its own. */
const AT_ONCE = 32;
const POLL_MS = 40;
/** After a queue that could not be read or written (a full disk): it is asked again, less often. */
const AFTER_FAILURE_MS = 1_000;
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
  onFailure: (failure: Failure) => void = () => {},
): Worker {
  let closed = false;
  let said = '';
  const busy = new Set<Promise<void>>();
  const loop = (async () => {
    while (!closed) {
      const free = AT_ONCE - busy.size;
      const deliveries = free > 0 ? await received(free) : [];
      for (const { id, body, attempt } of deliveries) {
        // What could not be acknowledged or put back comes again when it is visible.
        const run = deliver(id, body, attempt)
          .catch(failed)
          .finally(() => busy.delete(run));
        busy.add(run);
      }
      if (busy.size >= AT_ONCE) await Promise.race(busy);
      else if (deliveries.length === 0) await new Promise((done) => setTimeout(done, POLL_MS));
    }
  })();

  async function received(limit: number) {
    try {
      const deliveries = await queue.receive(limit, VISIBILITY_MS);
      said = '';
      return deliveries;
    } catch (thrown) {
      failed(thrown);
      await new Promise((done) => setTimeout(done, closed ? 0 : AFTER_FAILURE_MS));
      return [];
    }
  }

  /** Once per reason. */
  function failed(thrown: unknown): void {
    const failure = asFailure(thrown);
    if (failure.message !== said) onFailure(failure);
    said = failure.message;
  }

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
