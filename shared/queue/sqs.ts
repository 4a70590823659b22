import { SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { AWS_CLIENT, type AwsOptions, awsSessions } from '../aws.ts';
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

/**
 * The sending side of a standard SQS queue; the platform receives. Delays are whole seconds, rounded up; above 900 s a message
 * comes after 900 s, and whoever gets it looks at the clock. A send that is tried again may deliver twice.
 */
export function sqsQueue(queueUrl: string, options: SqsOptions = {}): Queue {
  const client = options.client ?? sqsClient();
  const open = awsSessions(options);
  return {
    async send(message, { delayMs = 0 } = {}) {
      const input = {
        QueueUrl: queueUrl,
        MessageBody: ascii(JSON.stringify(message)),
        DelaySeconds: Math.min(MAX_DELAY_SECONDS, Math.max(0, Math.ceil(delayMs / 1_000))),
      };
      await open().send({ what: `SQS send of a ${message.kind} message`, writes: true }, (abortSignal) =>
        client.send(new SendMessageCommand(input), { abortSignal }),
      );
    },
  };
}

/** The same JSON in ASCII: SQS refuses some characters, and its imitations more of them. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
