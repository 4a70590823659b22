import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { type AwsOptions, awsSessions } from '../aws.ts';
import { Failure } from '../core/failure.ts';
import type { DeadLetter, DeadLetters } from './dead-letters.ts';
import { sqsClient } from './sqs.ts';

export interface SqsDeadLettersOptions extends AwsOptions {
  readonly client?: SQSClient;
  /** Queues of dead letters. */
  readonly urls: readonly string[];
  /** The work queue, where a replayed message goes. */
  readonly workUrl: string;
  /** Why a message failed, by its id. */
  reasonOf(messageId: string): Promise<string | undefined>;
  /** What has to be put into the work queue for this body, one message each; undefined when it is no work of ours. */
  workOf(body: string): readonly string[] | undefined;
}

/** While somebody looks, nobody else sees a message. */
const LOOK_S = 30;
const AT_ONCE = 10;
/** A short poll asks only some of the servers: several empty answers in a row mean that there is nothing. */
const EMPTY_POLLS = 3;

interface Held {
  readonly url: string;
  readonly message: Message;
}

/** The dead letters in SQS. Who runs this needs ReceiveMessage, ChangeMessageVisibility and DeleteMessage there, SendMessage at the work queue. */
export function sqsDeadLetters(options: SqsDeadLettersOptions): DeadLetters {
  const client = options.client ?? sqsClient();
  const open = awsSessions(options);

  async function receive(url: string): Promise<readonly Message[]> {
    const input = {
      QueueUrl: url,
      MaxNumberOfMessages: AT_ONCE,
      VisibilityTimeout: LOOK_S,
      MessageSystemAttributeNames: ['SentTimestamp' as const, 'ApproximateReceiveCount' as const],
      MessageAttributeNames: ['All'],
    };
    const call = { what: `SQS look into ${url}`, writes: false };
    const { value } = await open().send(call, (abortSignal) =>
      client.send(new ReceiveMessageCommand(input), { abortSignal }),
    );
    return value.Messages ?? [];
  }

  /** Looks at all messages until `use` says that it has what it wants, and lets go of them. */
  async function look(limit: number, use: (held: Held) => Promise<boolean>): Promise<void> {
    const seen: Held[] = [];
    try {
      for (const url of options.urls) {
        for (let empty = 0; empty < EMPTY_POLLS && seen.length < limit; ) {
          const messages = await receive(url);
          empty = messages.length === 0 ? empty + 1 : 0;
          seen.push(...messages.map((message) => ({ url, message })));
          for (const message of messages) if (await use({ url, message })) return;
        }
      }
    } finally {
      await Promise.all(seen.map(letGo));
    }
  }

  /** It comes back by itself; this is only sooner. */
  async function letGo({ url, message }: Held): Promise<void> {
    const input = { QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 };
    await client.send(new ChangeMessageVisibilityCommand(input)).catch(() => {});
  }

  async function remove({ url, message }: Held): Promise<void> {
    const input = { QueueUrl: url, ReceiptHandle: message.ReceiptHandle };
    await open().send({ what: 'SQS removal of a dead letter', writes: true }, (abortSignal) =>
      client.send(new DeleteMessageCommand(input), { abortSignal }),
    );
  }

  async function find(id: string, use: (held: Held) => Promise<void>): Promise<boolean> {
    let found = false;
    await look(Number.POSITIVE_INFINITY, async (held) => {
      if (held.message.MessageId !== id) return false;
      await use(held);
      found = true;
      return true;
    });
    return found;
  }

  return {
    async list(limit) {
      const letters: DeadLetter[] = [];
      await look(limit, async ({ url, message }) => {
        letters.push(await letterOf(url, message, options));
        return false;
      });
      return letters.sort((a, b) => (a.sentAt ?? 0) - (b.sentAt ?? 0)).slice(0, limit);
    },

    replay: (id) =>
      find(id, async (held) => {
        const bodies = options.workOf(held.message.Body ?? '');
        if (bodies === undefined) {
          throw new Failure(
            'unsupported',
            'This one cannot be sent again from here: a pass is made at every interval, so drop it, or ask for one with POST /reconcile.',
          );
        }
        for (const MessageBody of bodies) {
          const input = { QueueUrl: options.workUrl, MessageBody };
          await open().send({ what: 'SQS send of a dead letter', writes: true }, (abortSignal) =>
            client.send(new SendMessageCommand(input), { abortSignal }),
          );
        }
        await remove(held);
      }),
    drop: (id) => find(id, remove),
    close: async () => {},
  };
}

async function letterOf(url: string, message: Message, options: SqsDeadLettersOptions): Promise<DeadLetter> {
  const { MessageId: id = '', Body: body = '', Attributes = {}, MessageAttributes = {} } = message;
  // The scheduler says so in attributes, a function's destination in its document.
  const said = MessageAttributes['ERROR_MESSAGE']?.StringValue ?? thrownIn(body);
  const reason = said ?? (await options.reasonOf(id));
  const sent = Number(Attributes['SentTimestamp']);
  return {
    id,
    body,
    reason: reason ?? 'not noted: the function was probably stopped at its end; its log has the invocation',
    attempts: Number(Attributes['ApproximateReceiveCount'] ?? 0),
    from: url.slice(url.lastIndexOf('/') + 1),
    ...(Number.isFinite(sent) ? { sentAt: sent } : {}),
  };
}

/** What a function threw, in the document that Lambda sends to a destination (AWS, "Capturing records of asynchronous invocations", read 2026-11). */
function thrownIn(body: string): string | undefined {
  try {
    const { requestContext, responsePayload } = JSON.parse(body) as {
      requestContext?: { condition?: unknown };
      responsePayload?: { errorMessage?: unknown } | null;
    };
    if (requestContext?.condition === undefined) return undefined;
    return `${String(requestContext.condition)}: ${String(responsePayload?.errorMessage ?? 'no message')}`;
  } catch {
    return undefined;
  }
}
