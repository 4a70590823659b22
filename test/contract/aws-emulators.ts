import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { buildApp } from 'fauxqs';
import { dynamodbClient } from '../../shared/ledger/dynamodb.ts';

/** What every client of an emulator needs; the emulators believe any credentials. */
export function at(endpoint: string) {
  return { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'test' } };
}

export interface Emulator {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves on a free port of this machine alone. */
export async function listening(server: Server): Promise<Emulator> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function stub(handle: RequestListener): Promise<Emulator> {
  return listening(createServer(handle));
}

export interface TableEmulator extends Emulator {
  readonly client: DynamoDBClient;
  readonly table: string;
}

/** DynamoDB's protocol, with the ledger's table. */
export async function startDynalite(): Promise<TableEmulator> {
  const emulator = await listening(dynalite({ createTableMs: 0 }));
  const client = dynamodbClient(at(emulator.url));
  const table = 'lineage-test';
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  return {
    ...emulator,
    client,
    table,
    close: () => {
      client.destroy();
      return emulator.close();
    },
  };
}

/** Stands between a client and its service: does `send` now, later, more than once or never. `input` is the command's. */
export type Between = (command: string, input: object, send: () => Promise<unknown>) => Promise<unknown>;

/** Another client of the same emulator, with `between` in its way. */
export function clientThrough(url: string, between: Between): DynamoDBClient {
  const client = dynamodbClient(at(url));
  client.middlewareStack.add(
    (next, context) => (args) => {
      const command = String((context as { commandName?: string }).commandName).replace('Command', '');
      return between(command, args.input, () => next(args)) as ReturnType<typeof next>;
    },
    { step: 'initialize' },
  );
  return client;
}

/** SQS (and S3). `startFauxqs` would listen on every address of this machine. */
export async function startFauxqs(stores?: NonNullable<Parameters<typeof buildApp>[0]>['stores']): Promise<Emulator> {
  const app = buildApp({ logger: false, ...(stores === undefined ? {} : { stores }) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => app.close() };
}
