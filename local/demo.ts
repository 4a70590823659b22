import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { memoryLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { life, type Place } from './life.ts';
import { type Runtime, startRuntime } from './runtime.ts';

/** `npm run demo`: the life of a manifest, once, against the simulators; exits 0 only if every step did what it says. */

const folder = await mkdtemp(join(tmpdir(), 'lineage-demo-'));
const started = performance.now();
let runtime: Runtime | undefined;
try {
  const settings = readSettings({ PORT: '0', DATA_DIR: folder, VANISH_GRACE: '0.5', RECONCILE_EVERY: '3600' });
  runtime = await startRuntime(settings, { log: memoryLog() });
  await life(onThisMachine(runtime), (line) => console.log(line));
  console.log(`\nEvery step did what it says (${((performance.now() - started) / 1_000).toFixed(1)} s).`);
} catch (thrown) {
  console.error(`\nThe demo failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
} finally {
  await runtime?.close();
  await rm(folder, { recursive: true, force: true });
}

function onThisMachine({ url, bucket, vendors, reconcile }: Runtime): Place {
  return {
    async drop(key, text) {
      await mkdir(dirname(join(bucket, key)), { recursive: true });
      await writeFile(join(bucket, key), text);
    },
    remove: (key) => rm(join(bucket, key)),
    request: (method, path, body) => fetch(url + path, { method, ...(body === undefined ? {} : { body }) }),
    reconcile,
    vendors,
  };
}
