import type { ConvergeDeps } from './converge/deps.ts';
import type { SqliteLedger } from './ledger/sqlite.ts';
import type { Log } from './log.ts';
import type { Written } from './manifests/announcing.ts';
import type { Metrics } from './metrics.ts';
import type { Lines, Parse } from './parse.ts';
import type { Queue } from './queue/queue.ts';
import type { SqliteQueue } from './queue/sqlite.ts';
import type { Secrets } from './secrets/secrets.ts';
import { readSettings, type Settings } from './settings.ts';
import type { Simulated } from './targets.ts';

/** What the functions work with; the same shape wherever they run. */
export interface Services {
  readonly settings: Settings;
  readonly log: Log;
  readonly deps: ConvergeDeps;
  readonly secrets: Secrets;
  /** Where a pass sends what it finds for other workers to do; absent: it does the work itself. */
  readonly spread?: Queue;
}

/** The services of one machine, with what only the local runtime needs of them. */
export interface EmbeddedServices extends Services {
  readonly ledger: SqliteLedger;
  readonly queue: SqliteQueue;
  /** Folder that plays the bucket. */
  readonly bucket: string;
  /** Tells of every object that this process writes or removes; the answer ends that. */
  onWritten(tell: (written: Written) => void): () => void;
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly simulated?: Simulated;
  readonly log?: Log;
  readonly metrics?: Metrics;
  readonly parse?: Parse;
  readonly lines?: Lines;
}

// Loaded when asked for: a Lambda function has no use for sqlite, nor a machine of its own for the AWS SDK.

/** Ledger, queue, bucket and secrets under DATA_DIR (wiring-embedded.ts). */
export async function embeddedServices(settings: Settings, options: EmbeddedOptions = {}): Promise<EmbeddedServices> {
  const embedded = await import('./wiring-embedded.ts');
  return embedded.embeddedServices(settings, options);
}

/**
 * The services of this process, from its environment: AWS's when `TABLE`, `BUCKET` and `QUEUE_URL` are set, those of one machine
 * when none of them is. Throws `Failure` `invalid` when only some are.
 */
export async function wire(): Promise<Services> {
  const settings = readSettings();
  if (settings.aws === undefined) return embeddedServices(settings);
  const { awsServices } = await import('./wiring-aws.ts');
  return awsServices(settings);
}
