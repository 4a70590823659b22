import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { QueueReceiver } from '../../shared/queue/queue.ts';

/** The part that Lambda's event source plays in AWS, with nothing but SQS's own calls. */
export function sqsReceiver(client: SQSClient, queueUrl: string): QueueReceiver {
  const seconds = (ms: number) => Math.max(0, Math.ceil(ms / 1_000));
  return {
    async receive(limit, visibilityMs) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: Math.min(10, limit),
          VisibilityTimeout: seconds(visibilityMs),
          MessageSystemAttributeNames: ['ApproximateReceiveCount'],
        }),
      );
      return Messages.map(({ ReceiptHandle = '', Body = '', Attributes }) => ({
        id: ReceiptHandle,
        body: Body,
        attempt: Number(Attributes?.ApproximateReceiveCount),
      }));
    },

    async acknowledge(id) {
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: id }));
    },

    async retry(id, delayMs) {
      await client.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: queueUrl,
          ReceiptHandle: id,
          VisibilityTimeout: seconds(delayMs),
        }),
      );
    },
  };
}
