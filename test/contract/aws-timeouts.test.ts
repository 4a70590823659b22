import { createServer } from 'node:net';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, test } from 'vitest';
import { AWS_CLIENT } from '../../shared/aws.ts';
import { dynamodbClient, dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { s3Client, s3Manifests } from '../../shared/manifests/s3.ts';
import { at, type Emulator, stub } from './aws-emulators.ts';

const opened: { destroy?(): void; close?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) {
    each.destroy?.();
    await each.close?.();
  }
});

async function serve(handle: Parameters<typeof stub>[0]): Promise<Emulator> {
  const emulator = await stub(handle);
  opened.push(emulator);
  return emulator;
}

function dynamodb(url: string): DynamoDBClient {
  const client = dynamodbClient(at(url));
  opened.unshift(client);
  return client;
}

const ROW = { key: 'a', rev: 'r', body: {} };
const short = { attemptMs: 80, callMs: 400, sleep: async () => {}, random: () => 0 };

async function took<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly thrown: unknown }> {
  const startMs = performance.now();
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { ms: performance.now() - startMs, thrown };
}

describe('a service that hangs', () => {
  test('without any answer: each attempt ends in time, and so does the call', async () => {
    let requests = 0;
    const { url } = await serve(() => {
      requests++;
    });
    const ledger = dynamodbLedger('t', { client: dynamodb(url), ...short });
    const reading = await took(ledger.get('a'));
    expect(reading.thrown).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/no answer within/) });
    expect(requests).toBe(3);
    expect(reading.ms).toBeLessThan(1_000);
    expect((await took(ledger.write(ROW, null))).thrown).toMatchObject({ kind: 'unknown-outcome', maybeApplied: true });
  });

  test('in the middle of its answer', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'content-length': 100 });
      response.write('{"Item"');
    });
    const ledger = dynamodbLedger('t', { client: dynamodb(url), ...short });
    expect((await took(ledger.get('a'))).thrown).toMatchObject({ kind: 'unavailable' });
  });

  test('in the middle of an object', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { etag: '"e"', 'content-length': 100 });
      response.write('half');
    });
    const client = s3Client({ ...at(url), forcePathStyle: true });
    opened.unshift(client);
    const bucket = s3Manifests('bucket', { client, ...short });
    const getting = await took(bucket.get('a.yaml'));
    expect(getting.thrown).toMatchObject({ kind: 'unavailable' });
    expect(getting.ms).toBeLessThan(1_000);
  });

  test('or cuts an object off: half of it is never taken for all of it', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { etag: '"e"', 'content-length': 100 });
      response.write('half', () => response.destroy());
    });
    const client = s3Client({ ...at(url), forcePathStyle: true });
    opened.unshift(client);
    await expect(s3Manifests('bucket', { client, ...short }).get('a.yaml')).rejects.toMatchObject({
      kind: 'unavailable',
    });
  });

  test('or resets the connection: a write may have happened, a read is tried again', async () => {
    let requests = 0;
    const { url } = await serve((request, response) => {
      requests++;
      if (requests < 3) request.socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}');
    });
    const ledger = dynamodbLedger('t', { client: dynamodb(url), ...short });
    expect(await ledger.get('a')).toBeUndefined();
    expect(requests).toBe(3);
  });

  test('nobody there: nothing was sent, so a write did not happen', async () => {
    const server = createServer();
    const url = await new Promise<string>((resolve) =>
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
      }),
    );
    await new Promise((resolve) => server.close(resolve));
    const ledger = dynamodbLedger('t', { client: dynamodb(url), ...short });
    await expect(ledger.write(ROW, null)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'ECONNREFUSED',
      maybeApplied: false,
    });
  });

  test('the deadline of a call holds for all of its attempts', async () => {
    let requests = 0;
    const { url } = await serve(() => {
      requests++;
    });
    const ledger = dynamodbLedger('t', { client: dynamodb(url), attemptMs: 150, callMs: 200 });
    const { ms, thrown } = await took(ledger.get('a'));
    expect(thrown).toMatchObject({ kind: 'unavailable' });
    expect(requests).toBe(1);
    expect(ms).toBeLessThan(400);
  });
});

test('clients leave retrying to us, and every connection has a limit', async () => {
  const client = dynamodb('http://127.0.0.1:1');
  expect(await client.config.maxAttempts()).toBe(1);
  expect(AWS_CLIENT.requestHandler).toMatchObject({ connectionTimeout: 1_000, throwOnRequestTimeout: true });
});
