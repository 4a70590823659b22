import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import { until } from '../functions/local.ts';
import { hardened } from '../hardening/machine.ts';
import { jobName, type Outcome, runIdOf, sourceOf } from './flood.ts';
import { generator, serviceProcess } from './service.ts';

/** Events a second that the service takes all day. */
const SUSTAINED = 1_000;
const TIMES = 10;
/** More than this machine can take, or send. */
const MOST_OFFERED = 40_000;
/** Of the flood; `LOAD_SECONDS=60` is the whole minute. */
const SECONDS = Number(process.env['LOAD_SECONDS'] ?? 0.3);
/** The long form has the machine for itself: times can be told. */
const ALONE = SECONDS >= 10;
/** Of what is only measured. */
const SHORT = Math.min(3, Math.max(0.4, SECONDS / 10));
const PER_JOB = 50;
const JOBS = Math.ceil((SUSTAINED * TIMES * (SECONDS + SHORT)) / PER_JOB);
/** Connections of an orchestra, and of a flood. */
const FEW = 64;
const MANY = 1_500;
/** Resident memory of the service at its highest. */
const MOST_MEMORY_MB = 700;
/** The shortest that a client waits for its answer. */
const CLIENT_WAITS_MS = 2_000;

function bodyOf(n: number): string {
  return JSON.stringify({
    eventType: 'COMPLETE',
    eventTime: new Date(1_790_000_000_000 + n).toISOString(),
    run: { runId: `run-${n}` },
    job: { namespace: 'flood', name: `j${n}` },
    producer: 'flood',
    inputs: [{ namespace: 'hive://m', name: `ods.s${n}` }],
    outputs: [{ namespace: 'hive://m', name: `dw.t${n}` }],
  });
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

/** Says that the run of a job has ended, as a client that comes again when it is asked to. */
async function complete(job: number, port: number, agent: Agent): Promise<void> {
  const body = JSON.stringify({
    eventType: 'COMPLETE',
    eventTime: '2026-09-21T15:00:00Z',
    run: { runId: runIdOf(job) },
    job: { namespace: 'flood', name: jobName(job) },
    producer: 'https://example.com/flood',
    outputs: [{ namespace: 'hive://m', name: `dw.${jobName(job)}` }],
  });
  for (;;) {
    const answer = await request(`http://127.0.0.1:${port}/api/v1/lineage`, {
      method: 'POST',
      body,
      dispatcher: agent,
    });
    await answer.body.dump();
    if (answer.statusCode === 201) return;
    expect(answer.statusCode).toBe(503);
    await sleep(Number(answer.headers['retry-after']) * 1_000);
  }
}

test('ten times the rate: 503 with Retry-After instead of collapse, in bounded memory, and nothing is lost to kill -9', {
  timeout: 120_000 + 60_000 * SECONDS,
}, async () => {
  const service = await serviceProcess();
  const send = generator();
  const accepted = new Map<number, number[]>();
  let from = 0;
  const lines: string[] = [];
  onTestFinished(() => console.log(lines.join('\n')));
  const phase = async (name: string, rate: number, seconds: number, connections: number) => {
    const cpuBefore = await service.cpuMs();
    const outcome = await send({ port: service.port(), rate, seconds, connections, from, jobs: JOBS });
    const { sent, answers, cut, withoutWait, taken, ms, due, notOffered, takenASecond } = outcome;
    from += sent;
    for (const n of taken) accepted.set(n % JOBS, [...(accepted.get(n % JOBS) ?? []), n]);
    lines.push(
      `${name}: ${due} due in ${seconds} s, ${notOffered} not offered, answers ${JSON.stringify(answers)}, ${takenASecond} taken a second, ms ${JSON.stringify(ms)}`,
    );
    // Everybody is answered, with nothing else, in time, and who is turned away is told when to come again.
    expect([name, cut, withoutWait, service.alive()]).toEqual([name, 0, 0, true]);
    expect(Object.keys(answers).filter((status) => status !== '201' && status !== '503')).toEqual([]);
    expect((answers['201'] ?? 0) + (answers['503'] ?? 0)).toBe(sent);
    if (ALONE) for (const { p99 } of Object.values(ms)) expect(p99).toBeLessThan(CLIENT_WAITS_MS);
    // However busy the machine is otherwise. Half a tick, where there was not even one.
    const cpuMs = Math.max(5, (await service.cpuMs()) - cpuBefore);
    return { ...outcome, takenPerCpu: taken.length / cpuMs };
  };

  await service.start();
  const before = await phase('before', SUSTAINED, SHORT, FEW);
  const most = await phase('as fast as it takes them', 0, SHORT, 256);
  let reading = true;
  const read = (async () => {
    const statuses = new Set<number>();
    for (; reading; await sleep(50)) {
      const answer = await fetch(`http://127.0.0.1:${service.port()}/`).catch(() => undefined);
      await answer?.arrayBuffer();
      statuses.add(answer?.status ?? 0);
    }
    return [...statuses];
  })();
  await phase('ten times the sustained rate', SUSTAINED * TIMES, SECONDS, MANY);
  const over = await phase('more than can be taken', MOST_OFFERED, SHORT, MANY);
  reading = false;
  // Pages answer meanwhile.
  expect(await read).toEqual([200]);
  expect(over.answers['503']).toBeGreaterThan(0);
  expect(over.takenPerCpu).toBeGreaterThan(most.takenPerCpu / 10);

  // With so little room that this machine can offer ten times what the service takes.
  await service.start({ REQUESTS_AT_ONCE: '1' });
  const narrow = await phase('one at a time, as fast as it takes them', 0, SHORT, 1);
  const tenfold = await phase('one at a time, ten times that', TIMES * narrow.takenASecond, SECONDS, MANY);
  lines.push(`of ten times as many ${(tenfold.sent / SECONDS / narrow.takenASecond).toFixed(1)} times were sent`);
  expect(tenfold.takenPerCpu).toBeGreaterThan(narrow.takenPerCpu / 20);
  expect(tenfold.sent).toBeGreaterThan(3 * tenfold.taken.length);

  await service.start();
  const began = Date.now();
  const agent = new Agent({ connections: FEW });
  await pMap(accepted.keys(), (job) => complete(job, service.port(), agent), { concurrency: FEW });
  await agent.close();
  const missing = async (job: number): Promise<number> => {
    const text = await readFile(join(service.bucket, `openlineage/flood/${jobName(job)}.json`), 'utf8').catch(
      () => '{}',
    );
    const { lineage = [], datasets = {} } = JSON.parse(text) as {
      lineage?: { from: string[] }[];
      datasets?: Record<string, { name: string }>;
    };
    const there = new Set(lineage.flatMap(({ from: aliases }) => aliases.map((alias) => datasets[alias]?.name)));
    return (accepted.get(job) ?? []).filter((n) => !there.has(sourceOf(n))).length;
  };
  let open = [...accepted.keys()];
  await until(
    async () => {
      const left = await Promise.all(open.slice(0, 100).map(async (job) => [job, await missing(job)] as const));
      const done = new Set(left.filter(([, lost]) => lost === 0).map(([job]) => job));
      open = open.filter((job) => !done.has(job));
      return open.length === 0;
    },
    90_000 + 40_000 * SECONDS,
    () => `${open.length} of ${accepted.size} jobs are not declared in full`,
  );
  const declared = [...accepted.values()].flat().length;
  lines.push(`all ${declared} that were taken are declared ${Date.now() - began} ms after the last kill -9`);
  const after = await phase('after', SUSTAINED, SHORT, FEW);
  const p99 = (outcome: Outcome) => outcome.ms['201']?.p99 ?? Number.NaN;
  if (ALONE) expect(p99(after)).toBeLessThan(Math.max(5 * p99(before), CLIENT_WAITS_MS / 10));
  lines.push(`at most ${Math.round(service.highestMb())} MB`);
  if (process.platform === 'linux') expect(service.highestMb()).toBeGreaterThan(0);
  expect(service.highestMb()).toBeLessThan(MOST_MEMORY_MB);
});
