import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { sqsClient, sqsQueue } from '../../shared/queue/sqs.ts';
import { at, type Emulator, startFauxqs } from './aws-emulators.ts';
import { queueSuite } from './queue-suite.ts';
import { sqsReceiver } from './sqs-receiver.ts';

let fauxqs: Emulator;
let client: SQSClient;

beforeAll(async () => {
  fauxqs = await startFauxqs();
  client = sqsClient(at(fauxqs.url));
});
afterAll(async () => {
  client.destroy();
  await fauxqs.close();
});

async function create(attributes: Partial<Record<QueueAttributeName, string>> = {}): Promise<string> {
  const answer = await client.send(new CreateQueueCommand({ QueueName: randomUUID(), Attributes: attributes }));
  return answer.QueueUrl ?? '';
}

queueSuite('the SQS queue', async ({ maxAttempts }) => {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: await create(), AttributeNames: ['QueueArn'] }),
  );
  const redrive = { deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: maxAttempts };
  const url = await create({ RedrivePolicy: JSON.stringify(redrive) });
  return {
    subject: { ...sqsQueue(url, { client }), ...sqsReceiver(client, url) },
    // fauxqs lives in this process and asks its clock.
    advance: async (ms) => {
      vi.setSystemTime(Date.now() + ms);
    },
    close: () => {
      vi.useRealTimers();
    },
  };
});

describe('what is sent to SQS', () => {
  const URL = 'https://sqs.eu-central-1.amazonaws.com/1/q';

  test.each([
    [undefined, 0],
    [0, 0],
    [-5, 0],
    [1, 1],
    [1_000, 1],
    [1_001, 2],
    [899_001, 900],
    [3_600_000, 900],
  ])('a delay of %s ms is one of %s s', async (delayMs, seconds) => {
    const sqs = mockClient(SQSClient);
    sqs.on(SendMessageCommand).resolves({ MessageId: 'm' });
    await sqsQueue(URL).send({ kind: 'converge', owner: 'a' }, delayMs === undefined ? {} : { delayMs });
    expect(sqs.commandCalls(SendMessageCommand)[0]?.args[0].input).toEqual({
      QueueUrl: URL,
      MessageBody: '{"kind":"converge","owner":"a"}',
      DelaySeconds: seconds,
    });
    sqs.restore();
  });

  test('characters that SQS refuses go as JSON escapes', async () => {
    const url = await create();
    const owner = 'manifests/\ufffe\uffff \u0001 😀.yaml';
    await sqsQueue(url, { client }).send({ kind: 'converge', owner });
    const [delivery] = await sqsReceiver(client, url).receive(1, 1_000);
    expect(delivery?.body).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(delivery?.body ?? '')).toEqual({ kind: 'converge', owner });
  });

  test('many messages go ten to a request, and no request above 256 KiB', async () => {
    const sqs = mockClient(SQSClient);
    sqs.on(SendMessageBatchCommand).resolves({ Successful: [], Failed: [] });
    const small = Array.from({ length: 23 }, (_, at) => ({ kind: 'converge', owner: `${at}` }) as const);
    await sqsQueue(URL).sendMany(small, { delayMs: 1_500 });
    const large = Array.from(
      { length: 3 },
      (_, at) => ({ kind: 'converge', owner: `${at}${'x'.repeat(120_000)}` }) as const,
    );
    await sqsQueue(URL).sendMany(large);
    const requests = sqs.commandCalls(SendMessageBatchCommand).map(({ args }) => args[0].input.Entries ?? []);
    expect(requests.map((entries) => entries.length)).toEqual([10, 10, 3, 2, 1]);
    expect(requests[0]?.[0]).toEqual({ Id: '0', MessageBody: '{"kind":"converge","owner":"0"}', DelaySeconds: 2 });
    expect(
      new Set(
        requests
          .slice(0, 3)
          .flat()
          .map((each) => each.MessageBody),
      ).size,
    ).toBe(23);
    sqs.restore();
  });

  test('what SQS leaves out of a batch is sent again, alone; what it refuses for good is an error', async () => {
    const sqs = mockClient(SQSClient);
    const messages = ['a', 'b', 'c'].map((owner) => ({ kind: 'converge', owner }) as const);
    sqs
      .on(SendMessageBatchCommand)
      .resolvesOnce({ Successful: [], Failed: [{ Id: '1', SenderFault: false, Code: 'InternalError' }] })
      .resolves({ Successful: [], Failed: [] });
    await sqsQueue(URL, { sleep: async () => {} }).sendMany(messages);
    const ids = sqs.commandCalls(SendMessageBatchCommand).map(({ args }) => args[0].input.Entries?.map(({ Id }) => Id));
    expect(ids).toEqual([['0', '1', '2'], ['1']]);

    const failed = (SenderFault: boolean) => ({ Successful: [], Failed: [{ Id: '1', SenderFault, Code: 'Because' }] });
    sqs.on(SendMessageBatchCommand).resolves(failed(true));
    await expect(sqsQueue(URL).sendMany(messages)).rejects.toMatchObject({ kind: 'rejected' });
    sqs.on(SendMessageBatchCommand).resolves(failed(false));
    await expect(sqsQueue(URL, { sleep: async () => {} }).sendMany(messages)).rejects.toMatchObject({
      kind: 'throttled',
    });
    sqs.restore();
  });

  test('a queue that is not there is no place to lose messages in', async () => {
    const none = sqsQueue(`${fauxqs.url}/000000000000/none`, { client, sleep: async () => {} });
    await expect(none.send({ kind: 'converge', owner: 'a' })).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
