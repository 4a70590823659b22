import { randomUUID } from 'node:crypto';
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import pMap from 'p-map';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { entryPartitions } from '../../shared/ledger/dynamodb-items.ts';
import { compareUtf8 } from '../../shared/ledger/keys.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import { type Between, clientThrough, startDynalite, type TableEmulator } from './aws-emulators.ts';
import { graphSuite } from './graph-suite.ts';
import { ledgerSuite } from './ledger-suite.ts';
import { eventually } from './opened.ts';
import { piecesSuite } from './pieces-suite.ts';

let emulator: TableEmulator;
/** What was sent since the last look, as `operation units`. */
let costs: () => string[];

beforeAll(async () => {
  emulator = await startDynalite();
  costs = metered(emulator.client);
});
afterAll(() => emulator.close());

/** Has the service tell what each request costs. */
function metered(client: TableEmulator['client']): () => string[] {
  let spent: string[] = [];
  client.middlewareStack.add(
    (next, context) => async (args) => {
      Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
      const answer = await next(args);
      const { ConsumedCapacity: used } = answer.output as { ConsumedCapacity?: Used | Used[] };
      const units = [used ?? []].flat().reduce((sum, each) => sum + (each.CapacityUnits ?? 0), 0);
      const operation = String((context as { commandName?: string }).commandName).replace('Command', '');
      spent.push(`${operation} ${units}`);
      return answer;
    },
    { step: 'initialize' },
  );
  return () => {
    const lines = spent;
    spent = [];
    return lines;
  };
}

interface Used {
  readonly CapacityUnits?: number;
}

const LOST = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', name: 'TimeoutError' });
const ledger = () => dynamodbLedger(emulator.table, { client: emulator.client });

function through(between: Between) {
  const client = clientThrough(emulator.url, between);
  return dynamodbLedger(emulator.table, { client, sleep: async () => {} });
}

ledgerSuite('the DynamoDB ledger', () => ({ subject: ledger(), close: () => {} }));
piecesSuite('the DynamoDB ledger', async () => {
  // A table of its own: whatever is old enough in it goes.
  const own = await startDynalite();
  return { subject: dynamodbLedger(own.table, { client: own.client }), close: () => own.close() };
});

graphSuite('the DynamoDB ledger', async () => {
  // A table of its own: an index entry's cost depends on its neighbours' keys.
  const own = await startDynalite();
  const units = metered(own.client);
  return {
    subject: { ledger: dynamodbLedger(own.table, { client: own.client }), spent: () => units().sort() },
    close: () => own.close(),
  };
});

function unit(id: string, rev: string, more: Partial<Row> = {}): Row {
  const index = ['units', 'account:a', `dataset:x ${id}`, `dataset:y ${id}`];
  return { key: `unit/${id}`, rev, body: { claims: 'x'.repeat(300) }, index, ...more };
}

/** How many items lie in the index for this row, under a name. */
async function entryItems(name: string, key: string): Promise<number> {
  let count = 0;
  for (const partition of entryPartitions(name)) {
    const answer = await emulator.client.send(
      new QueryCommand({
        TableName: emulator.table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :key)',
        ExpressionAttributeValues: { ':pk': { S: partition }, ':key': { S: `${key}\0` } },
      }),
    );
    count += answer.Items?.length ?? 0;
  }
  return count;
}

describe('what it costs', () => {
  test('a first write is one batch for its entries and one put', async () => {
    const id = randomUUID();
    costs();
    await ledger().write(unit(id, 'r1'), null);
    expect(costs()).toEqual(['BatchWriteItem 4', 'PutItem 1']);
  });

  test('a write with the same index is one put, a get one read', async () => {
    const id = randomUUID();
    const subject = ledger();
    await subject.write(unit(id, `${id}1`), null);
    costs();
    await subject.write(unit(id, `${id}2`), `${id}1`);
    expect(costs()).toEqual(['PutItem 1']);
    const other = ledger();
    await other.get(`unit/${id}`);
    await other.write(unit(id, `${id}3`), `${id}2`);
    expect(costs()).toEqual(['GetItem 1', 'PutItem 1']);
    const third = ledger();
    await third.getMany([`unit/${id}`]);
    await third.write(unit(id, `${id}4`), `${id}3`);
    expect(costs()).toEqual(['BatchGetItem 1', 'PutItem 1']);
  });

  test('a process that has not seen the row reads it first, and keeps its entries', async () => {
    const id = randomUUID();
    await ledger().write(unit(id, `${id}1`), null);
    costs();
    await ledger().write(unit(id, `${id}2`), `${id}1`);
    expect(costs()).toEqual(['GetItem 1', 'PutItem 1']);
    expect(await entryItems('units', `unit/${id}`)).toBe(1);
  });

  test('one entry more is one unit, one less another, and a removal one for each', async () => {
    const id = randomUUID();
    const subject = ledger();
    const row = { key: `owner/${id}`, body: {} };
    await subject.write({ ...row, rev: `${id}1`, index: ['owners'] }, null);
    costs();
    await subject.write({ ...row, rev: `${id}2`, index: ['owners', 'unsettled'] }, `${id}1`);
    expect(costs()).toEqual(['BatchWriteItem 1', 'PutItem 1']);
    await subject.write({ ...row, rev: `${id}3`, index: ['owners'] }, `${id}2`);
    expect(costs()).toEqual(['PutItem 1', 'BatchWriteItem 1']);
    expect(await entryItems('unsettled', row.key)).toBe(0);
    costs();
    await subject.remove(row.key, `${id}3`);
    expect(costs()).toEqual(['DeleteItem 1', 'BatchWriteItem 1']);
    expect(await entryItems('owners', row.key)).toBe(0);
  });

  test('a write that cannot succeed writes nothing', async () => {
    const id = randomUUID();
    await ledger().write(unit(id, `${id}1`), null);
    costs();
    expect(await ledger().write(unit(id, `${id}3`, { index: ['units', `new:${id}`] }), `${id}2`)).toBe(false);
    expect(costs()).toEqual(['GetItem 1']);
  });

  test('a body of 40 KB that repeats itself is stored in a few', async () => {
    const key = `ids/${randomUUID()}`;
    const subject = ledger();
    const body = { claims: Array.from({ length: 1_000 }, (_, at) => `manifests/team/${at}.yaml: total`) };
    costs();
    await subject.write({ key, rev: key, body }, null);
    const [put = ''] = costs();
    expect(Number(put.split(' ')[1])).toBeLessThan(8);
    expect((await subject.get(key))?.body).toEqual(body);
  });

  test('a listing of sharded entries asks each shard once for a page, and reads little more than it', async () => {
    const subject = ledger();
    const index = [`account:${randomUUID()}`];
    const keys = Array.from({ length: 400 }, (_, at) => `unit/${at}`).sort(compareUtf8);
    const write = (key: string) => subject.write({ key: `${index}${key}`, rev: 'r', body: {}, index }, null);
    await pMap(keys, write, { concurrency: 25 });
    costs();
    const { items, next } = await subject.find(index[0] ?? '', { limit: 200 });
    expect(items).toEqual(keys.slice(0, 200).map((key) => `${index}${key}`));
    expect(costs().length).toBeLessThanOrEqual(24);
    const rest = await subject.find(index[0] ?? '', { after: next ?? '', limit: 200 });
    expect(rest).toEqual({ items: keys.slice(200).map((key) => `${index}${key}`) });
  });
});

describe('index entries, however writes interleave', () => {
  test('whoever loses the race takes back its own entries and no others', async () => {
    const id = randomUUID();
    const racers = Array.from({ length: 12 }, (_, at) => ({
      row: unit(id, `${id}-${at}`, { index: [`units`, `racer:${id}-${at}`] }),
      subject: ledger(),
    }));
    const won = await Promise.all(racers.map(({ row, subject }) => subject.write(row, null)));
    expect(won.filter(Boolean)).toHaveLength(1);
    const names = racers.map(({ row }) => row.index?.[1] ?? '');
    const found = await Promise.all(names.map((name) => ledger().find(name)));
    expect(found.map(({ items }) => items.length === 1)).toEqual(won);
    expect(await entryItems('units', `unit/${id}`)).toBe(1);
  });

  test('an entry that is put again before a slow deletion of it arrives stays', async () => {
    const key = `owner/${randomUUID()}`;
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const slow = through(async (command, _, send) => {
      if (command === 'BatchWriteItem') await held;
      return send();
    });
    await ledger().write({ key, rev: `${key}1`, body: {}, index: ['unsettled'] }, null);
    const settling = slow.write({ key, rev: `${key}2`, body: {} }, `${key}1`);
    await eventually(async () => ((await ledger().get(key))?.rev === `${key}2` ? true : undefined));
    expect(await ledger().write({ key, rev: `${key}3`, body: {}, index: ['unsettled'] }, `${key}2`)).toBe(true);
    letGo();
    expect(await settling).toBe(true);
    expect(await entryItems('unsettled', key)).toBe(1);
  });

  test('a write that happened without our knowing, and on which another has built, loses no entry', async () => {
    const key = `owner/${randomUUID()}`;
    const successor = ledger();
    let puts = 0;
    const lossy = through(async (command, _, send) => {
      if (command !== 'PutItem' || ++puts > 1) return send();
      await send();
      const row = await successor.get(key);
      await successor.write({ key, rev: `${key}2`, body: {}, index: row?.index ?? [] }, `${key}1`);
      throw LOST;
    });
    expect(await lossy.write({ key, rev: `${key}1`, body: {}, index: ['owners'] }, null)).toBe(false);
    expect(puts).toBe(2);
    expect(await entryItems('owners', key)).toBe(1);
  });

  test('entries left by a write that never happened are deduplicated, and do not disturb paging', async () => {
    const name = `left:${randomUUID()}`;
    const failing = through(async (command, _, send) => {
      if (command === 'PutItem') throw LOST;
      return send();
    });
    const keys = ['a', 'b', 'c'];
    for (const key of keys) {
      const row = { key: `${name}${key}`, body: {}, index: [name] };
      await expect(failing.write({ ...row, rev: 'lost' }, null)).rejects.toMatchObject({ kind: 'unknown-outcome' });
      await ledger().write({ ...row, rev: 'kept' }, null);
      expect(await entryItems(name, row.key)).toBe(2);
    }
    const page = await ledger().find(name, { limit: 2 });
    expect(page).toEqual({ items: [`${name}a`, `${name}b`], next: `${name}b` });
    expect(await ledger().find(name, { after: page.next ?? '', limit: 2 })).toEqual({ items: [`${name}c`] });
  });

  test('an entry that one takes away while another puts it is there as long as the row says so', async () => {
    const names = ['unsettled', 'held:x'];
    for (let round = 0; round < 12; round++) {
      const id = randomUUID();
      const key = `owner/${id}`;
      const workers = Array.from({ length: 4 }, async (_, worker) => {
        const subject = ledger();
        for (let turn = 0; turn < 4; turn++) {
          const before = await subject.get(key);
          const index = names.filter((_, at) => (turn + worker + at) % 2 === 0);
          await subject.write({ key, rev: randomUUID(), body: {}, index }, before?.rev ?? null);
        }
      });
      await Promise.all(workers);
      const row = await ledger().get(key);
      for (const name of names) {
        expect(await entryItems(name, key), `${name} of ${row?.index}`).toBe(row?.index?.includes(name) ? 1 : 0);
      }
    }
  });

  test('an entry expires behind its row: another expiry puts it again', async () => {
    const id = randomUUID();
    const subject = ledger();
    await subject.write(unit(id, `${id}1`, { expiresAt: 4_000_000_000 }), null);
    costs();
    await subject.write(unit(id, `${id}2`), `${id}1`);
    expect(costs()).toEqual(['BatchWriteItem 4', 'PutItem 1', 'BatchWriteItem 4']);
    expect(await entryItems('units', `unit/${id}`)).toBe(1);
  });

  test('names and keys of any length the table can hold, and no others', async () => {
    const subject = ledger();
    const key = `owner/${'é'.repeat(500)}`;
    const name = `dataset:${'x'.repeat(3_000)}`;
    expect(await subject.write({ key, rev: randomUUID(), body: {}, index: [name, 'owners'] }, null)).toBe(true);
    expect((await subject.find(name)).items).toEqual([key]);
    const invalid = { kind: 'invalid' };
    for (const bad of ['', 'a\0b', 'é'.repeat(508), 'a\ud800']) {
      await expect(subject.write({ key: bad, rev: 'r', body: {} }, null)).rejects.toMatchObject(invalid);
      await expect(subject.get(bad)).rejects.toMatchObject(invalid);
    }
  });

  test('a row above 400 KB is refused as invalid', async () => {
    const body = { noise: Array.from({ length: 20_000 }, () => randomUUID()) };
    await expect(ledger().write({ key: randomUUID(), rev: 'r', body }, null)).rejects.toMatchObject({
      kind: 'invalid',
      maybeApplied: false,
    });
  });
});
