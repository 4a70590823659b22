import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { AwsSession } from '../aws.ts';
import type { Table } from './dynamodb-batch.ts';
import { behind, entryPartitions, type Item, keyOfEntry } from './dynamodb-items.ts';
import { compareUtf8 } from './keys.ts';
import type { Page } from './ledger.ts';

/** One partition of an index, read as far as needed. */
interface Shard {
  readonly partition: string;
  readonly keys: string[];
  /** Where the next Query starts: at the beginning of what was asked for, or behind the last one; `end` when all was read. */
  from: 'start' | 'end' | Item;
}

/** What one Query may read; DynamoDB itself ends it at 1 MB. */
const MAX_PER_QUERY = 2_000;

/**
 * Keys of an index entry behind `after`, merged from its shards in key order. Reads from each shard about its part of a page, and
 * more from those that run dry.
 */
export async function findKeys(
  table: Table,
  name: string,
  page: { readonly after: string; readonly limit: number },
  session: AwsSession,
): Promise<Page<string>> {
  const shards = entryPartitions(name).map((partition): Shard => ({ partition, keys: [], from: 'start' }));
  // One more than the page, to know whether there is another; some more where shards share the page unevenly.
  const share = shards.length === 1 ? page.limit + 1 : Math.ceil(((page.limit + 1) / shards.length) * 1.3) + 2;
  const perQuery = Math.min(share, MAX_PER_QUERY);
  const items: string[] = [];
  for (;;) {
    await Promise.all(shards.map((shard) => fill(table, shard, page.after, perQuery, session)));
    const least = shards.reduce<Shard | undefined>(lower, undefined);
    const key = least?.keys.shift();
    if (key === undefined) return { items };
    const last = items.at(-1);
    // Two writes of one row may each have put an item for the same entry.
    if (key === last) continue;
    if (items.length === page.limit && last !== undefined) return { items, next: last };
    items.push(key);
  }
}

/** Reads on until the shard shows its next key, or has none. */
async function fill(table: Table, shard: Shard, after: string, limit: number, session: AwsSession): Promise<void> {
  while (shard.keys.length === 0 && shard.from !== 'end') {
    const input = {
      TableName: table.name,
      KeyConditionExpression: after === '' ? 'pk = :pk' : 'pk = :pk AND sk > :behind',
      ExpressionAttributeValues: {
        ':pk': { S: shard.partition },
        ...(after === '' ? {} : { ':behind': { S: behind(after) } }),
      },
      ProjectionExpression: 'sk',
      Limit: limit,
      ...(shard.from === 'start' ? {} : { ExclusiveStartKey: shard.from }),
    };
    const { value } = await session.send(
      { what: `DynamoDB query of ${shard.partition}`, writes: false },
      (abortSignal) => table.client.send(new QueryCommand(input), { abortSignal }),
    );
    shard.keys.push(...(value.Items ?? []).map(keyOfEntry));
    shard.from = value.LastEvaluatedKey ?? 'end';
  }
}

function lower(least: Shard | undefined, shard: Shard): Shard | undefined {
  const [key] = shard.keys;
  if (key === undefined) return least;
  const [best] = least?.keys ?? [];
  return best === undefined || compareUtf8(key, best) < 0 ? shard : least;
}
