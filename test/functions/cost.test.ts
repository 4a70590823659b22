import { expect, it } from 'vitest';
import { converge } from '../../shared/converge/converge.ts';
import type { ConvergeDeps, Target } from '../../shared/converge/deps.ts';
import { verifyPass } from '../../shared/converge/verify-pass.ts';
import { Failure } from '../../shared/core/failure.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import type { Ledger, Row } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { Sight } from '../../shared/vendors/vendor.ts';
import { bucket } from './bucket.ts';
import { manifest, pairs } from './local.ts';
import { SETTINGS, vendorOf } from './steady.ts';

/** What a vendor shows of an edge without columns. */
const SIGHT: Sight = { readable: true, edge: true, columns: [], others: [] };

/** An owner against a vendor that does everything at once, with every ledger call counted. `readable`: it can be read back. */
function counted({ readable = false } = {}) {
  const inner = memoryLedger();
  const refuses = { add: false, delete: false };
  const count = { reads: 0, writes: 0, calls: 0, looks: 0, largest: 0 };
  const wrote = (row: Row) => {
    count.writes += 1;
    count.largest = Math.max(count.largest, JSON.stringify(row).length);
  };
  const ledger: Ledger = {
    ...inner,
    get: (key) => {
      count.reads += 1;
      return inner.get(key);
    },
    getMany: (keys) => {
      count.reads += keys.length;
      return inner.getMany(keys);
    },
    write: (row, expected) => {
      wrote(row);
      return inner.write(row, expected);
    },
    remove: (key, expected) => {
      count.writes += 1;
      return inner.remove(key, expected);
    },
  };
  const vendor = vendorOf('dataphin');
  const done = (what: keyof typeof refuses) => async () => {
    count.calls += 1;
    if (refuses[what]) throw new Failure('rejected', 'not today');
    return { receipt: 'r', ambiguous: false };
  };
  const nothing = async () => {
    count.looks += 1;
    return { edge: false, columns: [] };
  };
  const target: Target = {
    name: 'dataphin',
    vendor,
    account: 'a',
    secret: {},
    client: {
      register: done('add'),
      withdraw: done('delete'),
      ...(readable ? { present: nothing, verify: async (calls) => calls.map(() => SIGHT) } : {}),
    },
  };
  const manifests = bucket();
  let ids = 0;
  const deps: ConvergeDeps = {
    ledger,
    manifests,
    log: silentLog,
    queue: { send: async () => {} },
    targets: async () => ({ list: [target], problems: [] }),
    naming: async () => ({ etag: 'none', naming: NO_NAMING }),
    now: Date.now,
    id: () => `id-${ids++}`,
    alive: () => false,
    settings: SETTINGS,
  };
  const of = async (work: () => Promise<unknown>) => {
    Object.assign(count, { reads: 0, writes: 0, calls: 0, looks: 0 });
    await work();
    return { ...count };
  };
  const run = (owner: string) => of(() => converge({ owner, deadlineMs: Date.now() + 100_000 }, deps));
  const verify = () =>
    of(() => verifyPass(deps, { deadlineMs: Date.now() + 100_000, deep: true, heal: true, prune: true }));
  const put = (owner: string, text: string) => manifests.put(owner, Buffer.from(text), 'application/json');
  return { run, put, verify, refuses };
}

it.each([1, 100, 3_000])(
  'an unchanged owner of %i edges costs at most two reads, no write and no call',
  async (edges) => {
    const { run, put } = counted();
    await put('manifests/a.json', manifest(pairs('t', edges)));
    await run('manifests/a.json');
    const { reads, writes, calls } = await run('manifests/a.json');
    expect(reads).toBeLessThanOrEqual(2);
    expect({ writes, calls }).toEqual({ writes: 0, calls: 0 });
  },
);

it.each(['add', 'delete'] as const)(
  'what the vendor refuses to %s costs no more than anything unchanged, also when it is compared',
  async (what) => {
    const { run, put, verify, refuses } = counted({ readable: true });
    const edges = pairs('t', 40);
    await put('manifests/a.json', manifest(edges.slice(4), { columns: [] }));
    await run('manifests/a.json');
    if (what === 'delete') await put('manifests/a.json', manifest(edges, { columns: [] }));
    await run('manifests/a.json');
    refuses[what] = true;
    await put('manifests/a.json', manifest(what === 'add' ? edges : edges.slice(4), { columns: [] }));
    expect((await run('manifests/a.json')).calls).toBe(4);
    const { reads, writes, calls, looks } = await run('manifests/a.json');
    expect(reads).toBeLessThanOrEqual(2);
    expect({ writes, calls, looks }).toEqual({ writes: 0, calls: 0, looks: 0 });
    const compared = await verify();
    expect({ writes: compared.writes, calls: compared.calls }).toEqual({ writes: 0, calls: 0 });
  },
);

it('a new unshared edge costs two writes, besides the owner', async () => {
  const { run, put } = counted();
  await put('manifests/a.json', manifest(pairs('t', 40)));
  const { writes, calls } = await run('manifests/a.json');
  expect(calls).toBe(40);
  // The owner's row is written ahead and at the end.
  expect(writes).toBe(2 * 40 + 2);
});

it.each([
  ['one read and one more write, when it had columns', { readable: true, columns: ['id'] }, { looks: 1, writes: 3 }],
  ['nothing more without columns', { readable: true, columns: [] }, { looks: 0, writes: 2 }],
  ['nothing more where nothing can be read', { readable: false, columns: ['id'] }, { looks: 0, writes: 2 }],
])('to read back a withdrawn edge costs %s', async (_what, { readable, columns }, each) => {
  const { run, put } = counted({ readable });
  const edges = pairs('t', 40);
  await put('manifests/a.json', manifest(edges, { columns }));
  await run('manifests/a.json');
  await put('manifests/a.json', manifest(edges.slice(0, 36), { columns }));
  const { writes, calls, looks } = await run('manifests/a.json');
  expect({ calls, looks }).toEqual({ calls: 4, looks: 4 * each.looks });
  // The owner's row is written ahead and at the end.
  expect(writes).toBe(4 * each.writes + 2);
});

it('k changes in an owner of n cost writes in k, not in n', async () => {
  const { run, put } = counted();
  const edges = pairs('t', 4_000);
  await put('manifests/a.json', manifest(edges));
  await run('manifests/a.json');
  for (const k of [1, 5, 20]) {
    await put('manifests/a.json', manifest([...edges, ...pairs(`n${k}_`, k)]));
    const { writes, calls } = await run('manifests/a.json');
    expect(calls).toBeGreaterThanOrEqual(k);
    expect(writes).toBeLessThanOrEqual(12 * k + 10);
    edges.push(...pairs(`n${k}_`, k));
  }
});

it('five hundred owners of one edge of a hundred columns fit one row of less than 100 KB', {
  timeout: 60_000,
}, async () => {
  const { run, put } = counted();
  const columns = Array.from({ length: 100 }, (_, index) => `column_${index}`);
  let largest = 0;
  for (let owner = 0; owner < 500; owner += 1) {
    const key = `manifests/team-${owner}/orders.json`;
    await put(key, manifest([['a', 'b']], { columns: columns.slice(owner % 50) }));
    largest = Math.max(largest, (await run(key)).largest);
  }
  expect(largest).toBeLessThan(100_000);
});
