import {
  DeleteItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { AWS_CLIENT, type AwsOptions, type AwsSession, awsSessions } from '../aws.ts';
import { asFailure } from '../core/failure.ts';
import { getItems, type Table, writeItems } from './dynamodb-batch.ts';
import { deleteEntry, planEntries, putEntry, strangers } from './dynamodb-entries.ts';
import { findKeys } from './dynamodb-find.ts';
import {
  checkItemKey,
  type Entry,
  type Indexed,
  type Item,
  indexedOf,
  itemRow,
  keyOfRow,
  rowItem,
  rowKey,
} from './dynamodb-items.ts';
import { pageSize } from './keys.ts';
import type { Ledger, Row } from './ledger.ts';

export interface DynamodbOptions extends AwsOptions {
  /** Default: one from this process's region and role. */
  readonly client?: DynamoDBClient;
}

/** A client with our timeouts; region, credentials and endpoint come from the environment unless given. */
export function dynamodbClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({ ...AWS_CLIENT, ...config });
}

/** Rows whose index is remembered, so that a write knows which entries it has already. */
const REMEMBERED = 5_000;

/**
 * The ledger in one DynamoDB table (its layout: dynamodb-items.ts). No transactions, no Scan, no secondary indexes.
 *
 * Costs, in requests and units (a write unit is 1 KB, a consistent read unit 4 KB; bodies above 1 KB are stored deflated):
 * - `get`: one GetItem. `getMany`: one BatchGetItem per 100 keys, a read unit or more per row.
 * - `write`, same index as before: one PutItem. Per entry that is new or goes: one unit in a BatchWriteItem (25 in a request),
 *   new ones before the row, old ones after it. One read more if this process has not seen the row of rev `expected`.
 * - `remove`: one DeleteItem, and one unit per entry of the row.
 * - `find`: one Query, or 16 for the names with shards (`owners`, `unsettled`, `units`, `account:…`, `word:…`), half a read unit each
 *   and per some 40 keys.
 *
 * A process that dies between entries and row, or a write of unknown outcome, leaves entries without a row: hints, as the port says.
 */
export function dynamodbLedger(tableName: string, options: DynamodbOptions = {}): Ledger {
  const table: Table = { name: tableName, client: options.client ?? dynamodbClient() };
  const open = awsSessions(options);
  const known = new Map<string, Indexed>();

  function remember(key: string, indexed: Indexed): void {
    known.delete(key);
    known.set(key, indexed);
    const oldest = known.keys().next();
    if (known.size > REMEMBERED && oldest.done !== true) known.delete(oldest.value);
  }

  async function read(key: string, session: AwsSession): Promise<Item | undefined> {
    const input = { TableName: table.name, Key: rowKey(key), ConsistentRead: true };
    const { value } = await session.send({ what: `DynamoDB read of ${key}`, writes: false }, (abortSignal) =>
      table.client.send(new GetItemCommand(input), { abortSignal }),
    );
    if (value.Item === undefined) known.delete(key);
    else remember(key, indexedOf(value.Item));
    return value.Item;
  }

  async function readIndexed(key: string, session: AwsSession): Promise<Indexed | undefined> {
    const item = await read(key, session);
    return item === undefined ? undefined : indexedOf(item);
  }

  /** `false`: the condition failed. `ambiguous`: perhaps because an attempt of ours had been carried out already. */
  function conditional<T>(what: string, session: AwsSession, send: (signal: AbortSignal) => Promise<T>) {
    return session.send({ what, writes: true }, async (signal): Promise<T | false> => {
      try {
        return await send(signal);
      } catch (thrown) {
        if ((thrown as { readonly name?: unknown }).name === 'ConditionalCheckFailedException') return false;
        throw thrown;
      }
    });
  }

  async function putRow(item: Item, expected: string | null, session: AwsSession) {
    const condition =
      expected === null
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'rev = :expected', ExpressionAttributeValues: { ':expected': { S: expected } } };
    const command = new PutItemCommand({ TableName: table.name, Item: item, ...condition });
    return conditional(`DynamoDB write of ${keyOfRow(item)}`, session, (abortSignal) =>
      table.client.send(command, { abortSignal }),
    );
  }

  /** What is left of entries that have no row is a hint that leads nowhere, so a failure here fails nobody. */
  async function drop(key: string, entries: readonly Entry[], session: AwsSession): Promise<void> {
    const requests = entries.map((entry) => deleteEntry(key, entry));
    await writeItems(table, requests, session).catch(() => {});
  }

  /**
   * After a failed condition: takes back the entries that were put for a row that was not written. True if it turns out that
   * it was: then the first of several attempts had been carried out.
   */
  async function takeBack(row: Row, added: readonly Entry[], session: AwsSession): Promise<boolean> {
    try {
      const stored = await readIndexed(row.key, session);
      if (stored?.rev === row.rev) return true;
      await drop(row.key, strangers(added, stored), session);
    } catch {
      // The answer is known, the condition failed; the entries stay as hints.
    }
    return false;
  }

  return {
    async get(key) {
      checkItemKey(key);
      const item = await read(key, open());
      return item === undefined ? undefined : itemRow(item);
    },

    async getMany(keys) {
      const wanted = [...new Set(keys)];
      for (const key of wanted) checkItemKey(key);
      const items = await getItems(table, wanted.map(rowKey), open());
      const rows = new Map<string, Row>();
      for (const item of items) {
        rows.set(keyOfRow(item), itemRow(item));
        remember(keyOfRow(item), indexedOf(item));
      }
      return rows;
    },

    async write(given, expected) {
      checkItemKey(given.key);
      // A copy now: the caller may change its objects while this waits.
      const row = structuredClone(given);
      const { key, rev, expiresAt } = row;
      const session = open();
      let before = expected === null ? undefined : known.get(key);
      if (expected !== null && before?.rev !== expected) {
        before = await readIndexed(key, session);
        if (before?.rev !== expected) return false;
      }
      const { entries, added, dropped } = planEntries(row, before);
      const item = rowItem(row, entries);
      const putting = added.map((entry) => putEntry(key, entry, expiresAt));
      try {
        await writeItems(table, putting, session);
        const put = await putRow(item, expected, session);
        if (put.value === false) {
          const ours = (put.ambiguous || added.length > 0) && (await takeBack(row, added, session));
          if (!ours) return false;
        }
      } catch (thrown) {
        if (!asFailure(thrown).maybeApplied) await drop(key, added, session);
        throw thrown;
      }
      remember(key, { rev, entries: entries ?? [], ...(expiresAt === undefined ? {} : { expiresAt }) });
      await drop(key, dropped, session);
      return true;
    },

    async remove(key, expected) {
      checkItemKey(key);
      const session = open();
      const command = new DeleteItemCommand({
        TableName: table.name,
        Key: rowKey(key),
        ConditionExpression: 'rev = :expected',
        ExpressionAttributeValues: { ':expected': { S: expected } },
        ReturnValues: 'ALL_OLD',
      });
      const before = known.get(key);
      const { value, ambiguous } = await conditional(`DynamoDB removal of ${key}`, session, (abortSignal) =>
        table.client.send(command, { abortSignal }),
      );
      known.delete(key);
      if (value !== false) {
        await drop(key, value.Attributes === undefined ? [] : indexedOf(value.Attributes).entries, session);
        return true;
      }
      // Gone by an earlier attempt of ours, perhaps: then nobody else knows of its entries.
      if (ambiguous && before?.rev === expected && (await read(key, session)) === undefined) {
        await drop(key, before.entries, session);
      }
      return false;
    },

    async find(index, page = {}) {
      return findKeys(table, index, { after: page.after ?? '', limit: pageSize(page.limit) }, open());
    },
  };
}
