import { afterAll, beforeAll, expect, it } from 'vitest';
import { dynamodbLedger } from '../../shared/ledger/dynamodb.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { convergence } from '../functions/convergence.ts';
import { manifest, pairs } from '../functions/local.ts';
import { startDynalite, type TableEmulator } from './aws-emulators.ts';

/** What convergences cost in DynamoDB's own units (4 KB read, 1 KB written), as the service counts them. */
let emulator: TableEmulator;
const spent = { read: 0, rows: 0, index: 0, requests: 0 };

beforeAll(async () => {
  emulator = await startDynalite();
  emulator.client.middlewareStack.add(
    (next, context) => async (args) => {
      Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
      const answer = await next(args);
      const { ConsumedCapacity: used } = answer.output as { ConsumedCapacity?: Used | Used[] };
      const units = [used ?? []].flat().reduce((sum, each) => sum + (each.CapacityUnits ?? 0), 0);
      const operation = String((context as { commandName?: string }).commandName);
      const kind = /Get|Query/.test(operation) ? 'read' : operation.startsWith('Batch') ? 'index' : 'rows';
      spent[kind] += units;
      spent.requests += 1;
      return answer;
    },
    { step: 'initialize' },
  );
});
afterAll(() => emulator.close());

interface Used {
  readonly CapacityUnits?: number;
}

function world() {
  const done = async () => ({ receipt: 'r', ambiguous: false });
  const ledger = spilling(dynamodbLedger(emulator.table, { client: emulator.client }));
  const here = convergence({ register: done, withdraw: done }, { ledger });
  const run = async (owner: string) => {
    Object.assign(spent, { read: 0, rows: 0, index: 0, requests: 0 });
    await here.run(owner, 600_000);
    return { ...spent };
  };
  return { ...here, run };
}

it.each([1, 60, 300])('an unchanged owner of %i edges: one unit to read, nothing to write', async (edges) => {
  const { put, run } = world();
  const owner = `manifests/unchanged-${edges}.json`;
  await put(owner, manifest(pairs(`u${edges}_`, edges)));
  await run(owner);
  expect(await run(owner)).toEqual({ read: 1, rows: 0, index: 0, requests: 1 });
});

it('a new edge of one owner: two writes of its row, of two units each, besides the owner and its index', async () => {
  const { put, run } = world();
  const few = 'manifests/few.json';
  const more = 'manifests/more.json';
  await put(few, manifest(pairs('few', 10)));
  await put(more, manifest(pairs('more', 40)));
  const [ten, forty] = [await run(few), await run(more)];
  // What thirty edges cost more: intent and confirm. A row with its index names is a little above one KB; the owner's grows by the ids.
  expect((forty.rows - ten.rows) / 30).toBeLessThanOrEqual(4.1);
  expect((forty.index - ten.index) / 30).toBeLessThanOrEqual(10);
  expect((forty.read - ten.read) / 30).toBeLessThanOrEqual(1);
});

it('k changes in an owner of n edges: units in k, whatever n is', async () => {
  const { put, run } = world();
  const cost = async (n: number, k: number) => {
    const owner = `manifests/n${n}-k${k}.json`;
    const edges = pairs(`n${n}k${k}_`, n);
    await put(owner, manifest(edges, { columns: [] }));
    await run(owner);
    await put(owner, manifest([...edges, ...pairs(`new${n}k${k}_`, k)], { columns: [] }));
    const { rows, index } = await run(owner);
    return rows + index;
  };
  const [small, large] = [await cost(100, 3), await cost(400, 3)];
  // The ids of an owner's units stand in chunks of some 8 KB, of which each change rewrites one, twice at most.
  expect(large).toBeLessThan(small + 3 * 2 * 10);
  expect(large).toBeLessThan(3 * (2 * 2 + 10) + 3 * 2 * 10 + 20);
});
