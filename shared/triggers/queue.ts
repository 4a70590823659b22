import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import pMap from 'p-map';
import { asFailure, Failure } from '../core/failure.ts';
import type { IntakeMessage, Message, PassMessage } from '../queue/queue.ts';
import { traced } from '../trace.ts';
import type { Services } from '../wiring.ts';
import { invocationLog } from './invocation-log.ts';
import { noteReason } from './letter.ts';
import { changedKeys } from './s3-event.ts';
import { told } from './told.ts';

export type QueueHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

export interface QueueEntry {
  readonly kind: 'queue';
  open(services: Services): QueueHandler;
}

/** What arrived in the bucket, or left it. A hint: the verb reads what is there now. */
export interface ObjectChange {
  readonly key: string;
}

/** Time kept back from the platform's timeout for the last ledger writes. */
const MARGIN_MS = 5_000;
/** With less time than this nothing new is begun. */
const SHORTEST_SLICE_MS = 10_000;
/** As many as serverless.yml puts into a batch, so that none of them waits while the others use up the time. */
const RECORDS_AT_ONCE = 5;

/** Work from our own queue. A message that is no message of ours fails, and ends among the dead letters. */
export function queued(
  verb: (message: Message | IntakeMessage | PassMessage, services: Services, deadlineMs: number) => Promise<void>,
): QueueEntry {
  return eachRecord(async (record, services, deadlineMs) => {
    await verb(messageOf(record.body), services, deadlineMs);
  });
}

/** Object notifications of the bucket, as the queue hands them on (an S3 event in each message body). */
export function objectChanged(
  verb: (change: ObjectChange, services: Services, deadlineMs: number) => Promise<void>,
): QueueEntry {
  return eachRecord(async (record, services, deadlineMs) => {
    for (const key of changedKeys(record.body)) {
      checkTime(services, deadlineMs);
      await verb({ key }, services, deadlineMs);
    }
  });
}

/** Starts records side by side, in no order; one that fails or cannot start in time is delivered again, the others are done. */
function eachRecord(handle: (record: SQSRecord, services: Services, deadlineMs: number) => Promise<void>): QueueEntry {
  return {
    kind: 'queue',
    open: (services) =>
      told(
        services,
        middy<SQSEvent, SQSBatchResponse>()
          .use(invocationLog(services))
          .handler(async (event, context) => {
            if (!Array.isArray(event.Records)) {
              throw new Failure('invalid', 'This function takes messages of a queue: { "Records": [ … ] }.');
            }
            const deadlineMs = services.deps.now() + context.getRemainingTimeInMillis() - MARGIN_MS;
            const failed: { itemIdentifier: string }[] = [];
            await pMap(
              event.Records,
              (record) =>
                traced({ message_id: record.messageId }, async () => {
                  try {
                    checkTime(services, deadlineMs);
                    services.deps.metrics?.add('BacklogAge', waited(record, services));
                    await handle(record, services, deadlineMs);
                  } catch (thrown) {
                    const reason = asFailure(thrown).message;
                    services.log.error('message failed; it will be delivered again', { id: record.messageId, reason });
                    await noteReason(record.messageId, reason, services);
                    services.deps.metrics?.add('MessagesFailed', 1);
                    failed.push({ itemIdentifier: record.messageId });
                  }
                }),
              { concurrency: RECORDS_AT_ONCE },
            );
            return { batchItemFailures: failed };
          }) as unknown as QueueHandler,
      ),
  };
}

/** How long a message was on its way, in seconds. */
function waited({ attributes }: SQSRecord, { deps }: Services): number {
  const sentAt = Number(attributes?.SentTimestamp);
  return Number.isFinite(sentAt) ? Math.max(0, (deps.now() - sentAt) / 1_000) : 0;
}

function checkTime({ deps }: Services, deadlineMs: number): void {
  if (deps.now() + SHORTEST_SLICE_MS > deadlineMs) {
    throw new Failure('unavailable', 'There is too little time left in this invocation to begin it.');
  }
}

function messageOf(body: string): Message | IntakeMessage | PassMessage {
  try {
    const value = JSON.parse(body) as { readonly kind?: unknown } | null;
    if (typeof value?.kind === 'string') return value as Message | IntakeMessage | PassMessage;
  } catch {
    // Said below.
  }
  throw new Failure('invalid', 'The message is none of ours; look who sends to this queue.');
}
