import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { passHere } from '../../functions/scheduled-reconcile/here.ts';
import { newTally } from '../../functions/scheduled-reconcile/tally.ts';
import type { Target } from '../../shared/converge/deps.ts';
import { encodeOwner, newOwner, ownerKey } from '../../shared/converge/owner.ts';
import { goalOf } from '../../shared/converge/work.ts';
import { silentLog } from '../../shared/log.ts';
import { readSettings } from '../../shared/settings.ts';
import { vendors } from '../../shared/vendors/index.ts';
import { embeddedServices } from '../../shared/wiring.ts';
import { sideBySide } from './bench.ts';
import { given, say } from './child.ts';

/**
 * Makes a data folder of settled owners, runs passes over it in a process that has done nothing else, or does so beside the least that
 * looks at each of them.
 */
const input = given<{
  readonly step: 'seed' | 'pass' | 'steady';
  readonly dataDir: string;
  readonly owners: number;
  readonly edgesPerOwner: number;
}>();
const { dataDir, owners, edgesPerOwner } = input;
const ownerOf = (at: number) => `manifests/team-${at % 100}/${String(at).padStart(7, '0')}.json`;
const unitOf = (at: number, edge: number) => `unit-${at}-${edge}`.padEnd(22, '0');
const settings = readSettings({ DATA_DIR: dataDir, PORT: '0' });
const services = await embeddedServices(settings, { log: silentLog });
const vendor = vendors.find((each) => each.name === 'dataphin');
if (vendor === undefined) throw new Error('no dataphin');
const unused = async () => {
  throw new Error('an unchanged owner was called for');
};
const target: Target = { name: 'dataphin', vendor, account: 'a', secret: {}, client: { register: unused } };
const deps = { ...services.deps, targets: async () => ({ list: [target], problems: [] }) };

if (input.step === 'seed') {
  for (let team = 0; team < 100; team += 1)
    mkdirSync(join(services.bucket, 'manifests', `team-${team}`), { recursive: true });
  for (let at = 0; at < owners; at += 1) {
    writeFileSync(
      join(services.bucket, ownerOf(at)),
      `{ "version": 1, "lineage": [], "job": { "namespace": "n", "name": "${at}" } }`,
    );
  }
  // The listing gives a file's etag only once it has been left alone for a moment.
  await new Promise((done) => setTimeout(done, 600));
  const goal = goalOf(await deps.naming(), await deps.targets(), deps.settings.deployment);
  const database = new DatabaseSync(join(dataDir, 'lineage.db'));
  const put = database.prepare('INSERT INTO item (key, rev, body, entries, expires_at) VALUES (?, ?, ?, ?, NULL)');
  const index = database.prepare('INSERT INTO entry (entry, key) VALUES (?, ?)');
  const write = (key: string, body: object, entries: readonly string[]) => {
    put.run(key, 'r', JSON.stringify(body), JSON.stringify(entries));
    for (const entry of entries) index.run(entry, key);
  };
  database.exec('PRAGMA synchronous = OFF; BEGIN');
  let seeded = 0;
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.manifests.list('manifests/', { limit: 100_000, ...(after === undefined ? {} : { after }) });
    for (const { key, etag } of page.items) {
      const at = seeded;
      seeded += 1;
      const ids = Array.from({ length: edgesPerOwner }, (_, edge) => unitOf(at, edge));
      const state = { ...newOwner(key), settled: true, hash: goal(etag), claimed: etag, units: { ids }, base: { ids } };
      const { body, index: entries } = encodeOwner({
        ...state,
        counts: { a: edgesPerOwner },
        configured: ['a'],
        outcomes: { registered: edgesPerOwner },
        last: { at: 1, ms: 5, state: 'converged' },
      });
      write(ownerKey(key), body, entries);
      for (const id of ids) {
        write(`unit/${id}`, { kind: 'unit', id, owner: key, filler: 'x'.repeat(300) }, [
          'units',
          'account:a',
          `feeds:${id}`,
        ]);
      }
    }
    after = page.next;
    more = after !== undefined;
  }
  database.exec('COMMIT');
  database.close();
  await services.close();
  say({ seeded });
} else {
  const run = async () => {
    const tally = newTally();
    const started = performance.now();
    await passHere(deps, { deadlineMs: Date.now() + 3_600_000, tally, since: Date.now() });
    return { tally, ms: performance.now() - started };
  };
  /** Listing the owners and reading each one's row; what is left out is to look at it. */
  const floor = async () => {
    const started = performance.now();
    let read = 0;
    for (let after: string | undefined, more = true; more; ) {
      const page = await deps.manifests.list('manifests/', after === undefined ? {} : { after });
      for (const { key } of page.items) if (await deps.ledger.get(ownerKey(key))) read += 1;
      after = page.next;
      more = after !== undefined;
    }
    if (read !== owners) throw new Error(`${read} owners read`);
    return performance.now() - started;
  };
  const besideFloor = async () => {
    const steady = await sideBySide({ ours: async () => (await run()).ms, floor }, 5);
    return { ours: steady.ours, floor: steady.floor };
  };
  const cold = await run();
  const warm = await run();
  const beside = input.step === 'steady' ? await besideFloor() : {};
  await services.close();
  // Kilobytes, the highest since the process began.
  const peakRssBytes = process.resourceUsage().maxRSS * 1_024;
  const { outcomes, edges } = warm.tally;
  say({ coldMs: cold.ms, ms: warm.ms, peakRssBytes, outcomes, edges, ...beside });
}
process.exit(0);
