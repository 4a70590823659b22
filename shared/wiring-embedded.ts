import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConvergeDeps } from './converge/deps.ts';
import { ledgerCheck } from './converge/lost-ledger.ts';
import { namingFile } from './converge/naming-file.ts';
import { untilResumed } from './converge/restored.ts';
import { spilling } from './ledger/spill.ts';
import { sqliteLedger } from './ledger/sqlite.ts';
import { openSqliteFile } from './ledger/sqlite-file.ts';
import { versioned } from './ledger/versioned.ts';
import { createLog } from './log.ts';
import { announcing, type Written } from './manifests/announcing.ts';
import { folderManifests } from './manifests/folder.ts';
import { silentMetrics } from './metrics.ts';
import { sqliteQueue } from './queue/sqlite.ts';
import { cachedSecrets } from './secrets/cached.ts';
import { fileSecrets } from './secrets/file.ts';
import type { Settings } from './settings.ts';
import { targetsOf } from './targets.ts';
import type { EmbeddedOptions, EmbeddedServices } from './wiring.ts';

const SECRETS_TTL_MS = 2_000;
const SECRETS_REFRESH_MS = 250;
const MAX_ATTEMPTS = 8;

/**
 * Ledger and queue in one sqlite file, the bucket a folder, secrets files, all under DATA_DIR. One process at a time: a lease that
 * another process left is dead, its intents are not.
 */
export async function embeddedServices(settings: Settings, options: EmbeddedOptions = {}): Promise<EmbeddedServices> {
  const { dataDir } = settings;
  const bucket = join(dataDir, 'bucket');
  await mkdir(bucket, { recursive: true });
  const log = options.log ?? createLog({ service: 'lineage-functions', level: settings.logLevel });
  const metrics = options.metrics ?? silentMetrics;
  const file = openSqliteFile(join(dataDir, 'lineage.db'));
  const stored = sqliteLedger(file);
  const ledger = versioned(spilling(stored));
  const queue = sqliteQueue(file, { now: Date.now, maxAttempts: MAX_ATTEMPTS });
  const listeners = new Set<(written: Written) => void>();
  const manifests = announcing(folderManifests(bucket), (written) => {
    for (const tell of listeners) tell(written);
  });
  const secrets = cachedSecrets(fileSecrets(join(dataDir, 'secrets')), {
    ttlMs: SECRETS_TTL_MS,
    refreshEveryMs: SECRETS_REFRESH_MS,
    now: Date.now,
  });
  const life = randomBytes(6).toString('base64url');
  const id = () => `${life}-${randomBytes(9).toString('base64url')}`;
  const deps: ConvergeDeps = {
    ledger,
    queue,
    manifests,
    log,
    metrics,
    targets: untilResumed(
      targetsOf(secrets, {
        ledger,
        id,
        log,
        metrics,
        modes: settings.modes,
        ...(options.simulated ? { simulated: options.simulated } : {}),
      }),
      ledger,
    ),
    naming: namingFile(manifests),
    ledgerCheck: ledgerCheck(ledger, manifests, id),
    ...(options.parse ? { parse: options.parse } : {}),
    ...(options.lines ? { lines: options.lines } : {}),
    now: Date.now,
    id,
    alive: (lease) => lease.token.startsWith(`${life}-`) && lease.until > Date.now(),
    settings: {
      deployment: settings.deployment,
      ...(settings.webUrl === undefined ? {} : { webUrl: settings.webUrl }),
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
    secrets,
    ledger: stored,
    queue,
    bucket,
    onWritten(tell) {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    async close() {
      await file.close();
    },
  };
}
