import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ReplayAnswer, replay, replayQuestion } from '../functions/register/replay.ts';
import { memoryLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { embeddedServices } from '../shared/wiring.ts';
import { refuseInAws } from './aws-request.ts';
import { lockDataDir } from './lock.ts';
import { post } from './service.ts';

const USAGE = `usage: npm run replay -- --since <time> [--until <time>] [--job <namespace/name>] [--dry-run] [--url <service>] [--key <key>]

Takes archived OpenLineage events in again: after a mistake was mended, or to see what a setting makes of them. What is known already
changes nothing. <time> is when they were accepted: 2026-11-20, 2026-11-20T02:00:00Z, or 90m, 6h, 3d ago.
  --dry-run   only count them, per job
  --key       of the secret lineage/clients, with the scope register, where the service wants one; better LINEAGE_KEY in the environment

Through the service that has DATA_DIR (or --url); if none runs, the events wait in DATA_DIR for the next start.`;

class Misuse extends Error {}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function timeOf(name: string, text: string): string {
  const ago = /^(\d{1,6})([mhd])$/.exec(text);
  const ms = ago ? Date.now() - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS] : Date.parse(text);
  if (!/^\d{1,6}[mhd]$|^\d{4}-\d\d-\d\d(T.*)?$/.test(text) || !Number.isFinite(ms))
    throw new Misuse(`--${name} is no time: ${text}`);
  return new Date(ms).toISOString();
}

interface Found {
  readonly events: number;
  readonly jobs: ReadonlyMap<string, number>;
  readonly gone: number;
  readonly unreadable: readonly string[];
}

type Ask = (question: object) => Promise<ReplayAnswer>;

/** Asks until nothing is left, and says what there was. */
async function run(question: object, ask: Ask): Promise<Found> {
  const jobs = new Map<string, number>();
  const unreadable: string[] = [];
  let events = 0;
  let gone = 0;
  for (let after: string | undefined, more = true; more; ) {
    const answer = await ask({ ...question, ...(after === undefined ? {} : { after }) });
    events += answer.events;
    gone += answer.gone;
    unreadable.push(...answer.unreadable);
    for (const [job, count] of Object.entries(answer.jobs)) jobs.set(job, (jobs.get(job) ?? 0) + count);
    after = answer.next;
    more = after !== undefined;
  }
  return { events, jobs, gone, unreadable };
}

/** The service to ask; undefined when none runs on DATA_DIR. */
async function running(given: string | undefined): Promise<string | undefined> {
  if (given !== undefined) return given.replace(/\/+$/, '');
  try {
    const text = await readFile(join(readSettings().dataDir, 'runtime.json'), 'utf8');
    const { url, pid } = JSON.parse(text) as { url: string; pid: number };
    // A process that was killed has left its file behind.
    process.kill(pid, 0);
    return url;
  } catch {
    return undefined;
  }
}

async function inFolder(question: object) {
  const settings = readSettings();
  const dataDir = resolve(settings.dataDir);
  const lock = lockDataDir(dataDir);
  try {
    const services = await embeddedServices({ ...settings, dataDir }, { log: memoryLog() });
    try {
      return await run(question, (each) => replay(replayQuestion.parse(each), services, Number.POSITIVE_INFINITY));
    } finally {
      await services.close();
    }
  } finally {
    lock.release();
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    options: { since: text, until: text, job: text, url: text, key: text, 'dry-run': flag, help: flag },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (values.since === undefined) throw new Misuse('since when? give --since');
  const question = {
    since: timeOf('since', values.since),
    ...(values.until === undefined ? {} : { until: timeOf('until', values.until) }),
    ...(values.job === undefined ? {} : { job: values.job }),
    dryRun: values['dry-run'],
  };
  const again = 'Each answer with "next" leaves some: send it again with that as "after", until there is none.';
  refuseInAws(values.url, [{ to: 'register-http', path: 'replay', body: question }], again);
  const url = await running(values.url);
  const { events, jobs, gone, unreadable } =
    url === undefined
      ? await inFolder(question)
      : await run(question, async (each) => (await post(url, '/replay', each, values.key)) as ReplayAnswer);
  for (const [job, count] of [...jobs].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`${count}\t${job}`);
  const what = values['dry-run'] ? 'found' : url === undefined ? 'waiting for the next start' : 'taken in again';
  console.log(`${events} events ${what}`);
  if (gone > 0) console.error(`${gone} large events are no longer there`);
  if (unreadable.length > 0) process.exitCode = 1;
  for (const key of unreadable) console.error(`${key} cannot be read; nothing of it was taken in, and it stays there`);
}

/** `npm run replay`: exit code 0 done, 1 refused or something could not be read, 2 wrong usage. */
try {
  await main();
} catch (thrown) {
  const misuse = thrown instanceof Misuse || (thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(thrown instanceof Error ? thrown.message : String(thrown));
  if (misuse) console.error(`\n${USAGE}`);
  process.exitCode = misuse ? 2 : 1;
}
