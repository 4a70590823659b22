import * as z from 'zod';
import { Failure } from './core/failure.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What whoever runs this may choose. The same names are environment variables locally and stage parameters in AWS. */
export interface Settings {
  /** `DEPLOYMENT`: the stage's name; part of what identifies our job nodes at DataArts, so never change it later. */
  readonly deployment: string;
  /** `PORT` of the local runtime; 0 is any free one. */
  readonly port: number;
  /**
   * `LISTEN_FDS`, `LISTEN_PID`: the descriptor of a listening socket that whoever started this process keeps open for it (sd_listen_fds(3),
   * systemd 252, read 2026-11); then `PORT` is not used. Variables for another process are not for us; without `LISTEN_PID` they are.
   */
  readonly listenFd?: number;
  /** What the local runtime takes in hand at once; all that is more is asked to come again (503). In AWS the platform decides. */
  readonly admission: AdmissionSettings;
  /** `DATA_DIR`, as given. */
  readonly dataDir: string;
  /** `RECONCILE_EVERY`, given in seconds: time between two reconcile passes. */
  readonly reconcileEveryMs: number;
  /** `AUTH`: whether callers must authenticate locally. */
  readonly auth: 'none' | 'required';
  /** `CORS_ORIGINS`, comma-separated: pages of these origins may call us; of no other unless given. */
  readonly cors: { readonly origins: readonly string[] };
  /** `WEB_URL`: where people open the pages, e.g. behind a proxy; share links and status documents begin with it. Without: paths only. */
  readonly webUrl?: string;
  /**
   * `VANISH_GRACE`, given in seconds: how long withdrawals by vanished manifests wait before they are judged together;
   * default 1, in AWS 60, because its notifications of one removal of many may come far apart.
   */
  readonly vanishGraceMs: number;
  /** `UNKNOWN_WAIT`, given in seconds: how long after its sender's deadline an unanswered call may still be applied. */
  readonly unknownWaitMs: number;
  readonly logLevel: LogLevel;
  /** `LOG_SAMPLE`, given in percent: share (0 to 1) of requests, messages and passes whose debug lines are printed, whatever the level. */
  readonly logSample: number;
  /**
   * `MODES`: what may be done at which target, `dataphin=upsert-only,dataarts/finance=report-only`; `sync` for those not named. A setting
   * and not a key of the secret, because it holds nothing secret, belongs into a reviewed change, and simulated targets have no secret.
   */
  readonly modes: Readonly<Record<string, 'sync' | 'upsert-only' | 'report-only'>>;
  /** `PLAN_DAYS`, given in days: how long a stored plan can be read and applied. */
  readonly planKeptMs: number;
  /** How long what passes write is kept. */
  readonly retention: {
    /** `REPORT_RETENTION`, given in days: reports of passes. */
    readonly reportsMs: number;
    /** `STATUS_RETENTION`, given in days: status documents of manifests that are gone with all their lineage. */
    readonly statusesMs: number;
  };
  /** When withdrawals are held back until somebody releases them. */
  readonly hold: HoldSettings;
  /** What is done about lineage that others changed at a vendor. */
  readonly drift: DriftSettings;
  /** How events of orchestrators are read. */
  readonly openlineage: OpenLineageSettings;
  /** Which deployments of Flink become owners. */
  readonly flinkSource: FlinkSourceSettings;
  /** What becomes of calls in the vendors' own formats. */
  readonly wire: WireSettings;
  /** `PUBLIC_HOSTS`: names (with port, if any) under which callers know this service; signatures made for others are refused. Empty: any. */
  readonly publicHosts: readonly string[];
  /** Present when any of `TABLE`, `BUCKET` and `QUEUE_URL` is set; whether all are is for the wiring to say. */
  readonly aws?: AwsSettings;
}

export interface AdmissionSettings {
  /** `REQUESTS_AT_ONCE`: so many requests that change something, and as many that read, are in hand at once. */
  readonly requests: number;
  /** `REQUEST_MB_AT_ONCE`, given in units of 1,048,576 bytes: bodies, as they came; what zipped events inflate to counts twice. One alone may be larger. */
  readonly bytes: number;
}

/** Where things are kept in AWS. Region, credentials and endpoints are the SDK's own variables. */
export interface AwsSettings {
  /** `TABLE`: name of the DynamoDB table that is the ledger. */
  readonly table?: string;
  /** `BUCKET`: name of the S3 bucket with the manifests. */
  readonly bucket?: string;
  /** `QUEUE_URL`: of the SQS queue that the register-worker function receives from. */
  readonly queueUrl?: string;
  /** `DEAD_LETTER_URLS`, comma- or space-separated: of the SQS queues with what failed too often; for the tools of operators. */
  readonly deadLetterUrls?: readonly string[];
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

/** `keep`: only kept here; `relay`: goes to that vendor, whose answer is given; `all`: goes to every target, in its own time. */
export type WireMode = 'keep' | 'relay' | 'all';

export interface WireSettings {
  /** `WIRE_DATAPHIN`: where lineage goes that comes in Dataphin's format. */
  readonly dataphin: WireMode;
  /** `WIRE_DATAARTS`: where lineage goes that comes in DataArts' format. */
  readonly dataarts: WireMode;
  /** `WIRE_FLINK`: `keep` answers from everything known here, `relay` asks the real Flink. */
  readonly flink: 'keep' | 'relay';
  /** `WIRE_DOWN`: with `relay`, a vendor that cannot work now gives its retryable `error`, or the call is stored and goes on by itself (`forward`). */
  readonly down: 'error' | 'forward';
}

export interface FlinkSourceSettings {
  /** `FLINK_SOURCE`: `on` (default) or `off`: then Flink is not asked, and what it declared stays as it is. */
  readonly on: boolean;
  /** `FLINK_SOURCE_NAMESPACES`: comma-separated; empty: the one of the secret. */
  readonly namespaces: readonly string[];
  /** `FLINK_SOURCE_NAME`: a glob (`orders-*`) that names of deployments have to fit. */
  readonly name?: string;
  /** `FLINK_SOURCE_LABEL`: `key`, or `key=value` with several values separated by `|`. */
  readonly label?: { readonly key: string; readonly values?: readonly string[] };
  /** `FLINK_SOURCE_STATUS`: only deployments with a job in this state. */
  readonly status?: string;
  /** `FLINK_SOURCE_TEMPORARY`: what becomes of tables that exist only while a job runs. */
  readonly temporary: 'contract' | 'drop' | 'keep';
}

export interface DriftSettings {
  /** `DRIFT_DETECT`: percent of the owners that each pass compares with what the vendors show; 0 compares none. */
  readonly detectShare: number;
  /** `DRIFT_HEAL`: whether what vanished there is registered again. */
  readonly heal: boolean;
  /** `DRIFT_PRUNE`: whether columns that we withdrew, and that are there again, are withdrawn once more. */
  readonly prune: boolean;
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
  /** `OPENLINEAGE_ARCHIVE_DAYS`: accepted events are kept this long, to be replayed or looked at. */
  readonly archiveDays: number;
  /** `OPENLINEAGE_INBOX_DAYS`: large events that nobody could take in are kept this long; longer than messages wait among the dead letters. */
  readonly inboxDays: number;
}

/** `LINEAGE_KEY`: the key with which the commands on this machine ask a runtime that wants one. A secret, so no part of the settings. */
export function readKey(environment: Environment = process.env): string | undefined {
  const key = environment['LINEAGE_KEY']?.trim();
  return key === '' ? undefined : key;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const DAY_SECONDS = 86_400;
/** The first descriptor that is handed over: SD_LISTEN_FDS_START. */
const LISTEN_FD = 3;
const LOCAL_GRACE_SECONDS = 1;
const AWS_GRACE_SECONDS = 60;

type Modes = Settings['modes'];
const MODE = /^[a-z]+(\/[A-Za-z0-9_+=.@-]+)?=(sync|upsert-only|report-only)$/;

// An empty variable counts as not set, as in a shell's or a compose file's `PORT=`.
const schema = z.object({
  DEPLOYMENT: text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'up to 64 letters, digits, - and _').default('local'),
  PORT: number({ from: 0, to: 65_535, whole: true }, '(0 picks a free one)').default(3_000),
  LISTEN_FDS: text(/^1$/, '1: this service listens at one socket').optional(),
  REQUESTS_AT_ONCE: number({ from: 1, to: 100_000, whole: true }, 'requests').default(512),
  REQUEST_MB_AT_ONCE: number({ from: 1, to: 10_000, whole: true }, 'MB').default(64),
  DATA_DIR: text(/^[^\0]+$/, 'a folder').default('.data'),
  RECONCILE_EVERY: number({ from: 0.1, to: DAY_SECONDS }, 'seconds').default(60),
  AUTH: choice(['none', 'required']).default('none'),
  CORS_ORIGINS: text(
    /^https?:\/\/[^\s,/?#@]+(\s*,\s*https?:\/\/[^\s,/?#@]+)*$/,
    'origins as browsers send them, https://portal.example.com, separated by commas',
  ).optional(),
  WEB_URL: text(
    /^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
    'the URL at which people open the pages, https://lineage.example.org',
  ).optional(),
  VANISH_GRACE: number({ from: 0, to: DAY_SECONDS }, 'seconds').optional(),
  UNKNOWN_WAIT: number({ from: 0, to: DAY_SECONDS }, 'seconds').default(120),
  LOG_LEVEL: choice(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LOG_SAMPLE: number({ from: 0, to: 100 }, 'percent of the requests and messages').default(0),
  WITHDRAW_HOLD_RATIO: number({ from: 0, to: 1 }, '(0.3 is 30 %)').default(0.3),
  SINGLE_REMOVAL_LIMIT: number({ from: 0, to: 1_000_000, whole: true }, 'edges').default(100),
  SMALL_TARGET: number({ from: 0, to: 1_000_000, whole: true }, 'edges').default(10),
  DRIFT_DETECT: number({ from: 0, to: 100 }, 'percent of the owners').default(5),
  DRIFT_HEAL: choice(['yes', 'no']).default('yes'),
  DRIFT_PRUNE: choice(['no', 'yes']).default('no'),
  OPENLINEAGE_RUNS: number({ from: 1, to: 100, whole: true }, 'runs').default(3),
  OPENLINEAGE_INDIRECT: choice(['drop', 'table', 'keep']).default('table'),
  OPENLINEAGE_STRICT: choice(['no', 'yes']).default('no'),
  OPENLINEAGE_FAILED_RUNS: choice(['ignore', 'publish']).default('ignore'),
  OPENLINEAGE_SELF_EDGES: choice(['keep', 'drop']).default('keep'),
  OPENLINEAGE_KEEP_SQL: choice(['no', 'yes']).default('no'),
  OPENLINEAGE_RUN_EXPIRY: number({ from: 0.001, to: 3_650 }, 'days').default(7),
  OPENLINEAGE_ARCHIVE_DAYS: number({ from: 1, to: 36_500, whole: true }, 'days').default(30),
  OPENLINEAGE_INBOX_DAYS: number({ from: 1, to: 3_650, whole: true }, 'days').default(30),
  MODES: z
    .string()
    .refine((value) => value.split(',').every((each) => MODE.test(each.trim())), {
      message:
        'target=mode, separated by commas, as in dataphin=upsert-only; the modes are sync, upsert-only and report-only',
    })
    .transform((value) => Object.fromEntries(value.split(',').map((each) => each.trim().split('='))) as Modes)
    .default({}),
  REPORT_RETENTION: number({ from: 0.001, to: 3_650 }, 'days').default(14),
  STATUS_RETENTION: number({ from: 0.001, to: 3_650 }, 'days').default(90),
  PLAN_DAYS: number({ from: 1, to: 3_650, whole: true }, 'days').default(7),
  FLINK_SOURCE: choice(['on', 'off']).default('on'),
  FLINK_SOURCE_NAMESPACES: text(/^[^\s,/]+(\s*,\s*[^\s,/]+)*$/, 'names of namespaces, separated by commas').optional(),
  FLINK_SOURCE_NAME: text(/^[^\0]{1,300}$/, 'a name, in which * is any text').optional(),
  FLINK_SOURCE_LABEL: text(/^[^=\s][^=]*(=[^=]+)?$/, 'key, key=value or key=one|other').optional(),
  FLINK_SOURCE_STATUS: choice(['RUNNING', 'CANCELLED', 'FAILED', 'TRANSITIONING', 'FINISHED']).optional(),
  FLINK_SOURCE_TEMPORARY: choice(['contract', 'drop', 'keep']).default('contract'),
  WIRE_DATAPHIN: choice(['keep', 'relay', 'all']).default('relay'),
  WIRE_DATAARTS: choice(['keep', 'relay', 'all']).default('relay'),
  WIRE_FLINK: choice(['keep', 'relay']).default('keep'),
  WIRE_DOWN: choice(['error', 'forward']).default('error'),
  PUBLIC_HOSTS: text(
    /^[A-Za-z0-9.-]+(:\d{1,5})?(\s*,\s*[A-Za-z0-9.-]+(:\d{1,5})?)*$/,
    'host names, with a port where there is one, separated by commas',
  ).optional(),
  TABLE: text(/^[A-Za-z0-9_.-]{3,255}$/, 'the name of a DynamoDB table').optional(),
  BUCKET: text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket').optional(),
  QUEUE_URL: text(/^https?:\/\/[^\s/]+\/\S+$/, 'the URL of an SQS queue').optional(),
  DEAD_LETTER_URLS: text(
    /^https?:\/\/[^\s,/]+\/[^\s,]+([\s,]+https?:\/\/[^\s,/]+\/[^\s,]+)*$/,
    'URLs of SQS queues',
  ).optional(),
  SECRET_PREFIX: text(/^[A-Za-z0-9/_+=.@-]{1,256}$/, 'letters, digits and /_+=.@-').default(''),
});

/**
 * The settings of this process, the only place that reads its environment. Variables that are not settings are ignored.
 * Throws `Failure` `invalid` that lists every wrong one with what it may be.
 */
export function readSettings(environment: Environment = process.env, pid: number = process.pid): Settings {
  const given: Record<string, string> = {};
  const forOthers = ![undefined, '', String(pid)].includes(environment['LISTEN_PID']?.trim());
  for (const name of Object.keys(schema.shape)) {
    if (name === 'LISTEN_FDS' && forOthers) continue;
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  // Compiling a schema that is used once costs more than it saves.
  const parsed = schema.safeParse(given, { jitless: true });
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
    admission: { requests: values.REQUESTS_AT_ONCE, bytes: values.REQUEST_MB_AT_ONCE * 1_048_576 },
    dataDir: values.DATA_DIR,
    reconcileEveryMs: milliseconds(values.RECONCILE_EVERY),
    auth: values.AUTH,
    cors: { origins: values.CORS_ORIGINS?.split(',').map((each) => each.trim().toLowerCase()) ?? [] },
    vanishGraceMs: milliseconds(values.VANISH_GRACE ?? (aws === undefined ? LOCAL_GRACE_SECONDS : AWS_GRACE_SECONDS)),
    unknownWaitMs: milliseconds(values.UNKNOWN_WAIT),
    logLevel: values.LOG_LEVEL,
    logSample: values.LOG_SAMPLE / 100,
    modes: values.MODES,
    retention: {
      reportsMs: milliseconds(values.REPORT_RETENTION * DAY_SECONDS),
      statusesMs: milliseconds(values.STATUS_RETENTION * DAY_SECONDS),
    },
    planKeptMs: milliseconds(values.PLAN_DAYS * DAY_SECONDS),
    hold: {
      withdrawRatio: values.WITHDRAW_HOLD_RATIO,
      singleRemovalLimit: values.SINGLE_REMOVAL_LIMIT,
      smallTarget: values.SMALL_TARGET,
    },
    drift: {
      detectShare: values.DRIFT_DETECT,
      heal: values.DRIFT_HEAL === 'yes',
      prune: values.DRIFT_PRUNE === 'yes',
    },
    openlineage: {
      runs: values.OPENLINEAGE_RUNS,
      indirect: values.OPENLINEAGE_INDIRECT,
      strict: values.OPENLINEAGE_STRICT === 'yes',
      failedRuns: values.OPENLINEAGE_FAILED_RUNS === 'publish',
      selfEdges: values.OPENLINEAGE_SELF_EDGES === 'keep',
      keepSql: values.OPENLINEAGE_KEEP_SQL === 'yes',
      runExpiryMs: milliseconds(values.OPENLINEAGE_RUN_EXPIRY * DAY_SECONDS),
      archiveDays: values.OPENLINEAGE_ARCHIVE_DAYS,
      inboxDays: values.OPENLINEAGE_INBOX_DAYS,
    },
    flinkSource: flinkSource(values),
    wire: {
      dataphin: values.WIRE_DATAPHIN,
      dataarts: values.WIRE_DATAARTS,
      flink: values.WIRE_FLINK,
      down: values.WIRE_DOWN,
    },
    publicHosts: values.PUBLIC_HOSTS?.split(',').map((each) => each.trim().toLowerCase()) ?? [],
    ...(values.LISTEN_FDS === undefined ? {} : { listenFd: LISTEN_FD }),
    ...(values.WEB_URL === undefined ? {} : { webUrl: values.WEB_URL.replace(/(?<!\/)\/+$/, '') }),
    ...(aws === undefined ? {} : { aws }),
  };
}

function flinkSource(values: z.infer<typeof schema>): FlinkSourceSettings {
  const { FLINK_SOURCE_NAME: name, FLINK_SOURCE_STATUS: status } = values;
  const [key = '', given] = values.FLINK_SOURCE_LABEL?.split('=') ?? [];
  const several = given?.split('|').map((value) => value.trim());
  return {
    on: values.FLINK_SOURCE === 'on',
    namespaces: [...new Set(values.FLINK_SOURCE_NAMESPACES?.split(',').map((each) => each.trim()) ?? [])],
    ...(name === undefined ? {} : { name }),
    ...(key === '' ? {} : { label: { key: key.trim(), ...(several === undefined ? {} : { values: several }) } }),
    ...(status === undefined ? {} : { status }),
    temporary: values.FLINK_SOURCE_TEMPORARY,
  };
}

function awsSettings(values: z.infer<typeof schema>): AwsSettings | undefined {
  const { TABLE: table, BUCKET: bucket, QUEUE_URL: queueUrl, SECRET_PREFIX: secretPrefix } = values;
  if (table === undefined && bucket === undefined && queueUrl === undefined) return undefined;
  return {
    secretPrefix,
    ...(values.DEAD_LETTER_URLS === undefined ? {} : { deadLetterUrls: values.DEAD_LETTER_URLS.split(/[\s,]+/) }),
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

/** One schema for each of the next three, however much it checks: this is read at each start, and every further one costs time. */
function checked<T>(read: (given: string) => T | undefined, message: string) {
  return z.transform((given: unknown, { issues }): T => {
    const value = typeof given === 'string' ? read(given) : undefined;
    if (value === undefined) issues.push({ code: 'custom', input: given, message });
    return value ?? z.NEVER;
  });
}

function number({ from, to, whole = false }: Range, unit: string) {
  const form = whole ? /^\d+$/ : /^\d+(\.\d+)?$/;
  return checked(
    (given) => (form.test(given) && Number(given) >= from && Number(given) <= to ? Number(given) : undefined),
    `a ${whole ? 'whole ' : ''}number from ${from} to ${to} ${unit}`,
  );
}

function choice<const Options extends readonly [string, ...string[]]>(options: Options) {
  return checked<Options[number]>(
    (given) => options.find((option) => option.toLowerCase() === given.toLowerCase()),
    options.join(' or '),
  );
}

function text(pattern: RegExp, message: string) {
  return checked((given) => (pattern.test(given) ? given : undefined), message);
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1_000);
}
