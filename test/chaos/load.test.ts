import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { until } from '../functions/local.ts';
import { hardened } from '../hardening/machine.ts';

/** Ten times what the service takes all day. */
const RATE = 10_000;
/** Of the flood; `LOAD_SECONDS=60` is the whole minute. */
const SECONDS = Number(process.env['LOAD_SECONDS'] ?? 0.2);
const EVENTS = RATE * SECONDS;
const PER_JOB = 50;
const JOBS = Math.ceil(EVENTS / PER_JOB);
const CONNECTIONS = 1_500;
/** Resident memory of the service at its highest. */
const MOST_MEMORY_MB = 700;

function bodyOf(n: number): string {
  const job = n % JOBS;
  const part = Math.floor(n / JOBS);
  const last = part === PER_JOB - 1;
  return JSON.stringify({
    eventType: last ? 'COMPLETE' : 'RUNNING',
    eventTime: new Date(1_790_000_000_000 + n).toISOString(),
    run: { runId: `run-${job}` },
    job: { namespace: 'flood', name: `j${job}` },
    producer: 'flood',
    ...(last
      ? { outputs: [{ namespace: 'hive://m', name: `dw.t${job}` }] }
      : { inputs: [{ namespace: 'hive://m', name: `ods.j${job}p${part}` }] }),
  });
}

/** The service as `npm start` runs it, and how much memory it took at its highest. */
async function started() {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-load-'));
  await mkdir(join(dataDir, 'bucket'), { recursive: true });
  const child: ChildProcess = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'local/run.ts'], {
    env: { ...process.env, PORT: '0', DATA_DIR: dataDir, RECONCILE_EVERY: '3600', LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(dataDir, { recursive: true, force: true });
  });
  let url = '';
  for await (const text of child.stdout as AsyncIterable<Buffer>) {
    url = /ready (\S+)/.exec(String(text))?.[1] ?? '';
    if (url !== '') break;
  }
  child.stdout?.resume();
  return {
    url,
    bucket: join(dataDir, 'bucket'),
    alive: () => child.exitCode === null && child.signalCode === null,
    async memoryMb(): Promise<number> {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
    },
  };
}

test('a store that cannot keep up: whoever comes is asked to come again, at once when there is no room, and is taken then', {
  timeout: 30_000,
}, async () => {
  const here = await hardened();
  let slow = true;
  Object.assign(here.services.deps.queue, {
    send: async (message: unknown) => {
      if (slow) await sleep(2_500);
      here.sent.push(message);
    },
  });
  const handler = entries['register-webhook'].open(here.services);
  const post = (n: number) =>
    handler(
      {
        rawPath: '/api/v1/lineage',
        rawQueryString: '',
        headers: {},
        body: bodyOf(n),
        requestContext: { http: { method: 'POST', sourceIp: '' } },
      } as never,
      invocation('register-webhook', 60_000, `r${n}`),
    );
  const several = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => post(n)));
  const refused = await several(1_200);
  expect([...new Set(refused.map(({ statusCode, headers }) => `${statusCode} ${headers?.['retry-after']}`))]).toEqual([
    '503 1',
  ]);
  // Those that there was room for have been stored all the same: sent again they change nothing.
  await until(async () => here.sent.length === 1_000);
  slow = false;
  expect((await several(900)).filter(({ statusCode }) => statusCode !== 201)).toEqual([]);
  expect(here.sent).toHaveLength(1_900);
});

test('ten times the rate: everybody is answered or asked to come again, in bounded memory, and nothing is lost', {
  timeout: 120_000 + 60_000 * SECONDS,
}, async () => {
  const service = await started();
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const tally = { taken: 0, again: 0, cut: 0, waits: new Set<string>() };
  /** As a client that comes again when it is asked to, and when nobody answers. */
  const send = async (n: number): Promise<void> => {
    const body = bodyOf(n);
    for (let pauseMs = 250; ; pauseMs = Math.min(4_000, pauseMs * 2)) {
      const answer = await request(`${service.url}/api/v1/lineage`, { method: 'POST', body, dispatcher: agent })
        .then(async ({ statusCode, headers, body: bytes }) => {
          await bytes.dump();
          return { statusCode, wait: headers['retry-after'] };
        })
        .catch(() => undefined);
      if (answer?.statusCode === 201) {
        tally.taken += 1;
        return;
      }
      if (answer === undefined) tally.cut += 1;
      else {
        expect(answer.statusCode).toBe(503);
        tally.again += 1;
        tally.waits.add(String(answer.wait));
      }
      await sleep(pauseMs);
    }
  };
  const began = Date.now();
  const running: Promise<void>[] = [];
  while (running.length < EVENTS) {
    const due = Math.min(EVENTS, Math.floor(((Date.now() - began) / 1_000) * RATE) + 1);
    while (running.length < due) running.push(send(running.length));
    await sleep(5);
  }
  const offeredMs = Date.now() - began;
  const takenThen = tally.taken;
  await Promise.all(running);
  const takenMs = Date.now() - began;
  expect([tally.taken, tally.cut, service.alive()]).toEqual([EVENTS, 0, true]);
  // Whoever was asked to come again was told when.
  expect([...tally.waits].filter((each) => !/^\d+$/.test(each))).toEqual([]);

  const missing = async (job: number): Promise<number> => {
    const text = await readFile(join(service.bucket, `openlineage/flood/j${job}.json`), 'utf8').catch(() => '{}');
    const { lineage = [], datasets = {} } = JSON.parse(text) as {
      lineage?: { from: string[] }[];
      datasets?: Record<string, { name: string }>;
    };
    const there = new Set(lineage.flatMap(({ from }) => from.map((alias) => datasets[alias]?.name)));
    return Array.from({ length: PER_JOB - 1 }, (_, part) => `ods.j${job}p${part}`).filter((each) => !there.has(each))
      .length;
  };
  let open = Array.from({ length: JOBS }, (_, job) => job);
  await until(
    async () => {
      const left = await Promise.all(open.slice(0, 100).map(async (job) => [job, await missing(job)] as const));
      const done = new Set(left.filter(([, lost]) => lost === 0).map(([job]) => job));
      open = open.filter((job) => !done.has(job));
      return open.length === 0;
    },
    90_000 + 40_000 * SECONDS,
    () => `${open.length} of ${JOBS} jobs are not declared in full`,
  );
  const memory = await service.memoryMb();
  await agent.close();
  console.log(
    `${EVENTS} events offered in ${offeredMs} ms (${takenThen} taken by then), all taken after ${takenMs} ms, ${tally.again} times asked to come again, ${tally.cut} times without an answer; all declared after ${Date.now() - began} ms; at most ${Math.round(memory)} MB`,
  );
  if (process.platform === 'linux') expect(memory).toBeGreaterThan(0);
  expect(memory).toBeLessThan(MOST_MEMORY_MB);
});
