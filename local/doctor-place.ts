import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ledgerCheck } from '../shared/converge/lost-ledger.ts';
import { restoredAt } from '../shared/converge/restored.ts';
import { asFailure } from '../shared/core/failure.ts';
import type { Ledger } from '../shared/ledger/ledger.ts';
import { sqliteLedger } from '../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../shared/ledger/sqlite-file.ts';
import { folderManifests } from '../shared/manifests/folder.ts';
import type { Manifests } from '../shared/manifests/manifests.ts';
import { sqliteQueue } from '../shared/queue/sqlite.ts';
import type { Settings } from '../shared/settings.ts';
import { type Finding, info, ok, warn, wrong } from './findings.ts';

const LITTLE_BYTES = 500 * 1024 * 1024;
const ANSWER_MS = 5_000;

/** The folder that everything is kept in: whether it can be written, has room, and holds a sound database; and who serves it. */
export async function checkFolder(settings: Settings): Promise<readonly Finding[]> {
  const { dataDir } = settings;
  try {
    await mkdir(dataDir, { recursive: true });
    const probe = join(dataDir, `.doctor-${process.pid}`);
    const handle = await open(probe, 'w', 0o600);
    await handle.sync();
    await handle.close();
    await rm(probe);
  } catch (thrown) {
    const code = String((thrown as { code?: unknown }).code ?? thrown);
    return [wrong('disk', `${dataDir} cannot be written (${code})`, 'give this user the right to, or set DATA_DIR')];
  }
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const room = `${dataDir} can be written, ${Math.floor(free / 1024 / 1024)} MB are free`;
  const disk =
    free < LITTLE_BYTES ? warn('disk', room, 'free some space: a full disk stops everything') : ok('disk', room);
  return [disk, ...(await checkDatabase(dataDir)), await checkService(dataDir)];
}

async function checkDatabase(dataDir: string): Promise<readonly Finding[]> {
  const path = join(dataDir, 'lineage.db');
  try {
    const file = openSqliteFile(path, { busyTimeoutMs: 2_000 });
    try {
      const state = file.read(() => file.database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']);
      if (state !== 'ok')
        return [wrong('database', `${path} is damaged: ${String(state)}`, 'stop the service and npm run restore')];
      const ledger = sqliteLedger(file);
      const bucket = join(dataDir, 'bucket');
      const queue = sqliteQueue(file, { now: Date.now });
      // Takes the lock for writing, and changes nothing.
      await file.commit(() => 0);
      const dead = (await queue.deadLetters()).length;
      const letters =
        dead === 0
          ? ok('dead letters', 'there are none')
          : warn('dead letters', `${dead} wait, the reason beside each`, 'npm run dead-letters -- list');
      const trust = existsSync(bucket) ? await checkLedger(ledger, folderManifests(bucket)) : [];
      return [ok('database', `${path} is sound and can be written`), ...trust, letters];
    } finally {
      file.close();
    }
  } catch (thrown) {
    return [wrong('database', asFailure(thrown).message, 'see the message; npm run restore brings back a backup')];
  }
}

/** Whether what the ledger says may be acted on: it was not lost, and not restored without somebody having looked at the plan. */
async function checkLedger(ledger: Ledger, manifests: Manifests): Promise<readonly Finding[]> {
  // Only looks: what it finds is for the service to note.
  const lost = await ledgerCheck({ ...ledger, write: async () => true }, manifests, () => '').lost();
  const at = await restoredAt(ledger);
  const findings: Finding[] = [];
  if (lost)
    findings.push(
      wrong(
        'ledger',
        'it is empty beside status documents, so nobody knows what is registered, and nothing is sent',
        'npm run restore brings back a backup; without one, npm run adopt says that what the manifests declare is registered',
      ),
    );
  if (at !== undefined)
    findings.push(
      wrong(
        'ledger',
        `it was restored from a backup (${new Date(at).toISOString()}), and until you say that it may go on nothing is sent`,
        'npm run plan shows what would be done; then npm run restore -- --resume',
      ),
    );
  return findings;
}

async function checkService(dataDir: string): Promise<Finding> {
  let url: string;
  try {
    ({ url } = JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { url: string });
  } catch {
    return info('service', `nobody serves ${dataDir} now; npm start does`);
  }
  try {
    const answer = await fetch(`${url}/manifests?limit=1`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status < 500) return ok('service', `answers at ${url}`);
    return wrong('service', `${url} answers ${answer.status}`, 'its log says why');
  } catch {
    return warn('service', `does not answer at ${url}, which ${dataDir}/runtime.json names`, 'start it with npm start');
  }
}

/** The ledger, bucket and queues in AWS: whether they are there, and may be read. */
export async function checkAws(settings: Settings): Promise<readonly Finding[]> {
  const { awsServices } = await import('../shared/wiring-aws.ts');
  const { openLetters } = await import('./letters.ts');
  const right = (what: string) => `check its name, the region, and that these credentials may ${what}`;
  const findings: Finding[] = [];
  const look = async (check: string, message: string, fix: string, read: () => Promise<unknown>) => {
    await read().then(
      () => findings.push(ok(check, message)),
      (thrown: unknown) => findings.push(wrong(check, asFailure(thrown).message, fix)),
    );
  };
  let deps: Awaited<ReturnType<typeof awsServices>>['deps'];
  try {
    ({ deps } = awsServices(settings));
  } catch (thrown) {
    return [wrong('settings', asFailure(thrown).message, 'npx serverless info --verbose shows the names')];
  }
  const { table, bucket, deadLetterUrls = [] } = settings.aws ?? {};
  await look('ledger', `table ${table} can be read`, right('dynamodb:GetItem'), () => deps.ledger.get('meta/ledger'));
  await checkLedger(deps.ledger, deps.manifests).then(
    (found) => findings.push(...found),
    // What cannot be read is told above and below.
    () => {},
  );
  await look('bucket', `bucket ${bucket} can be listed`, right('s3:ListBucket'), () =>
    deps.manifests.list('manifests/', { limit: 1 }),
  );
  if (deadLetterUrls.length === 0) {
    findings.push(info('dead letters', 'not looked at: set DEAD_LETTER_URLS (npx serverless info --verbose)'));
    return findings;
  }
  await look('dead letters', 'their queues can be read', right('sqs:ReceiveMessage'), async () => {
    const letters = await openLetters(settings, async () => {});
    const found = await letters.list(100);
    if (found.length > 0)
      findings.push(warn('dead letters', `${found.length} or more wait`, 'npm run dead-letters -- list'));
  });
  return findings;
}
