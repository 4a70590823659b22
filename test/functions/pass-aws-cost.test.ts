import pMap from 'p-map';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeOwner, newOwner, ownerKey } from '../../shared/converge/owner.ts';
import { goalOf } from '../../shared/converge/work.ts';
import { dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { clientThrough, startDynalite, type TableEmulator } from '../contract/aws-emulators.ts';
import { Place } from './passes.ts';

/** What a pass asks of AWS, counted where it leaves the SDK; the README multiplies it. */
let table: TableEmulator;
beforeAll(async () => {
  table = await startDynalite();
});
afterAll(() => table.close());

const EDGES_PER_OWNER = 10;

it('asks of DynamoDB and S3 in proportion to the owners, and little', { timeout: 60_000 }, async () => {
  const requests: Record<string, number> = {};
  let readUnits = 0;
  const client = clientThrough(table.url, async (command, input, send) => {
    requests[command] = (requests[command] ?? 0) + 1;
    Object.assign(input, { ReturnConsumedCapacity: 'TOTAL' });
    const answer = (await send()) as { output?: { ConsumedCapacity?: Used | Used[] } };
    const used = [answer.output?.ConsumedCapacity ?? []].flat();
    if (/Get|Query/.test(command)) for (const each of used) readUnits += each.CapacityUnits ?? 0;
    return answer;
  });
  const ledger = dynamodbLedger(table.table, { client });
  const place = new Place({ ledger });
  const { deps } = place.services();

  async function grow(from: number, to: number): Promise<void> {
    const goal = goalOf(await deps.naming(), await deps.targets(), 'test');
    await pMap(
      await place.fill(to - from, from),
      async (owner) => {
        const etag = (await place.manifests.head(owner))?.etag ?? '';
        const ids = Array.from({ length: EDGES_PER_OWNER }, (_, at) => `${owner.slice(-10, -5)}-${at}`.padEnd(22, 'x'));
        const state = {
          ...newOwner(owner),
          settled: true,
          hash: goal(etag),
          claimed: etag,
          units: { ids },
          base: { ids },
        };
        const counts = { a: EDGES_PER_OWNER };
        const row = encodeOwner({ ...state, counts, configured: ['a'], last: { at: 1, ms: 1, state: 'converged' } });
        await ledger.write({ key: ownerKey(owner), rev: owner, ...row }, null);
      },
      { concurrency: 50 },
    );
  }
  async function counted() {
    for (const command of Object.keys(requests)) delete requests[command];
    readUnits = 0;
    let lists = 0;
    const touch = (what: string) => {
      if (what === 'manifests.list') lists += 1;
    };
    await place.pass(place.services({ touch }));
    const { GetItem = 0, PutItem = 0, BatchGetItem, Query } = requests;
    return { GetItem, PutItem, BatchGetItem, Query, readUnits, lists };
  }

  await grow(0, 400);
  const first = await counted();
  await grow(400, 1_200);
  const second = await counted();
  // 100 rows in a request, the 16 partitions of the index once for 5,000 owners, 1,000 objects in a listing of one of the 6 prefixes.
  expect(first).toMatchObject({ BatchGetItem: 4, Query: 16 });
  expect(second).toMatchObject({ BatchGetItem: 12, Query: 16 });
  const perOwner = (second.readUnits - first.readUnits) / 800;
  expect(perOwner).toBeGreaterThan(0.9);
  expect(perOwner).toBeLessThan(1.1);
  // The pass itself: taken, over, and once a day the sweep. Nothing per owner.
  expect(Math.max(first.PutItem, second.PutItem)).toBeLessThanOrEqual(3);
  expect(Math.max(first.GetItem, second.GetItem)).toBeLessThanOrEqual(4);
  expect(second.lists).toBeLessThanOrEqual(first.lists + 1);
  client.destroy();
});

interface Used {
  readonly CapacityUnits?: number;
}
