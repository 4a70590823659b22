import { CreateTableCommand, type CreateTableCommandInput } from '@aws-sdk/client-dynamodb';
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { startDataArts } from '../../local/simulators/dataarts/index.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import { startFlink } from '../../local/simulators/flink/index.ts';
import { dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { s3Client } from '../../shared/manifests/s3.ts';
import { sqsClient } from '../../shared/queue/sqs.ts';
import { at, startDynalite, startFauxqs } from '../contract/aws-emulators.ts';
import { startS3Stub } from '../contract/s3-stub.ts';
import { startSecretsManagerStub } from '../contract/secrets-manager-stub.ts';
import type { Filled } from './template.ts';

/**
 * The AWS account that a stack has been deployed into, on loopback: its table made from the template's own properties, its
 * bucket, its work queue, and the secrets of the simulators, which are the vendors.
 */
export async function startAccount(stack: Filled, secretPrefix: string) {
  const [table] = stack.ofType('AWS::DynamoDB::Table');
  const [bucket] = stack.ofType('AWS::S3::Bucket').filter(([id]) => id === 'Bucket');
  if (!table || !bucket) throw new Error('the template has no table, or no bucket');
  const bucketName = stack.nameOf(bucket[0]);
  const [dynamodb, fauxqs, s3, secrets, dataphin, dataarts, flink] = await Promise.all([
    startDynalite(),
    startFauxqs(),
    startS3Stub(bucketName),
    startSecretsManagerStub(),
    startDataphin(),
    startDataArts(),
    startFlink(),
  ]);
  const { TableName, BillingMode, AttributeDefinitions, KeySchema } = stack.properties<CreateTableCommandInput>(
    table[0],
  );
  await dynamodb.client.send(new CreateTableCommand({ TableName, BillingMode, AttributeDefinitions, KeySchema }));
  const sqs = sqsClient(at(fauxqs.url));
  const created = await sqs.send(new CreateQueueCommand({ QueueName: stack.nameOf('WorkQueue') }));
  secrets.held = Object.fromEntries(
    [dataphin, dataarts, flink].map((each) => [`${secretPrefix}lineage/${each.name}`, JSON.stringify(each.secret())]),
  );

  return {
    behind: { dynamodb: dynamodb.url, sqs: fauxqs.url, s3: s3.url, secretsmanager: secrets.url },
    /** With the host it has in AWS; the emulator goes by the path. */
    queueUrl: `https://sqs.eu-central-1.amazonaws.com${new URL(created.QueueUrl ?? '').pathname}`,
    bucketName,
    tableName: String(TableName),
    s3: s3Client({ ...at(s3.url), forcePathStyle: true }),
    vendors: { dataphin, dataarts, flink },
    ledger: dynamodbLedger(String(TableName), { client: dynamodb.client }),
    hold: (name: string, secret: object) => {
      secrets.held = { ...secrets.held, [secretPrefix + name]: JSON.stringify(secret) };
    },
    async queued(): Promise<unknown[]> {
      const answer = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: created.QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
      );
      return (answer.Messages ?? []).map(({ Body = '' }) => JSON.parse(Body) as unknown);
    },
    /** Messages that are due, taken out of the queue. */
    async taken(): Promise<object[]> {
      const all: object[] = [];
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl: created.QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 60 }),
        );
        if (Messages.length === 0) return all;
        for (const { Body = '', ReceiptHandle } of Messages) {
          all.push(JSON.parse(Body) as object);
          await sqs.send(new DeleteMessageCommand({ QueueUrl: created.QueueUrl, ReceiptHandle }));
        }
      }
    },
    async shown<T>(vendor: 'dataphin' | 'dataarts' | 'flink'): Promise<T[]> {
      const simulator = { dataphin, dataarts, flink }[vendor];
      return (await (await fetch(`${simulator.url}/_sandbox/lineage`)).json()) as T[];
    },
    close: () => Promise.all([dynamodb, fauxqs, s3, secrets, dataphin, dataarts, flink].map((each) => each.close())),
  };
}

export type Account = Awaited<ReturnType<typeof startAccount>>;
