import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, it, onTestFinished } from 'vitest';
import { until } from './local.ts';

/** Events a second, offered whether or not the ones before have been answered. */
const RATE = 1_000;
/** A few seconds by default; `EVENTS_SECONDS=60` is the whole minute. */
const SECONDS = Number(process.env['EVENTS_SECONDS'] ?? 3);
const EVENTS = RATE * SECONDS;
/** Events of one job: every one but the last names an input of its own, the last the output and the end. */
const PER_JOB = 25;
const JOBS = EVENTS / PER_JOB;
/** Jobs that speak at once. */
const SIDE_BY_SIDE = 40;
const TICK_MS = 10;
/** Resident memory of the service at its highest; an event has some 2 KB, so that what is not taken in yet cannot all be in it. */
const MOST_MEMORY_MB = 500;

interface Planned {
  readonly job: number;
  readonly source?: string;
  readonly body: string;
}

function planned(n: number): Planned {
  const group = Math.floor(n / (SIDE_BY_SIDE * PER_JOB));
  const inGroup = Math.min(SIDE_BY_SIDE, JOBS - group * SIDE_BY_SIDE);
  const rest = n - group * SIDE_BY_SIDE * PER_JOB;
  const job = group * SIDE_BY_SIDE + (rest % inGroup);
  const part = Math.floor(rest / inGroup);
  const last = part === PER_JOB - 1;
  const source = `ods.j${job}p${part}`;
  const fields = Array.from({ length: 24 }, (_, at) => ({
    name: `column_${at}`,
    type: 'bigint',
    description: 'of the source',
  }));
  const body = JSON.stringify({
    eventType: last ? 'COMPLETE' : 'RUNNING',
    eventTime: new Date(1_790_000_000_000 + n).toISOString(),
    run: { runId: `run-${job}` },
    job: { namespace: 'sustained', name: `j${job}` },
    producer: 'rate',
    ...(last
      ? { outputs: [{ namespace: 'hive://m', name: `dw.t${job}` }] }
      : { inputs: [{ namespace: 'hive://m', name: source, facets: { schema: { fields } } }] }),
  });
  return { job, body, ...(last ? {} : { source }) };
}

it('takes a thousand events a second in bounded memory, and loses none that it acknowledged to kill -9', {
  timeout: 120_000 + 20_000 * SECONDS,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-sustained-'));
  let child: ChildProcess | undefined;
  onTestFinished(async () => {
    child?.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  });
  await mkdir(join(dataDir, 'bucket'), { recursive: true });
  let port = '0';
  let dead = false;
  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'local/run.ts'], {
      env: { ...process.env, PORT: port, DATA_DIR: dataDir, RECONCILE_EVERY: '3600', LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = started;
    for await (const text of started.stdout as AsyncIterable<Buffer>) {
      const found = /ready http:\/\/127\.0\.0\.1:(\d+)/.exec(String(text));
      if (found) {
        port = found[1] ?? port;
        dead = false;
        break;
      }
    }
    started.stdout?.resume();
  };
  const memoryMb = async (): Promise<number> => {
    const status = await readFile(`/proc/${child?.pid}/status`, 'utf8').catch(() => '');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
  };

  await start();
  const agent = new Agent({ connections: 64 });
  const acknowledged = new Set<number>();
  let refused = 0;
  let unanswered = 0;
  let highest = 0;
  /** As a client that tries again does; what is acknowledged is said once. */
  const send = async (n: number): Promise<void> => {
    const { body } = planned(n);
    while (!acknowledged.has(n)) {
      const status = await request(`http://127.0.0.1:${port}/api/v1/lineage`, {
        method: 'POST',
        body,
        dispatcher: agent,
      })
        .then(async (answer) => {
          await answer.body.dump();
          return answer.statusCode;
        })
        .catch(() => undefined);
      if (status === 201) acknowledged.add(n);
      else if (status === undefined) unanswered += 1;
      else if (status === 503) refused += 1;
      else throw new Error(`event ${n} was answered ${status}`);
      if (status !== 201) await sleep(status === 503 ? 1_000 : 200);
    }
  };

  const began = Date.now();
  const running: Promise<void>[] = [];
  let killed = false;
  while (running.length < EVENTS) {
    // As many as should have gone out by now, whatever has come back.
    const due = Math.min(EVENTS, Math.floor(((Date.now() - began) / 1_000) * RATE) + 1);
    while (running.length < due) running.push(send(running.length));
    if (!killed && acknowledged.size > EVENTS / 2) {
      killed = true;
      highest = Math.max(highest, await memoryMb());
      child?.kill('SIGKILL');
      await once(child as ChildProcess, 'exit');
      dead = true;
      await start();
    }
    await sleep(TICK_MS);
  }
  await Promise.all(running);
  const offered = Date.now() - began;
  expect([killed, dead, acknowledged.size]).toEqual([true, false, EVENTS]);
  highest = Math.max(highest, await memoryMb());

  // Once more, right after the last acknowledgement: most of it has not been taken in yet.
  child?.kill('SIGKILL');
  await once(child as ChildProcess, 'exit');
  await start();
  const wanted = (job: number) => Array.from({ length: PER_JOB - 1 }, (_, part) => `ods.j${job}p${part}`).sort();
  const missing = async (job: number): Promise<string[]> => {
    const text = await readFile(join(dataDir, `bucket/openlineage/sustained/j${job}.json`), 'utf8').catch(() => '{}');
    const { datasets = {}, lineage = [] } = JSON.parse(text) as {
      datasets?: Record<string, { name: string }>;
      lineage?: { from: string[] }[];
    };
    const there = new Set(lineage.flatMap(({ from }) => from.map((alias) => datasets[alias]?.name)));
    return wanted(job).filter((source) => !there.has(source));
  };
  let open = Array.from({ length: JOBS }, (_, job) => job);
  let lost: string[] = [];
  await until(
    async () => {
      const left = await Promise.all(open.slice(0, 50).map(async (job) => [job, await missing(job)] as const));
      lost = left.flatMap(([, sources]) => sources);
      const done = new Set(left.filter(([, sources]) => sources.length === 0).map(([job]) => job));
      open = open.filter((job) => !done.has(job));
      return open.length === 0;
    },
    60_000 + 15_000 * SECONDS,
    () => `${lost.length} of ${open.length} jobs lost: ${lost.slice(0, 3)}`,
  );
  highest = Math.max(highest, await memoryMb());
  await agent.close();
  console.log(
    `${EVENTS} events offered in ${offered} ms, ${refused} asked for again, ${unanswered} unanswered; all declared after ${Date.now() - began} ms; at most ${Math.round(highest)} MB`,
  );
  // Only Linux tells.
  if (process.platform === 'linux') expect(highest).toBeGreaterThan(0);
  expect(highest).toBeLessThan(MOST_MEMORY_MB);
});
