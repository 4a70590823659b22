import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { markRestored, resume } from '../shared/converge/restored.ts';
import type { Ledger } from '../shared/ledger/ledger.ts';
import { sqliteLedger } from '../shared/ledger/sqlite.ts';
import { type Backup, openBackup } from '../shared/ledger/sqlite-backup.ts';
import { openSqliteFile } from '../shared/ledger/sqlite-file.ts';
import { folderManifests } from '../shared/manifests/folder.ts';
import { readSettings, type Settings } from '../shared/settings.ts';
import { stageOptions } from './aws-request.ts';
import { Misuse, readArguments, runCommand, say } from './command.ts';
import { lockDataDir } from './lock.ts';

const USAGE = `usage: npm run restore -- <file> [--force]
       npm run restore -- --resume

Puts ledger, queue and bucket of npm run backup into DATA_DIR, while no service runs there. What was done at the vendors since the backup
is not in it: so from then on nothing is sent, every pass only reports, and npm run plan shows what would be done. When that is right,
--resume lets it go on, also while the service runs.
  --force    what DATA_DIR holds now is moved aside
  --resume   the plan was looked at; the next pass carries it out
  --json     the answer as JSON
With TABLE, BUCKET and QUEUE_URL set: prints the AWS commands, for the time given as <file> (2026-11-20T08:00:00Z); --mark marks the
restored table, which TABLE then names, as report-only; --resume as above.`;

const AT_ONCE_NEEDED = 'npm run plan shows what would be done; then: npm run restore -- --resume';

async function main(): Promise<number | undefined> {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = readArguments({ force: flag, resume: flag, mark: flag });
  const settings = readSettings();
  const [path, ...more] = positionals;
  if (more.length > 0) throw new Misuse(`too much: ${more.join(' ')}`);
  if (values.resume || values.mark) {
    if (path !== undefined || values.resume === values.mark) throw new Misuse('--resume or --mark stands alone');
    return withLedger(settings, async (ledger) => {
      if (values.mark) {
        await markRestored(ledger, Date.now(), randomUUID);
        say(values.json, { reportOnly: true }, () => `nothing is sent from now on. ${AT_ONCE_NEEDED}`);
        return undefined;
      }
      const found = await resume(ledger);
      say(values.json, { resumed: found }, () =>
        found ? 'the next pass carries out what the manifests say' : 'nothing was held back by a restore',
      );
      return found ? 0 : 1;
    });
  }
  if (path === undefined) throw new Misuse('from which file?');
  if (settings.aws !== undefined) {
    const commands = awsCommands(settings, path);
    say(values.json, commands, () => commands.join('\n'));
    return undefined;
  }
  const backup = openBackup(path);
  try {
    return await restore(backup, settings, values.force, values.json);
  } finally {
    backup.close();
  }
}

async function withLedger(settings: Settings, work: (ledger: Ledger) => Promise<number | undefined>) {
  if (settings.aws !== undefined) {
    const { dynamodbLedger } = await import('../shared/ledger/dynamodb.ts');
    if (settings.aws.table === undefined) throw new Misuse('which table? set TABLE');
    return work(dynamodbLedger(settings.aws.table));
  }
  const path = join(resolve(settings.dataDir), 'lineage.db');
  if (!existsSync(path)) throw new Error(`there is no ledger in ${settings.dataDir}; is DATA_DIR right?`);
  const file = openSqliteFile(path);
  try {
    return await work(sqliteLedger(file));
  } finally {
    file.close();
  }
}

async function restore(backup: Backup, settings: Settings, force: boolean, json: boolean): Promise<number> {
  const { facts } = backup;
  const dataDir = resolve(settings.dataDir);
  if (facts.deployment !== settings.deployment) {
    console.error(
      `the backup is of DEPLOYMENT=${facts.deployment}, and this is ${settings.deployment}; our job nodes at DataArts carry that name, so set it`,
    );
    return 1;
  }
  const lock = lockDataDir(dataDir);
  try {
    const bucket = join(dataDir, 'bucket');
    const database = join(dataDir, 'lineage.db');
    const occupied = existsSync(database) || (existsSync(bucket) && (await readdir(bucket)).length > 0);
    if (occupied && !force) {
      console.error(`${dataDir} is not empty; give another DATA_DIR, or --force to move what it holds aside`);
      return 1;
    }
    // Everything is made beside what is there first: whatever goes wrong until then changes nothing.
    const next = join(dataDir, 'restoring');
    await rm(next, { recursive: true, force: true });
    await mkdir(join(next, 'bucket'), { recursive: true });
    const manifests = folderManifests(join(next, 'bucket'));
    for (const { key, bytes } of backup.objects()) await manifests.put(key, bytes, 'application/octet-stream');
    backup.writeDatabase(join(next, 'lineage.db'));
    const file = openSqliteFile(join(next, 'lineage.db'));
    await markRestored(sqliteLedger(file), Date.now(), randomUUID);
    file.close();
    const aside = await moveAside(dataDir);
    for (const name of await readdir(next)) await rename(join(next, name), join(dataDir, name));
    await rm(next, { recursive: true, force: true });
    const moved = aside === undefined ? '' : `What was there is in ${aside}. `;
    say(
      json,
      { ...facts, ...(aside === undefined ? {} : { aside }) },
      () =>
        `restored the ledger and ${facts.objects} objects of ${new Date(facts.at).toISOString()}. ${moved}Nothing is sent until you say so. ${AT_ONCE_NEEDED}`,
    );
    return 0;
  } finally {
    lock.release();
  }
}

/** Moves bucket and database into a folder of their own; undefined when there are none. */
async function moveAside(dataDir: string): Promise<string | undefined> {
  const names = (await readdir(dataDir)).filter((name) => name === 'bucket' || name.startsWith('lineage.db'));
  if (names.length === 0) return undefined;
  const aside = join(dataDir, `before-restore-${new Date().toISOString().replaceAll(':', '-')}`);
  await mkdir(aside);
  for (const name of names) await rename(join(dataDir, name), join(aside, name));
  return aside;
}

function awsCommands(settings: Settings, time: string): readonly string[] {
  const { table = '', bucket = '' } = settings.aws ?? {};
  const restored = `${table}-restored`;
  return [
    '# 1. The ledger as it was at that time, in a new table; it keeps its indexes, its settings have to be made again:',
    `aws dynamodb restore-table-to-point-in-time --source-table-name ${table} --target-table-name ${restored} --restore-date-time ${time}`,
    `aws dynamodb wait table-exists --table-name ${restored}`,
    `aws dynamodb update-time-to-live --table-name ${restored} --time-to-live-specification Enabled=true,AttributeName=expiresAt`,
    `aws dynamodb update-continuous-backups --table-name ${restored} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`,
    '# 2. Nothing is sent from it until you say so:',
    `TABLE=${restored} npm run restore -- --mark`,
    '# 3. The functions use it; with the other parameters of your last deploy:',
    `npx serverless deploy ${stageOptions(settings)} --param TABLE=${restored}`,
    '# 4. Manifests that were removed or overwritten since: the bucket keeps their versions.',
    `aws s3api list-object-versions --bucket ${bucket} --prefix manifests/`,
    '# 5. Look at the plan (npm run plan prints the request for it), then:',
    `TABLE=${restored} npm run restore -- --resume`,
  ];
}

/** `npm run restore` */
await runCommand(USAGE, main);
