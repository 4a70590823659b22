import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  type DynamoDBClient,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import pMap from 'p-map';
import type { AwsSession } from '../aws.ts';
import { Failure } from '../core/failure.ts';
import type { Item } from './dynamodb-items.ts';

/** AWS, DynamoDB quotas. */
const KEYS_PER_GET = 100;
const ITEMS_PER_WRITE = 25;
const BATCHES_AT_ONCE = 4;
/** Rounds that bring nothing at all, before we say that we are throttled. */
const FRUITLESS_ROUNDS = 6;

export interface Table {
  readonly client: DynamoDBClient;
  readonly name: string;
}

/** Consistent reads of items by key (each key once). Asks again for what DynamoDB leaves unprocessed, because of throttling or size. */
export async function getItems(table: Table, keys: readonly Item[], session: AwsSession): Promise<Item[]> {
  const found: Item[] = [];
  await pMap(
    chunks(keys, KEYS_PER_GET),
    (chunk) =>
      inRounds(chunk, 'read', session, async (rest) => {
        const input = { RequestItems: { [table.name]: { Keys: [...rest], ConsistentRead: true } } };
        const { value } = await session.send(
          { what: `DynamoDB read of ${rest.length} rows`, writes: false },
          (abortSignal) => table.client.send(new BatchGetItemCommand(input), { abortSignal }),
        );
        found.push(...(value.Responses?.[table.name] ?? []));
        return value.UnprocessedKeys?.[table.name]?.Keys ?? [];
      }),
    { concurrency: BATCHES_AT_ONCE },
  );
  return found;
}

/**
 * Puts and deletes without conditions, each item named once. Throws `Failure`; then some may have been done and others not.
 * Doing it again does no harm, so its failures are never of unknown outcome.
 */
export async function writeItems(table: Table, requests: readonly WriteRequest[], session: AwsSession): Promise<void> {
  await pMap(
    chunks(requests, ITEMS_PER_WRITE),
    (chunk) =>
      inRounds(chunk, 'written', session, async (rest) => {
        const input = { RequestItems: { [table.name]: [...rest] } };
        const { value } = await session.send(
          { what: `DynamoDB write of ${rest.length} index entries`, writes: false },
          (abortSignal) => table.client.send(new BatchWriteItemCommand(input), { abortSignal }),
        );
        return value.UnprocessedItems?.[table.name] ?? [];
      }),
    { concurrency: BATCHES_AT_ONCE },
  );
}

async function inRounds<T>(
  all: readonly T[],
  done: string,
  session: AwsSession,
  step: (rest: readonly T[]) => Promise<readonly T[]>,
): Promise<void> {
  let fruitless = 0;
  for (let rest = all; rest.length > 0; ) {
    const left = await step(rest);
    if (left.length === 0) return;
    fruitless = left.length < rest.length ? 0 : fruitless + 1;
    rest = left;
    if (fruitless >= FRUITLESS_ROUNDS || !(await session.pause(fruitless))) {
      throw new Failure(
        'throttled',
        `DynamoDB left ${left.length} items that were not ${done}; it is tried again later.`,
      );
    }
  }
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}
