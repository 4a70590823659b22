import { randomBytes } from 'node:crypto';
import { ledgerCheck } from './converge/lost-ledger.ts';
import { namingFile } from './converge/naming-file.ts';
import { untilResumed } from './converge/restored.ts';
import { Failure } from './core/failure.ts';
import { dynamodbLedger } from './ledger/dynamodb.ts';
import { spilling } from './ledger/spill.ts';
import { versioned } from './ledger/versioned.ts';
import { createLog, type Log } from './log.ts';
import { s3Manifests } from './manifests/s3.ts';
import type { Metrics } from './metrics.ts';
import { emfMetrics } from './metrics-emf.ts';
import type { Queue } from './queue/queue.ts';
import { sqsQueue } from './queue/sqs.ts';
import { cachedSecrets } from './secrets/cached.ts';
import type { Secrets } from './secrets/secrets.ts';
import { secretsManagerSecrets } from './secrets/secrets-manager.ts';
import type { Settings } from './settings.ts';
import { targetsOf } from './targets.ts';
import type { Services } from './wiring.ts';

/** A rotated secret is seen within this time. */
const SECRETS_TTL_MS = 60_000;
/** After refused credentials at once, but not more often than this. */
const SECRETS_REFRESH_MS = 5_000;
/** No ledger call takes longer, with all its attempts; leases count on it. */
const LEDGER_MS = 5_000;
/** Lambda's clocks are far better than this; leases and waits count on it. */
const CLOCK_SKEW_MS = 5_000;

/**
 * Ledger in DynamoDB, bucket in S3, queue in SQS, secrets in Secrets Manager. Nothing is called yet. Throws `Failure`
 * `invalid` when one of `TABLE`, `BUCKET` and `QUEUE_URL` is not set.
 */
export function awsServices(
  settings: Settings,
  options: { readonly log?: Log; readonly metrics?: Metrics } = {},
): Services {
  const { table, bucket, queueUrl, secretPrefix } = complete(settings);
  const log = options.log ?? createLog({ service: 'lineage-functions', level: settings.logLevel });
  const metrics = options.metrics ?? emfMetrics(settings.deployment);
  const manifests = onUse(['head', 'get', 'put', 'delete', 'list'], () => s3Manifests(bucket));
  const cache = { ttlMs: SECRETS_TTL_MS, listTtlMs: SECRETS_TTL_MS, refreshEveryMs: SECRETS_REFRESH_MS, now: Date.now };
  const secrets = cachedSecrets(
    onUse<Secrets>(['get', 'list'], () => secretsManagerSecrets(secretPrefix)),
    cache,
  );
  const { hold } = settings;
  const ledger = versioned(
    spilling(onUse(['get', 'getMany', 'write', 'remove', 'find'], () => dynamodbLedger(table, { callMs: LEDGER_MS }))),
  );
  const queue = onUse<Queue>(['send', 'sendMany'], () => sqsQueue(queueUrl));
  const id = () => randomBytes(15).toString('base64url');
  return {
    settings,
    log,
    secrets,
    spread: queue,
    deps: {
      ledger,
      queue,
      manifests,
      log,
      metrics,
      targets: untilResumed(targetsOf(secrets, { ledger, id, log, metrics, modes: settings.modes }), ledger),
      naming: namingFile(manifests),
      ledgerCheck: ledgerCheck(ledger, manifests, id),
      now: Date.now,
      id,
      // Its end lies behind its holder's deadline by twice the skew: nobody who holds it can still be at work.
      alive: (lease) => lease.until > Date.now(),
      settings: {
        deployment: settings.deployment,
        ...(settings.webUrl === undefined ? {} : { webUrl: settings.webUrl }),
        policy: { ratio: hold.withdrawRatio, singleRemoval: hold.singleRemovalLimit, smallTarget: hold.smallTarget },
        graceMs: settings.vanishGraceMs,
        lateBoundMs: settings.unknownWaitMs,
        clockSkewMs: CLOCK_SKEW_MS,
        ledgerTimeoutMs: LEDGER_MS,
        callBudgetMs: 30_000,
        concurrency: 8,
      },
    },
  };
}

function complete({ aws = { secretPrefix: '' } }: Settings) {
  const { table, bucket, queueUrl, secretPrefix } = aws;
  if (table !== undefined && bucket !== undefined && queueUrl !== undefined) {
    return { table, bucket, queueUrl, secretPrefix };
  }
  const names = { TABLE: table, BUCKET: bucket, QUEUE_URL: queueUrl };
  const missing = Object.entries(names).flatMap(([name, value]) => (value === undefined ? [name] : []));
  throw new Failure(
    'invalid',
    `Set ${missing.join(' and ')}, too, to keep everything in AWS, or none of ${Object.keys(names).join(', ')} to keep it in DATA_DIR.`,
  );
}

/** A port that is opened when it is first used: not every function needs each, and an SDK client takes time to set up. */
function onUse<Port extends object>(verbs: readonly (keyof Port & string)[], open: () => Port): Port {
  let opened: Port | undefined;
  const use =
    (verb: keyof Port) =>
    (...given: unknown[]): unknown => {
      opened ??= open();
      return (opened[verb] as (...given: unknown[]) => unknown).apply(opened, given);
    };
  return Object.fromEntries(verbs.map((verb) => [verb, use(verb)])) as Port;
}
