import * as z from 'zod';
import { Failure } from './core/failure.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What whoever runs this may choose. The same names are environment variables locally and stage parameters in AWS. */
export interface Settings {
  /** `DEPLOYMENT`: the stage's name; part of what identifies our job nodes at DataArts, so never change it later. */
  readonly deployment: string;
  /** `PORT` of the local runtime; 0 is any free one. */
  readonly port: number;
  /** `DATA_DIR`, as given. */
  readonly dataDir: string;
  /** `RECONCILE_EVERY`, given in seconds: time between two reconcile passes. */
  readonly reconcileEveryMs: number;
  /** `AUTH`: whether callers must authenticate locally. */
  readonly auth: 'none' | 'required';
  /**
   * `VANISH_GRACE`, given in seconds: how long withdrawals by vanished manifests wait before they are judged together;
   * default 1, in AWS 60, because its notifications of one removal of many may come far apart.
   */
  readonly vanishGraceMs: number;
  /** `UNKNOWN_WAIT`, given in seconds: how long after its sender's deadline an unanswered call may still be applied. */
  readonly unknownWaitMs: number;
  readonly logLevel: LogLevel;
  /** When withdrawals are held back until somebody releases them. */
  readonly hold: HoldSettings;
  /** How events of orchestrators are read. */
  readonly openlineage: OpenLineageSettings;
  /** Present when any of `TABLE`, `BUCKET` and `QUEUE_URL` is set; whether all are is for the wiring to say. */
  readonly aws?: AwsSettings;
}

/** Where things are kept in AWS. Region, credentials and endpoints are the SDK's own variables. */
export interface AwsSettings {
  /** `TABLE`: name of the DynamoDB table that is the ledger. */
  readonly table?: string;
  /** `BUCKET`: name of the S3 bucket with the manifests. */
  readonly bucket?: string;
  /** `QUEUE_URL`: of the SQS queue that the register-worker function receives from. */
  readonly queueUrl?: string;
  /** `SECRET_PREFIX`: what comes before `lineage/…` in the names of our secrets in Secrets Manager; default nothing. */
  readonly secretPrefix: string;
}

export interface HoldSettings {
  /** `WITHDRAW_HOLD_RATIO`: above this share of withdrawn edges (0 to 1) they are held. */
  readonly withdrawRatio: number;
  /** `SINGLE_REMOVAL_LIMIT`: the removal of one manifest with fewer edges than this is never held. */
  readonly singleRemovalLimit: number;
  /** `SMALL_TARGET`: nothing is held where fewer edges than this are known. */
  readonly smallTarget: number;
}

export interface OpenLineageSettings {
  /** `OPENLINEAGE_RUNS`: a job declares the union of this many of its last completed runs. */
  readonly runs: number;
  /** `OPENLINEAGE_INDIRECT`: what becomes of columns that only filter, join, group or sort. */
  readonly indirect: 'drop' | 'table' | 'keep';
  /** `OPENLINEAGE_STRICT`: refuse events that the specification does not allow; otherwise be as lenient as Marquez. */
  readonly strict: boolean;
  /** `OPENLINEAGE_FAILED_RUNS`: whether batch runs that failed or were aborted declare lineage too. */
  readonly failedRuns: boolean;
  /** `OPENLINEAGE_SELF_EDGES`: whether a dataset may feed itself. */
  readonly selfEdges: boolean;
  /** `OPENLINEAGE_KEEP_SQL`: store facets that carry SQL, environment or source code; they may hold secrets. */
  readonly keepSql: boolean;
  /** `OPENLINEAGE_RUN_EXPIRY`, given in days: unfinished runs are forgotten after it, without withdrawing anything. */
  readonly runExpiryMs: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const DAY_SECONDS = 86_400;
const LOCAL_GRACE_SECONDS = 1;
const AWS_GRACE_SECONDS = 60;

// An empty variable counts as not set, as in a shell's or a compose file's `PORT=`.
const schema = z.object({
  DEPLOYMENT: text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'up to 64 letters, digits, - and _').default('local'),
  PORT: number({ from: 0, to: 65_535, whole: true }, '(0 picks a free one)').default(3_000),
  DATA_DIR: text(/^[^\0]+$/, 'a folder').default('.data'),
  RECONCILE_EVERY: number({ from: 0.1, to: DAY_SECONDS }, 'seconds').default(60),
  AUTH: choice(['none', 'required']).default('none'),
  VANISH_GRACE: number({ from: 0, to: DAY_SECONDS }, 'seconds').optional(),
  UNKNOWN_WAIT: number({ from: 0, to: DAY_SECONDS }, 'seconds').default(120),
  LOG_LEVEL: choice(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  WITHDRAW_HOLD_RATIO: number({ from: 0, to: 1 }, '(0.3 is 30 %)').default(0.3),
  SINGLE_REMOVAL_LIMIT: number({ from: 0, to: 1_000_000, whole: true }, 'edges').default(100),
  SMALL_TARGET: number({ from: 0, to: 1_000_000, whole: true }, 'edges').default(10),
  OPENLINEAGE_RUNS: number({ from: 1, to: 100, whole: true }, 'runs').default(3),
  OPENLINEAGE_INDIRECT: choice(['drop', 'table', 'keep']).default('table'),
  OPENLINEAGE_STRICT: choice(['no', 'yes']).default('no'),
  OPENLINEAGE_FAILED_RUNS: choice(['ignore', 'publish']).default('ignore'),
  OPENLINEAGE_SELF_EDGES: choice(['keep', 'drop']).default('keep'),
  OPENLINEAGE_KEEP_SQL: choice(['no', 'yes']).default('no'),
  OPENLINEAGE_RUN_EXPIRY: number({ from: 0.001, to: 3_650 }, 'days').default(7),
  TABLE: text(/^[A-Za-z0-9_.-]{3,255}$/, 'the name of a DynamoDB table').optional(),
  BUCKET: text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket').optional(),
  QUEUE_URL: text(/^https?:\/\/[^\s/]+\/\S+$/, 'the URL of an SQS queue').optional(),
  SECRET_PREFIX: text(/^[A-Za-z0-9/_+=.@-]{1,256}$/, 'letters, digits and /_+=.@-').default(''),
});

/**
 * The settings of this process, the only place that reads its environment. Variables that are not settings are ignored.
 * Throws `Failure` `invalid` that lists every wrong one with what it may be.
 */
export function readSettings(environment: Environment = process.env): Settings {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return `- ${name} is ${JSON.stringify(given[name])}: give ${issue.message}`;
    });
    throw new Failure('invalid', `Correct these settings and start again:\n${lines.join('\n')}`);
  }
  const values = parsed.data;
  const aws = awsSettings(values);
  return {
    deployment: values.DEPLOYMENT,
    port: values.PORT,
    dataDir: values.DATA_DIR,
    reconcileEveryMs: milliseconds(values.RECONCILE_EVERY),
    auth: values.AUTH,
    vanishGraceMs: milliseconds(values.VANISH_GRACE ?? (aws === undefined ? LOCAL_GRACE_SECONDS : AWS_GRACE_SECONDS)),
    unknownWaitMs: milliseconds(values.UNKNOWN_WAIT),
    logLevel: values.LOG_LEVEL,
    hold: {
      withdrawRatio: values.WITHDRAW_HOLD_RATIO,
      singleRemovalLimit: values.SINGLE_REMOVAL_LIMIT,
      smallTarget: values.SMALL_TARGET,
    },
    openlineage: {
      runs: values.OPENLINEAGE_RUNS,
      indirect: values.OPENLINEAGE_INDIRECT,
      strict: values.OPENLINEAGE_STRICT === 'yes',
      failedRuns: values.OPENLINEAGE_FAILED_RUNS === 'publish',
      selfEdges: values.OPENLINEAGE_SELF_EDGES === 'keep',
      keepSql: values.OPENLINEAGE_KEEP_SQL === 'yes',
      runExpiryMs: milliseconds(values.OPENLINEAGE_RUN_EXPIRY * DAY_SECONDS),
    },
    ...(aws === undefined ? {} : { aws }),
  };
}

function awsSettings(values: z.infer<typeof schema>): AwsSettings | undefined {
  const { TABLE: table, BUCKET: bucket, QUEUE_URL: queueUrl, SECRET_PREFIX: secretPrefix } = values;
  if (table === undefined && bucket === undefined && queueUrl === undefined) return undefined;
  return {
    secretPrefix,
    ...(table === undefined ? {} : { table }),
    ...(bucket === undefined ? {} : { bucket }),
    ...(queueUrl === undefined ? {} : { queueUrl }),
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly whole?: boolean;
}

function number({ from, to, whole = false }: Range, unit: string) {
  const message = `a ${whole ? 'whole ' : ''}number from ${from} to ${to} ${unit}`;
  return z
    .string()
    .refine(
      (value) => (whole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(value) && Number(value) >= from && Number(value) <= to,
      {
        message,
      },
    )
    .transform(Number);
}

function choice<const Options extends readonly [string, ...string[]]>(options: Options) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase() : value),
    z.enum(options, { message: options.join(' or ') }),
  );
}

function text(pattern: RegExp, message: string) {
  return z.string().regex(pattern, { message });
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1_000);
}
