import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { awsFailure } from '../../shared/aws-failure.ts';
import { commit } from '../../shared/converge/commit.ts';
import { dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { rowItem, rowKey } from '../../shared/ledger/dynamodb-items.ts';

/** An error as an SDK client throws it. */
function sdkError(name: string, status?: number): Error {
  const error = Object.assign(new Error(`about ${name}`), { name });
  return status === undefined ? error : Object.assign(error, { $metadata: { httpStatusCode: status, requestId: 'R' } });
}

/** An error of the socket. */
function socketError(code: string, name = 'Error'): Error {
  return Object.assign(new Error(`read ${code}`), { code, name });
}

const REFUSED = sdkError('ConditionalCheckFailedException', 400);
const LOST = socketError('ECONNRESET', 'TimeoutError');
const ROW = { key: 'a', rev: 'mine', body: { n: 1 } };

describe('an SDK error as a Failure', () => {
  const connecting = sdkError('TimeoutError');
  connecting.message = 'the request socket did not establish a connection with the server within 1000 ms.';
  test.each([
    [sdkError('ProvisionedThroughputExceededException', 400), 'throttled', 'throttled'],
    [sdkError('ThrottlingException', 400), 'throttled', 'throttled'],
    [sdkError('RequestLimitExceeded', 400), 'throttled', 'throttled'],
    [sdkError('SlowDown', 503), 'throttled', 'throttled'],
    [sdkError('RequestThrottled', 403), 'throttled', 'throttled'],
    [sdkError('SomethingNew', 429), 'throttled', 'throttled'],
    [sdkError('AccessDeniedException', 400), 'denied', 'denied'],
    [sdkError('AccessDenied', 403), 'denied', 'denied'],
    [sdkError('ExpiredTokenException', 400), 'denied', 'denied'],
    [sdkError('CredentialsProviderError'), 'denied', 'denied'],
    [sdkError('KmsDisabled', 400), 'denied', 'denied'],
    [sdkError('KmsThrottled', 400), 'throttled', 'throttled'],
    [sdkError('ResourceNotFoundException', 400), 'unavailable', 'unavailable'],
    [sdkError('QueueDoesNotExist', 400), 'unavailable', 'unavailable'],
    [sdkError('ValidationException', 400), 'invalid', 'invalid'],
    [sdkError('OperationAborted', 409), 'unavailable', 'unavailable'],
    [sdkError('InternalServerError', 500), 'unavailable', 'unknown-outcome'],
    [sdkError('ServiceUnavailable', 503), 'unavailable', 'unknown-outcome'],
    [sdkError('SyntaxError', 200), 'unavailable', 'unknown-outcome'],
    [sdkError('AbortError'), 'unavailable', 'unknown-outcome'],
    [LOST, 'unavailable', 'unknown-outcome'],
    [socketError('EPIPE'), 'unavailable', 'unknown-outcome'],
    [socketError('ECONNREFUSED'), 'unavailable', 'unavailable'],
    [socketError('ENOTFOUND'), 'unavailable', 'unavailable'],
    [connecting, 'unavailable', 'unavailable'],
    ['a string', 'unavailable', 'unknown-outcome'],
  ] as const)('%s', (error, reading, writing) => {
    const read = awsFailure(error, { what: 'DynamoDB read of a', writes: false });
    const write = awsFailure(error, { what: 'DynamoDB write of a', writes: true });
    expect([read.kind, write.kind]).toEqual([reading, writing]);
    expect([read.maybeApplied, write.maybeApplied]).toEqual([false, writing === 'unknown-outcome']);
  });

  test('says what was done to what, the code, the words and what to do', () => {
    const failure = awsFailure(sdkError('AccessDenied', 403), { what: 'S3 put of a.yaml', writes: true });
    expect(failure).toMatchObject({ code: 'AccessDenied', status: 403, requestId: 'R' });
    expect(failure.message).toBe(
      'S3 put of a.yaml failed (AccessDenied: about AccessDenied); give this function the right to do it (role, bucket or key policy).',
    );
  });
});

describe('the ledger when answers are lost', () => {
  const dynamodb = mockClient(DynamoDBClient);
  const waits: number[] = [];
  const ledger = () =>
    dynamodbLedger('t', {
      random: () => 0.5,
      sleep: async (ms) => {
        waits.push(ms);
      },
    });
  beforeEach(() => {
    dynamodb.reset();
    waits.length = 0;
  });
  const sent = () => dynamodb.calls().map(({ args }) => args[0].constructor.name.replace('Command', ''));

  test('a write is tried three times, and is then of unknown outcome', async () => {
    dynamodb.on(PutItemCommand).rejects(LOST);
    await expect(ledger().write(ROW, null)).rejects.toMatchObject({ kind: 'unknown-outcome', maybeApplied: true });
    expect(sent()).toEqual(['PutItem', 'PutItem', 'PutItem']);
    expect(waits).toHaveLength(2);
  });

  test('throttling after a lost answer is no promise that nothing was done', async () => {
    const throttled = sdkError('ProvisionedThroughputExceededException', 400);
    dynamodb.on(PutItemCommand).rejectsOnce(LOST).rejects(throttled);
    await expect(ledger().write(ROW, null)).rejects.toMatchObject({ kind: 'unknown-outcome', maybeApplied: true });
    dynamodb.reset();
    dynamodb.on(PutItemCommand).rejects(throttled);
    await expect(ledger().write(ROW, null)).rejects.toMatchObject({ kind: 'throttled', maybeApplied: false });
  });

  test('a condition that failed because our own first attempt was carried out is a success', async () => {
    dynamodb.on(PutItemCommand).rejectsOnce(LOST).rejects(REFUSED);
    dynamodb.on(GetItemCommand).resolves({ Item: rowItem(ROW, undefined) });
    expect(await ledger().write(ROW, null)).toBe(true);
    dynamodb.on(GetItemCommand).resolves({ Item: rowItem({ ...ROW, rev: 'theirs' }, undefined) });
    expect(await ledger().write(ROW, null)).toBe(false);
    dynamodb.on(GetItemCommand).resolves({});
    expect(await ledger().write(ROW, null)).toBe(false);
  });

  test('a failed condition without doubt costs no read', async () => {
    dynamodb.on(PutItemCommand).rejects(REFUSED);
    expect(await ledger().write(ROW, null)).toBe(false);
    expect(sent()).toEqual(['PutItem']);
  });

  test('a lost answer of a converging write is cleared up by reading back', async () => {
    dynamodb.on(PutItemCommand).rejects(LOST);
    dynamodb.on(GetItemCommand).resolves({ Item: rowItem(ROW, undefined) });
    expect(await commit(ledger(), ROW, null)).toBe(true);
  });

  test('entries go before the row; if they cannot, the row is not written', async () => {
    const row = { ...ROW, index: ['owners'] };
    dynamodb.on(BatchWriteItemCommand).rejects(LOST);
    await expect(ledger().write(row, null)).rejects.toMatchObject({ kind: 'unavailable', maybeApplied: false });
    expect(sent()).not.toContain('PutItem');
  });

  test('entries of a write of unknown outcome stay, those of one that was refused or throttled do not', async () => {
    const row = { ...ROW, index: ['owners'] };
    dynamodb.on(BatchWriteItemCommand).resolves({});
    dynamodb.on(PutItemCommand).rejects(LOST);
    await expect(ledger().write(row, null)).rejects.toMatchObject({ kind: 'unknown-outcome' });
    expect(sent().filter((name) => name === 'BatchWriteItem')).toHaveLength(1);
    dynamodb.reset();
    dynamodb.on(BatchWriteItemCommand).resolves({});
    dynamodb.on(PutItemCommand).rejects(sdkError('ThrottlingException', 400));
    await expect(ledger().write(row, null)).rejects.toMatchObject({ kind: 'throttled' });
    expect(sent().filter((name) => name === 'BatchWriteItem')).toHaveLength(2);
  });

  test('a row that is written stays written if old entries cannot be deleted', async () => {
    dynamodb.on(GetItemCommand).resolves({ Item: rowItem(ROW, [{ name: 'unsettled', token: 'tttttttt' }]) });
    dynamodb.on(BatchWriteItemCommand).rejects(LOST);
    dynamodb.on(PutItemCommand).resolves({});
    expect(await ledger().write({ ...ROW, rev: 'next', index: [] }, 'mine')).toBe(true);
  });

  test('a removal whose answer is lost is unknown; one refused after that is false', async () => {
    dynamodb.on(DeleteItemCommand).rejects(LOST);
    await expect(ledger().remove('a', 'mine')).rejects.toMatchObject({ kind: 'unknown-outcome' });
    dynamodb.reset();
    dynamodb.on(DeleteItemCommand).rejectsOnce(LOST).rejects(REFUSED);
    expect(await ledger().remove('a', 'mine')).toBe(false);
  });

  test('keys that DynamoDB leaves out are asked for again, as long as it helps', async () => {
    const keys = ['a', 'b', 'c'];
    const items = keys.map((key) => rowItem({ ...ROW, key }, undefined));
    const [a = {}, b = {}, c = {}] = items;
    dynamodb
      .on(BatchGetItemCommand)
      .resolvesOnce({ Responses: { t: [b] }, UnprocessedKeys: { t: { Keys: [rowKey('a'), rowKey('c')] } } })
      .resolvesOnce({ UnprocessedKeys: { t: { Keys: [rowKey('a'), rowKey('c')] } } })
      .resolvesOnce({ Responses: { t: [a, c] } });
    expect([...(await ledger().getMany(keys)).keys()].sort()).toEqual(keys);
    expect(waits).toHaveLength(2);
    dynamodb.on(BatchGetItemCommand).resolves({ UnprocessedKeys: { t: { Keys: [rowKey('a')] } } });
    await expect(ledger().getMany(['a'])).rejects.toMatchObject({ kind: 'throttled' });
  });

  test('entries that DynamoDB leaves out are put before the row, or the row is not written', async () => {
    const row = { ...ROW, index: ['owners', 'unsettled'] };
    const left = { t: [{ PutRequest: { Item: {} } }] };
    dynamodb.on(BatchWriteItemCommand).resolvesOnce({ UnprocessedItems: left }).resolves({});
    dynamodb.on(PutItemCommand).resolves({});
    expect(await ledger().write(row, null)).toBe(true);
    expect(sent()).toEqual(['BatchWriteItem', 'BatchWriteItem', 'PutItem']);
    dynamodb.reset();
    dynamodb.on(BatchWriteItemCommand).resolves({ UnprocessedItems: left });
    await expect(ledger().write(row, null)).rejects.toMatchObject({ kind: 'throttled', maybeApplied: false });
    expect(sent()).not.toContain('PutItem');
  });

  afterEach(() => dynamodb.reset());
});
