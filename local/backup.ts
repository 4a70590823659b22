import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeBackup } from '../shared/ledger/sqlite-backup.ts';
import { openSqliteFile } from '../shared/ledger/sqlite-file.ts';
import { folderManifests } from '../shared/manifests/folder.ts';
import type { Manifests } from '../shared/manifests/manifests.ts';
import { type AwsSettings, readSettings } from '../shared/settings.ts';
import { Misuse, readArguments, runCommand, say } from './command.ts';

const USAGE = `usage: npm run backup -- <file>

Writes the ledger, the queue and everything in the bucket (manifests, naming.yaml, status documents) as they are now into one file, also
while the service runs. Secrets are not in it: keep them where you keep secrets. With TABLE, BUCKET and QUEUE_URL set it prints the AWS
commands that do the same there.
  --json   the answer as JSON`;

async function* objectsOf(manifests: Manifests) {
  for (let after: string | undefined, more = true; more; ) {
    const page = await manifests.list('', after === undefined ? {} : { after });
    for (const { key } of page.items) {
      const object = await manifests.get(key);
      // Removed since it was listed.
      if (object) yield { key, bytes: object.bytes };
    }
    after = page.next;
    more = after !== undefined;
  }
}

/** The table can be restored to any second of the last 35 days anyway, and the bucket keeps replaced objects. */
function awsCommands({ table = '', bucket = '' }: AwsSettings, name: string): readonly string[] {
  return [
    `aws dynamodb create-backup --table-name ${table} --backup-name ${name}`,
    `aws dynamodb describe-continuous-backups --table-name ${table}`,
    `aws s3api get-bucket-versioning --bucket ${bucket}`,
    `aws s3 sync s3://${bucket} ./${name}/`,
  ];
}

async function main(): Promise<number | undefined> {
  const { values, positionals } = readArguments({});
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new Misuse('into which file?');
  const settings = readSettings();
  const at = Date.now();
  if (settings.aws !== undefined) {
    // DEPLOYMENT need not be set here, and the table's name is the stage's own.
    const name = `${settings.aws.table ?? `lineage-${settings.deployment}`}-${new Date(at).toISOString().slice(0, 10)}`;
    say(values.json, awsCommands(settings.aws, name), () =>
      ['# In this order: the ledger first.', ...awsCommands(settings.aws ?? { secretPrefix: '' }, name)].join('\n'),
    );
    return undefined;
  }
  const dataDir = resolve(settings.dataDir);
  if (!existsSync(join(dataDir, 'lineage.db'))) {
    console.error(`there is nothing to save in ${dataDir}; is DATA_DIR right?`);
    return 1;
  }
  if (existsSync(path)) {
    console.error(`${path} exists already; choose another name`);
    return 1;
  }
  const file = openSqliteFile(join(dataDir, 'lineage.db'));
  try {
    const manifests = folderManifests(join(dataDir, 'bucket'));
    const facts = await writeBackup(file, path, { at, deployment: settings.deployment }, objectsOf(manifests));
    say(values.json, { file: path, ...facts }, () => `wrote ${path}: the ledger and ${facts.objects} objects`);
  } finally {
    file.close();
  }
  return undefined;
}

/** `npm run backup` */
await runCommand(USAGE, main);
