import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { asFailure } from '../core/failure.ts';
import type { IntakeMessage, Message } from '../queue/queue.ts';
import type { Services } from '../wiring.ts';

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

/** Work from our own queue. */
export function queued(verb: (message: Message | IntakeMessage, services: Services, deadlineMs: number) => Promise<void>): QueueEntry {
  return eachRecord(async (record, services, deadlineMs) => {
    await verb(JSON.parse(record.body) as Message | IntakeMessage, services, deadlineMs);
  });
}

/** Object notifications of the bucket, as the queue hands them on (an S3 event in each message body). */
export function objectChanged(
  verb: (change: ObjectChange, services: Services, deadlineMs: number) => Promise<void>,
): QueueEntry {
  return eachRecord(async (record, services, deadlineMs) => {
    const body = JSON.parse(record.body) as { Records?: { s3?: { object?: { key?: string } } }[] };
    // The message that a bucket sends when notifications are set up has no records.
    for (const each of body.Records ?? []) {
      const key = each.s3?.object?.key;
      if (key !== undefined) await verb({ key: decodeURIComponent(key.replaceAll('+', ' ')) }, services, deadlineMs);
    }
  });
}

/** One by one; a record that fails is delivered again, the others are done. */
function eachRecord(handle: (record: SQSRecord, services: Services, deadlineMs: number) => Promise<void>): QueueEntry {
  return {
    kind: 'queue',
    open: (services) =>
      middy<SQSEvent, SQSBatchResponse>().handler(async (event, context) => {
        const deadlineMs = services.deps.now() + context.getRemainingTimeInMillis() - MARGIN_MS;
        const failed: { itemIdentifier: string }[] = [];
        for (const record of event.Records) {
          try {
            await handle(record, services, deadlineMs);
          } catch (thrown) {
            services.log.error('message failed; it will be delivered again', {
              id: record.messageId,
              reason: asFailure(thrown).message,
            });
            failed.push({ itemIdentifier: record.messageId });
          }
        }
        return { batchItemFailures: failed };
      }) as unknown as QueueHandler,
  };
}
