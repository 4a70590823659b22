import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConvergeDeps } from './converge/deps.ts';
import { namingFile } from './converge/naming-file.ts';
import { type SqliteLedger, sqliteLedger } from './ledger/sqlite.ts';
import { openSqliteFile } from './ledger/sqlite-file.ts';
import { createLog, type Log } from './log.ts';
import { folderManifests } from './manifests/folder.ts';
import type { Parse } from './parse.ts';
import { type SqliteQueue, sqliteQueue } from './queue/sqlite.ts';
import { cachedSecrets } from './secrets/cached.ts';
import { fileSecrets } from './secrets/file.ts';
import { readSettings, type Settings } from './settings.ts';
import { type Simulated, targetsOf } from './targets.ts';

/** What the functions work with; the same shape wherever they run. */
export interface Services {
  readonly settings: Settings;
  readonly log: Log;
  readonly deps: ConvergeDeps;
}

/** The services of one machine, with what only the local runtime needs of them. */
export interface EmbeddedServices extends Services {
  readonly ledger: SqliteLedger;
  readonly queue: SqliteQueue;
  /** Folder that plays the bucket. */
  readonly bucket: string;
  close(): Promise<void>;
}

const SECRETS_TTL_MS = 2_000;
const MAX_ATTEMPTS = 8;

/**
 * Ledger and queue in one sqlite file, the bucket a folder, secrets files, all under DATA_DIR. One process at a time: a lease that
 * another process left is dead, its intents are not.
 */
export async function embeddedServices(
  settings: Settings,
  options: { readonly simulated?: Simulated; readonly log?: Log; readonly parse?: Parse } = {},
): Promise<EmbeddedServices> {
  const { dataDir } = settings;
  const bucket = join(dataDir, 'bucket');
  await mkdir(bucket, { recursive: true });
  const log = options.log ?? createLog({ service: 'lineage-functions', level: settings.logLevel });
  const file = openSqliteFile(join(dataDir, 'lineage.db'));
  const ledger = sqliteLedger(file);
  const queue = sqliteQueue(file, { now: Date.now, maxAttempts: MAX_ATTEMPTS });
  const manifests = folderManifests(bucket);
  const secrets = cachedSecrets(fileSecrets(join(dataDir, 'secrets')), { ttlMs: SECRETS_TTL_MS, now: Date.now });
  const life = randomBytes(6).toString('base64url');
  const deps: ConvergeDeps = {
    ledger,
    queue,
    manifests,
    log,
    targets: targetsOf(secrets, options.simulated),
    naming: namingFile(manifests),
    ...(options.parse ? { parse: options.parse } : {}),
    now: Date.now,
    id: () => `${life}-${randomBytes(9).toString('base64url')}`,
    alive: (lease) => lease.token.startsWith(`${life}-`) && lease.until > Date.now(),
    settings: {
      deployment: settings.deployment,
      policy: {
        ratio: settings.hold.withdrawRatio,
        singleRemoval: settings.hold.singleRemovalLimit,
        smallTarget: settings.hold.smallTarget,
      },
      graceMs: settings.vanishGraceMs,
      lateBoundMs: settings.unknownWaitMs,
      clockSkewMs: 0,
      ledgerTimeoutMs: 1_000,
      callBudgetMs: 30_000,
      concurrency: 8,
    },
  };
  return {
    settings,
    log,
    deps,
    ledger,
    queue,
    bucket,
    async close() {
      await file.close();
    },
  };
}

/** The services of this process, from its environment. */
export async function wire(): Promise<Services> {
  return embeddedServices(readSettings());
}
