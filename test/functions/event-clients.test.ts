import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { entry } from '../../functions/register/webhook.ts';
import { startHost } from '../../local/host.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Services } from '../../shared/wiring.ts';
import { clients } from './event-clients.ts';
import { type Local, local, until } from './local.ts';

const event = (name: string, source: string) => ({
  eventType: 'COMPLETE',
  eventTime: '2026-11-20T02:00:00Z',
  run: { runId: `run-${name}-${source}` },
  job: { namespace: 'clients', name },
  producer: 'test',
  inputs: [{ namespace: 'hive://m', name: `ods.${source}` }],
  outputs: [{ namespace: 'hive://m', name: 'dw.out' }],
});

async function sources(bucket: string): Promise<string[]> {
  const folder = join(bucket, 'openlineage/clients');
  const names: string[] = [];
  for (const file of await readdir(folder).catch(() => [])) {
    const { datasets, lineage } = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
      datasets: Record<string, { name: string }>;
      lineage: { from: string[] }[];
    };
    for (const { from } of lineage) for (const alias of from) names.push(`${file} ${datasets[alias]?.name}`);
  }
  return names.sort();
}

it("takes every client's events at once while the vendors do not answer at all, and shows them when they do", async () => {
  const at = await local();
  await at.drop(
    'naming.yaml',
    'version: 1\nrules: [{ match: { namespace: "hive://*", name: "{d}.{t}" }, dataphin: { guid: "odps.300000001.{d}.{t}" } }]\n',
  );
  await at.fault('dataphin', { kind: 'unavailable', times: 1_000 });
  const sent = await Promise.all(
    Object.entries(clients).map(
      async ([name, client]) => [name, await client.send(at.runtime.url, event(name, 'a'))] as const,
    ),
  );
  for (const [name, result] of sent) {
    expect({ name, ...result, ms: result.ms < 4_000 }).toEqual({ name, delivered: true, attempts: 1, ms: true });
  }
  await until(async () => (await sources(at.runtime.bucket)).length === sent.length);
  await at.clearFaults('dataphin');
  await at.runtime.reconcile();
  await until(
    async () => (await at.dataphin()).length === 1,
    20_000,
    () => 'the edge at Dataphin',
  );
});

/** A webhook whose queue takes nothing while `refusing` says so. */
async function throttledHost(refusing: () => boolean): Promise<{ readonly url: string; readonly runtime: Local }> {
  const at = await local();
  const { services } = at.runtime;
  const throttled: Services = {
    ...services,
    deps: {
      ...services.deps,
      queue: {
        async send(message, options) {
          if (refusing()) throw new Failure('throttled', 'the queue takes no more now');
          await services.deps.queue.send(message, options);
        },
      },
    },
  };
  const host = await startHost({ 'register-webhook': entry }, throttled, 0);
  onTestFinished(() => host.close());
  return { url: host.url, runtime: at };
}

it('bridges a short throttling by itself, for clients that never try again', async () => {
  let refusals = 0;
  const { url, runtime } = await throttledHost(() => {
    refusals -= 1;
    return refusals >= 0;
  });
  for (const [name, client] of Object.entries(clients)) {
    refusals = 3;
    const { delivered, attempts } = await client.send(url, event(name, 'c'));
    expect({ name, delivered, attempts }).toEqual({ name, delivered: true, attempts: 1 });
  }
  const all = Object.keys(clients).length;
  await until(async () => (await sources(runtime.runtime.bucket)).length === all);
});

it('asks to come again in the one way that every client understands that tries again at all', {
  timeout: 60_000,
}, async () => {
  let refusing = true;
  const { url, runtime } = await throttledHost(() => refusing);
  const bridging = Object.entries(clients).map(async ([name, client]) => {
    const result = await client.send(url, event(name, 'b'));
    expect({ name, delivered: result.delivered }).toEqual({ name, delivered: client.retries });
  });
  const answer = await fetch(`${url}/api/v1/lineage`, { method: 'POST', body: JSON.stringify(event('x', 'b')) });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  refusing = false;
  await Promise.all(bridging);
  const kept = Object.values(clients).filter((client) => client.retries).length;
  await until(async () => (await sources(runtime.runtime.bucket)).length === kept);
  const bad = await fetch(`${url}/api/v1/lineage`, { method: 'POST', body: '{}' });
  expect([bad.status, bad.headers.get('retry-after')]).toEqual([400, null]);
});

it('is found by each way that clients join its URL, and says so where none leads here', async () => {
  const at = await local();
  const { url } = at.runtime;
  const python = (base: string) => new URL('api/v1/lineage', base).href;
  const ways = [
    python(url),
    python(`${url}/`),
    // Without a slash at its end, a prefix is lost.
    python(`${url}/marquez`),
    // Go and older Java put them together as texts.
    `${url}//api/v1/lineage`,
    `${url}/api/v1/lineage/`,
  ];
  for (const [n, way] of ways.entries()) {
    const answer = await fetch(way, { method: 'POST', body: JSON.stringify(event('ways', `w${n}`)) });
    expect([way, answer.status, answer.headers.get('content-length')]).toEqual([way, 201, '0']);
  }
  const astray = await fetch(python(`${url}/marquez/`), { method: 'POST', body: JSON.stringify(event('ways', 'x')) });
  expect([astray.status, await astray.text()]).toEqual([404, expect.stringContaining('/marquez/api/v1/lineage')]);
});

it('refuses what dbt Cloud sends, which is no lineage, without a reason to try again', async () => {
  const at = await local();
  const body = JSON.stringify({
    accountId: 1,
    webhookId: 'wsu_1',
    eventId: 'wev_1',
    timestamp: '2026-11-20T02:00:00Z',
    eventType: 'job.run.completed',
    data: { jobId: '1', runId: '2', runStatus: 'Success' },
  });
  const authorization = createHmac('sha256', 'secret').update(body).digest('hex');
  const answer = await at.request('POST', '/api/v1/lineage', body, { authorization });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([400, null]);
  expect(await sources(at.runtime.bucket)).toEqual([]);
});

it('loses nothing that it acknowledged to kill -9, and clients that reconnect bridge a restart', {
  timeout: 90_000,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-events-'));
  let child: ChildProcess | undefined;
  onTestFinished(async () => {
    child?.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  });
  await mkdir(join(dataDir, 'bucket'), { recursive: true });
  await writeFile(join(dataDir, 'bucket/naming.yaml'), 'version: 1\nrules: []\n');
  let port = '0';
  const start = async () => {
    child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'local/run.ts'], {
      env: {
        ...process.env,
        PORT: port,
        DATA_DIR: dataDir,
        RECONCILE_EVERY: '3600',
        LOG_LEVEL: 'error',
        OPENLINEAGE_RUNS: '100',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    const { url } = JSON.parse(await readFile(join(dataDir, 'runtime.json'), 'utf8')) as { url: string };
    port = new URL(url).port;
    return url;
  };
  const acknowledged = new Set<string>();
  for (let turn = 0; turn < 4; turn += 1) {
    const url = await start();
    let dead = false;
    const senders = Array.from({ length: 8 }, async (_, sender) => {
      for (let n = 0; !dead; n += 1) {
        const source = `t${turn}s${sender}n${n}`;
        const name = `job${(n + sender) % 20}`;
        const answer = await fetch(`${url}/api/v1/lineage`, {
          method: 'POST',
          body: JSON.stringify(event(name, source)),
        }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.add(`${name}.json ods.${source}`);
      }
    });
    await sleep(150 + turn * 60);
    child?.kill('SIGKILL');
    dead = true;
    await once(child as ChildProcess, 'exit');
    await Promise.all(senders);
  }
  const url = `http://127.0.0.1:${port}`;
  const bridging = Object.entries(clients)
    .filter(([, client]) => client.reconnects)
    .map(async ([name, client]) => {
      const result = await client.send(url, event('bridge', name.replaceAll(' ', '')));
      expect({ name, delivered: result.delivered }).toEqual({ name, delivered: true });
      acknowledged.add(`bridge.json ods.${name.replaceAll(' ', '')}`);
    });
  await sleep(500);
  await start();
  await Promise.all(bridging);
  expect(acknowledged.size).toBeGreaterThan(50);
  const byJob = new Map<string, string[]>();
  for (const each of acknowledged)
    byJob.set(each.split(' ')[0] ?? '', [...(byJob.get(each.split(' ')[0] ?? '') ?? []), each]);
  // A job declares its last hundred runs; no job of this test has had more.
  for (const [job, runs] of byJob) expect(runs.length, job).toBeLessThanOrEqual(100);
  let missing: string[] = [];
  await until(
    async () => {
      const there = new Set(await sources(join(dataDir, 'bucket')));
      missing = [...acknowledged].filter((each) => !there.has(each));
      return missing.length === 0;
    },
    40_000,
    () => `${missing.length} of ${acknowledged.size} lost: ${missing.slice(0, 3)}`,
  );
});

interface Held {
  readonly url: string;
  readonly dataDir: string;
  /** Ends the service in this way and waits for the next one; when it was told to end, and when it had (of `performance.now()`). */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<{ readonly from: number; readonly to: number }>;
}

/** The service below a parent that keeps its socket open and starts it anew, as systemd does. */
async function held(): Promise<Held> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-held-'));
  await mkdir(join(dataDir, 'bucket'), { recursive: true });
  await writeFile(join(dataDir, 'bucket/naming.yaml'), 'version: 1\nrules: []\n');
  const parent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'test/functions/hold-socket.ts'], {
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      RECONCILE_EVERY: '3600',
      LOG_LEVEL: 'error',
      // As many as are sent of one job.
      OPENLINEAGE_RUNS: '30',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pidIn = async (file: string): Promise<number | undefined> => {
    const text = await readFile(join(dataDir, file), 'utf8').catch(() => '');
    return text === '' ? undefined : (JSON.parse(text) as { pid: number }).pid;
  };
  onTestFinished(async () => {
    // The parent first: it would start another.
    parent.kill('SIGKILL');
    if (parent.exitCode === null && parent.signalCode === null) await once(parent, 'exit');
    const pid = await pidIn('lock.json');
    if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  });
  const [port] = (await once(parent.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  const startedAfter = (pid: number) =>
    until(
      async () => ![undefined, pid].includes(await pidIn('runtime.json')),
      20_000,
      () => 'the service starts',
    );
  await startedAfter(0);
  return {
    url: `http://127.0.0.1:${String(port).trim()}`,
    dataDir,
    async restart(signal) {
      const pid = (await pidIn('lock.json')) ?? 0;
      const from = performance.now();
      process.kill(pid, signal);
      await until(
        async () => !isAlive(pid),
        20_000,
        () => `${signal} ends the service`,
      );
      const to = performance.now();
      await startedAfter(pid);
      return { from, to };
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

interface Try {
  readonly client: string;
  readonly stored: string;
  readonly from: number;
  readonly to: number;
  readonly delivered: boolean;
}

/** Every client sends one event after the other, until `run` has ended. */
async function whileAllSend(url: string, run: () => Promise<void>): Promise<Try[]> {
  const tries: Try[] = [];
  let ended = false;
  const sending = Object.entries(clients).map(async ([name, client]) => {
    const job = name.replaceAll(' ', '-');
    for (let n = 0; !ended; n += 1) {
      const each = event(`${job}-${Math.floor(n / 30)}`, `n${n}`);
      const from = performance.now();
      const { delivered } = await client.send(url, each);
      const stored = `${each.job.name}.json ods.n${n}`;
      tries.push({ client: name, stored, from, to: performance.now(), delivered });
      await sleep(15);
    }
  });
  await run();
  ended = true;
  await Promise.all(sending);
  return tries;
}

/** Waits until all of these are stored, each once in effect. */
async function storedOnce(tries: readonly Try[], dataDir: string): Promise<void> {
  let missing: string[] = [];
  await until(
    async () => {
      const there = await sources(join(dataDir, 'bucket'));
      expect(there.length).toBe(new Set(there).size);
      missing = tries
        .filter((each) => !there.includes(each.stored))
        .map(({ client, stored }) => `${client}: ${stored}`);
      return missing.length === 0;
    },
    30_000,
    () => `${missing.length} of ${tries.length} not stored: ${missing.slice(0, 5).join(', ')}`,
  );
}

it('loses no event of any client, also of those that never try again, while it is stopped and started', {
  timeout: 90_000,
}, async () => {
  const { url, dataDir, restart } = await held();
  const tries = await whileAllSend(url, async () => {
    for (let turn = 0; turn < 4; turn += 1) {
      await sleep(100 + turn * 70);
      await restart('SIGTERM');
    }
    await sleep(100);
  });
  for (const name of Object.keys(clients))
    expect(tries.filter(({ client }) => client === name).length).toBeGreaterThan(8);
  await storedOnce(tries, dataDir);
});

it('loses to kill -9 only what a client that never tries again was sending at that moment', {
  timeout: 90_000,
}, async () => {
  const { url, dataDir, restart } = await held();
  const kills: { from: number; to: number }[] = [];
  const tries = await whileAllSend(url, async () => {
    for (let turn = 0; turn < 4; turn += 1) {
      await sleep(100 + turn * 70);
      kills.push(await restart('SIGKILL'));
    }
    await sleep(100);
  });
  const excused = ({ client, delivered, from, to }: Try) =>
    !delivered && !clients[client]?.reconnects && kills.some((kill) => from <= kill.to && kill.from <= to);
  await storedOnce(
    tries.filter((each) => !excused(each)),
    dataDir,
  );
  expect(tries.filter(excused).length).toBeLessThan(tries.length / 4);
});
