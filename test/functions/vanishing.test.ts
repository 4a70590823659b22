import { describe, expect, it } from 'vitest';
import { judge } from '../../shared/converge/vanish.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { spilling } from '../../shared/ledger/spill.ts';
import { versioned } from '../../shared/ledger/versioned.ts';
import { convergence } from './convergence.ts';
import { manifest } from './local.ts';

const GRACE_MS = 10_000;
const nameOf = (at: number): string => `manifests/a-team-with-a-name/of-some-length/orders-${at}.json`;

/** Manifests of one edge each, and a store that counts what is written to it and read from it. */
function world(settings = {}) {
  const store = memoryLedger();
  const cost = { writes: 0, written: 0, largest: 0, reads: 0, read: 0 };
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
  const readRows = (rows: readonly unknown[]) => {
    cost.reads += rows.length;
    for (const row of rows) cost.read += bytes(row);
  };
  const counted = spilling({
    ...store,
    async get(key) {
      const row = await store.get(key);
      readRows(row ? [row] : []);
      return row;
    },
    async getMany(keys) {
      const rows = await store.getMany(keys);
      readRows([...rows.values()]);
      return rows;
    },
    write(row, expected) {
      cost.writes += 1;
      cost.written += bytes(row);
      cost.largest = Math.max(cost.largest, bytes(row));
      return store.write(row, expected);
    },
  });
  const shown = new Set<string>();
  const pairOf = ({ to }: { readonly to: readonly { readonly name: string }[] }) => to[0]?.name ?? '';
  const receipt = { receipt: 'r', ambiguous: false };
  const here = convergence(
    {
      async register(call) {
        shown.add(pairOf(call));
        return receipt;
      },
      async withdraw(call) {
        shown.delete(pairOf(call));
        return receipt;
      },
    },
    { ledger: versioned(counted), settings: { graceMs: GRACE_MS, ...settings } },
  );
  const declare = async (at: number) => {
    await here.put(nameOf(at), manifest([[`a${at}`, `b${at}`]], { columns: [] }));
    await here.run(nameOf(at));
  };
  const remove = (at: number) => here.deps.manifests.delete(nameOf(at));
  /** Under which ids owners are held. */
  const held = async () => {
    const rows = [...(await here.ledger.getMany((await here.ledger.find('held', { limit: 9_999 })).items)).values()];
    return rows.map(({ body }) => (body['held'] as { id: string }).id);
  };
  const pass = () => {
    here.state.now += GRACE_MS + 1_000;
  };
  /** The newest judge message comes; gives whom it has converge. */
  const judged = async (): Promise<string[]> => {
    const message = here.sent.map((each) => each.message).findLast((each) => each.kind === 'judge');
    const before = here.sent.length;
    await judge('a', message?.kind === 'judge' ? message.ticket : 't', here.deps);
    const sent = here.sent.slice(before).map((each) => each.message);
    return sent.flatMap((each) => (each.kind === 'converge' ? [each.owner] : [])).sort();
  };
  return { ...here, store, cost, shown, declare, remove, held, pass, judged };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** What so many vanishings cost each owner, from the first look to the verdict that every one has seen. */
async function costOf(owners: number) {
  const { run, declare, remove, held, pass, judged, cost } = world();
  const all = range(0, owners);
  for (const at of all) await declare(at);
  for (const at of all) await remove(at);
  Object.assign(cost, { writes: 0, written: 0, largest: 0, reads: 0, read: 0 });
  for (const at of all) expect(await run(nameOf(at))).toEqual({ kind: 'waiting' });
  const announced = cost.written / owners;
  pass();
  await judged();
  for (const at of all) expect(await run(nameOf(at))).toMatchObject({ kind: 'done' });
  const { writes, written, largest, reads, read } = cost;
  // One verdict for all.
  expect(await held()).toHaveLength(owners);
  expect(new Set(await held()).size).toBe(1);
  const each = { announced, writes: writes / owners, written: written / owners, reads: reads / owners };
  return { ...each, read: read / owners, largest };
}

it('what vanishes costs each owner the same, however many vanish with it', { timeout: 60_000 }, async () => {
  const [few, many] = [await costOf(100), await costOf(2_000)];
  for (const key of ['announced', 'writes', 'written', 'reads'] as const) {
    expect(many[key], key).toBeLessThan(few[key] * 1.1);
  }
  // Nor do the rows grow, which are read whole and written whole.
  expect(many.read).toBeLessThan(few.read * 2);
  expect(many.largest).toBeLessThan(12_000);
  expect(many.writes).toBeLessThan(4.1);
  expect(many.announced).toBeLessThan(1_024);
});

describe('owners that vanish', () => {
  const LIMITS = { policy: { ratio: 0.3, singleRemoval: 100, smallTarget: 1 } };

  it('unnoticed are judged with the one that was seen to go', async () => {
    const { run, declare, remove, judged, shown, held, pass } = world(LIMITS);
    for (const at of range(0, 40)) await declare(at);
    for (const at of range(0, 40)) await remove(at);
    await run(nameOf(0));
    pass();
    const told = await judged();
    expect(told).toEqual(range(1, 40).map(nameOf).sort());
    for (const owner of told) await run(owner);
    pass();
    await judged();
    for (const at of range(0, 40)) await run(nameOf(at));
    expect(shown.size).toBe(40);
    expect(await held()).toHaveLength(40);
  });

  it('are judged anew when they vanish again, whatever was said before', async () => {
    const { run, declare, remove, judged, shown, held, pass } = world(LIMITS);
    for (const at of range(0, 10)) await declare(at);
    await remove(0);
    await run(nameOf(0));
    pass();
    await judged();
    // Alone it may go; but it comes back before anybody acts on that, and goes again with all others.
    await declare(0);
    for (const at of range(0, 10)) await remove(at);
    for (const at of range(0, 10)) expect(await run(nameOf(at))).toEqual({ kind: 'waiting' });
    pass();
    await judged();
    for (const at of range(0, 10)) await run(nameOf(at));
    expect(shown.size).toBe(10);
    expect(await held()).toHaveLength(10);
  });

  it('keep their verdict when others are judged after them, and are told again if nobody did', async () => {
    const { run, declare, remove, judged, shown, pass } = world(LIMITS);
    for (const at of range(0, 10)) await declare(at);
    for (const at of [0, 1, 2]) await remove(at);
    for (const at of [0, 1, 2]) await run(nameOf(at));
    pass();
    expect(await judged()).toEqual([0, 1, 2].map(nameOf));
    // The judge may have died before, and its message comes again.
    expect(await judged()).toEqual([0, 1, 2].map(nameOf));
    await remove(3);
    await run(nameOf(3));
    pass();
    expect(await judged()).toEqual([0, 1, 2, 3].map(nameOf));
    // All four together would be held.
    for (const at of [0, 1, 2, 3]) expect(await run(nameOf(at))).toMatchObject({ kind: 'done' });
    expect(shown.size).toBe(6);
  });
});

describe('what an older version wrote of them', () => {
  const LIMITS = { policy: { ratio: 0.3, singleRemoval: 100, smallTarget: 1 } };
  const [zero, one] = [nameOf(0), nameOf(1)];

  /** Its row, and those of two owners that it had seen to be gone. */
  async function old(row: JsonObject) {
    const here = world(LIMITS);
    for (const at of range(0, 4)) await here.declare(at);
    for (const at of [0, 1]) {
      await here.remove(at);
      const owner = await here.store.get(`owner/${nameOf(at)}`);
      if (!owner) throw new Error('no owner');
      const body = { ...owner.body, settled: false, vanish: { id: `v${at}`, at: 1 } };
      await here.store.write({ ...owner, rev: `old-${at}`, body, index: ['owners', 'unsettled'] }, owner.rev);
    }
    const vanished = {
      targetEdges: 4,
      lastAt: here.state.now,
      postponed: 0,
      owners: {},
      verdicts: {},
      ticket: '',
      ...row,
    };
    await here.store.write({ key: 'vanish/a', rev: 'old', body: { kind: 'vanish', version: 1, vanished } }, null);
    return here;
  }

  it('is judged with what vanishes now', async () => {
    const owners = { [zero]: { id: 'v0', edges: 1 }, [one]: { id: 'v1', edges: 1 } };
    const { run, pass, judged, held, shown } = await old({ owners, ticket: 't' });
    pass();
    expect(await judged()).toEqual([zero, one]);
    for (const owner of [zero, one]) expect(await run(owner)).toEqual({ kind: 'waiting' });
    pass();
    await judged();
    for (const owner of [zero, one]) expect(await run(owner)).toMatchObject({ kind: 'done' });
    expect(await held()).toHaveLength(2);
    expect(shown.size).toBe(4);
  });

  it('counts, if it is a verdict, for a day', async () => {
    const verdict = { verdict: 'apply', reason: 'x', holdId: 'h', ticket: 't' };
    const at = world().state.now;
    const verdicts = { [zero]: { id: 'v0', ...verdict, at }, [one]: { id: 'v1', ...verdict, at } };
    const { run, shown, declare, remove, store, state } = await old({ verdicts });
    await declare(9);
    await remove(9);
    await run(nameOf(9));
    for (const owner of [zero, one]) expect(await run(owner)).toMatchObject({ kind: 'done' });
    expect(shown).toEqual(new Set(['odps.300000001.p.b2', 'odps.300000001.p.b3', 'odps.300000001.p.b9']));
    expect((await store.get('vanish/a'))?.body['version']).toBe(2);
    state.now += 86_400_000;
    await declare(8);
    await remove(8);
    await run(nameOf(8));
    expect((await store.get('vanish/a'))?.body['vanished']).not.toHaveProperty('verdicts');
  });
});
