import pMap from 'p-map';
import { converge } from '../../shared/converge/converge.ts';
import { atOnce } from '../../shared/converge/settle.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { parse } from '../../shared/parse.ts';
import { type Benchmark, expectSame, type Figure, median, sideBySide } from './bench.ts';
import { openWorld, type World } from './world.ts';

const OWNER = 'manifests/bench.json';
const COLUMNS = ['id', 'customer', 'created', 'price', 'currency'];

/** `converge.new` and `converge.unchanged`: one owner of 10,000 edges, first registered, then asked about again. */
export const convergences: Benchmark = async ({ short, progress }) => {
  const edges = short ? 200 : 10_000;
  const text = JSON.stringify(manifestOf(edges));
  let unchanged: Figure | undefined;
  const rates = await sideBySide(
    {
      ours: async () => {
        const world = await openWorld();
        try {
          await world.drop(OWNER, text);
          progress(`${edges} new edges`);
          const rate = await timedRate(edges, () => register(world));
          await expectHeld(world, edges);
          if (unchanged === undefined) {
            progress(`the same ${edges} edges again`);
            unchanged = await measureUnchanged(world, short ? 20 : 1_000);
          }
          return rate;
        } finally {
          await world.close();
        }
      },
      floor: async () => {
        const world = await openWorld();
        try {
          progress(`${edges} edges by plain loops`);
          const rate = await timedRate(edges, () => plainLoops(world, text));
          await expectHeld(world, edges);
          return rate;
        } finally {
          await world.close();
        }
      },
    },
    short ? 1 : 3,
  );
  if (unchanged === undefined) throw new Error('nothing measured');
  return [
    {
      name: 'converge.new',
      what: `${edges.toLocaleString('en-US')} new edges of ${COLUMNS.length} columns, edges a second`,
      value: rates.ours,
      unit: '/s',
      floor: rates.floor,
      ratio: rates.ours / rates.floor,
      must: { atLeast: 0.6 },
    },
    unchanged,
  ];
};

async function register({ services }: World): Promise<void> {
  const result = await converge({ owner: OWNER, deadlineMs: Date.now() + 600_000 }, services.deps);
  expectSame('convergence', result.kind, 'done');
}

/**
 * The least that registers as durably: each pair looked up once, as the rule about other people's lineage asks, a durable row
 * before its call and one after it. Left out: claims of several owners, leases, indexes, the plan, the status document.
 */
async function plainLoops({ services, target }: World, text: string): Promise<void> {
  const { ledger, deps } = services;
  const to = await target();
  const { client, vendor, account, secret } = to;
  const parsed = await parse(new TextEncoder().encode(text), 'json');
  if ('problems' in parsed) throw new Error('not a manifest');
  const { entries } = resolveManifest(parsed.manifest, NO_NAMING);
  const { units } = vendor.units({ entries, account, secret, deployment: 'bench' });
  await pMap(
    units,
    async ({ id, ...unit }) => {
      const options = { deadlineMs: Date.now() + 60_000 };
      const body = { ...unit, options: unit.options } as unknown as JsonObject;
      const before = await client.present?.(unit, options);
      expectSame('lineage of others', before?.edge, false);
      const [first, second] = [deps.id(), deps.id()];
      expectSame('row', await ledger.write({ key: `unit/${id}`, rev: first, body }, null), true);
      const receipt = await client.register?.(unit, options);
      const done = { ...body, receipt: receipt?.receipt ?? '' };
      expectSame('row', await ledger.write({ key: `unit/${id}`, rev: second, body: done }, first), true);
    },
    { concurrency: atOnce(to, deps.settings) },
  );
}

async function measureUnchanged(world: World, times: number): Promise<Figure> {
  const { deps, ledger } = world.services;
  let reads = 0;
  let writes = 0;
  const counted: Ledger = {
    ...ledger,
    get: (key) => count(() => ledger.get(key)),
    getMany: (keys) => count(() => ledger.getMany(keys)),
    find: (index, options) => count(() => ledger.find(index, options)),
    write: (row, expected) => {
      writes += 1;
      return ledger.write(row, expected);
    },
  };
  function count<T>(read: () => Promise<T>): Promise<T> {
    reads += 1;
    return read();
  }
  await converge({ owner: OWNER, deadlineMs: Date.now() + 60_000 }, { ...deps, ledger: counted });
  if (reads > 2 || writes > 0) throw new Error(`an unchanged owner cost ${reads} reads and ${writes} writes`);
  const ours: number[] = [];
  const floor: number[] = [];
  for (let at = 0; at < times; at += 1) {
    const start = performance.now();
    const result = await converge({ owner: OWNER, deadlineMs: Date.now() + 60_000 }, deps);
    const middle = performance.now();
    const row = await ledger.get(`owner/${OWNER}`);
    const head = await deps.manifests.head(OWNER);
    floor.push(performance.now() - middle);
    ours.push(middle - start);
    expectSame('convergence', result.kind, 'unchanged');
    expectSame('row and object', row !== undefined && head !== undefined, true);
  }
  const [value, least] = [median(ours) * 1_000, median(floor) * 1_000];
  return {
    name: 'converge.unchanged',
    what: `one unchanged owner (${reads} ledger reads, no write, no call)`,
    value,
    unit: 'µs',
    floor: least,
    ratio: value / least,
    must: { atMost: 3 },
  };
}

function manifestOf(edges: number) {
  const tables = Math.ceil(edges / 4);
  const name = (at: number) => `t${at}`;
  return {
    version: 1,
    targets: ['dataphin'],
    datasets: Object.fromEntries(
      Array.from({ length: tables + 8 }, (_, at) => [name(at), { dataphin: { guid: `odps.300000001.shop.t${at}` } }]),
    ),
    lineage: Array.from({ length: edges }, (_, at) => ({
      from: name(at % tables),
      to: name((at % tables) + 1 + Math.floor(at / tables)),
      columns: Object.fromEntries(COLUMNS.map((column) => [column, column])),
    })),
  };
}

async function timedRate(count: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - started);
}

async function expectHeld(world: World, edges: number): Promise<void> {
  const held = await world.held();
  expectSame('pairs at the vendor', held.length, edges);
  expectSame('columns at the vendor', held.flatMap((each) => each.columns).length, edges * COLUMNS.length);
}
