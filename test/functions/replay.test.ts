import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { work } from '../../functions/register/register.ts';
import type { ArchivedEvent } from '../../shared/intake/archive.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Local, local, until } from './local.ts';

const event = (run: string, source: string, more: object = {}) => ({
  eventType: 'COMPLETE',
  eventTime: '2026-11-20T02:00:00Z',
  run: { runId: run },
  job: { namespace: 'archive', name: 'load', facets: { sql: { query: 'select hunter2' } } },
  producer: 'test',
  inputs: [{ namespace: 'hive://m', name: `ods.${source}` }],
  outputs: [{ namespace: 'hive://m', name: 'dw.out' }],
  ...more,
});

const post = async (at: Local, body: object) =>
  expect((await at.request('POST', '/api/v1/lineage', JSON.stringify(body))).status).toBe(201);

async function objects(at: Local, folder: string): Promise<string[]> {
  const found = await readdir(join(at.runtime.bucket, folder), { recursive: true }).catch(() => []);
  return found.filter((name) => name.endsWith('.gz')).sort();
}

async function archived(at: Local, folder: string): Promise<ArchivedEvent[]> {
  const texts = (await objects(at, folder)).map(async (name) =>
    gunzipSync(await readFile(join(at.runtime.bucket, folder, name))).toString('utf8'),
  );
  const lines = (await Promise.all(texts)).join('').trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ArchivedEvent);
}

async function declared(at: Local): Promise<string[]> {
  const text = await readFile(join(at.runtime.bucket, 'openlineage/archive/load.json'), 'utf8').catch(() => '{}');
  const { datasets = {}, lineage = [] } = JSON.parse(text) as {
    datasets?: Record<string, { name: string }>;
    lineage?: { from: string[] }[];
  };
  return lineage.flatMap(({ from }) => from.map((alias) => datasets[alias]?.name ?? '')).sort();
}

const settled = (at: Local, wanted: readonly string[]) =>
  until(async () => JSON.stringify(await declared(at)) === JSON.stringify(wanted));

/** The services with another clock. */
function at(services: Services, now: () => number): Services {
  return { ...services, deps: { ...services.deps, now } };
}

async function forget(runtime: Local): Promise<void> {
  const { ledger } = runtime.runtime.services;
  for (const key of (await ledger.find('ol-subjects')).items) {
    const row = await ledger.get(key);
    if (row) await ledger.remove(key, row.rev);
  }
  await rm(join(runtime.runtime.bucket, 'openlineage/archive/load.json'));
}

/** What came before an event has been taken in and published when that event has. */
async function drained(here: Local, headers: Record<string, string> = {}): Promise<void> {
  const job = { namespace: 'archive', name: `marker-${Date.now()}` };
  const body = JSON.stringify(event(job.name, 'marker', { job }));
  expect((await here.request('POST', '/api/v1/lineage', body, headers)).status).toBe(201);
  await here.statusWhen(`openlineage/archive/${job.name}.json`, () => true);
}

const window = (name: string) => name.split('/').slice(0, 2).join('/');

describe('the archive', () => {
  it('keeps what was accepted, without its SQL, and is put together into batches', async () => {
    const here = await local();
    await post(here, event('r1', 'a'));
    await post(here, event('r2', 'b'));
    const large = Array.from({ length: 2_000 }, (_, n) => ({
      namespace: 'hive://m',
      name: `ods.${'x'.repeat(90)}${n % 3}`,
    }));
    await post(here, event('r3', 'c', { inputs: large }));
    await until(async () => (await archived(here, 'archive/new')).length === 3);
    const lines = await archived(here, 'archive/new');
    expect(lines.filter((line) => line.ref !== undefined)).toMatchObject([{ time: '2026-11-20T02:00:00Z' }]);
    const shown = await here.request('GET', '/api/v1/events/lineage?before=2026-11-20T02:00:01Z&limit=10');
    const { events } = (await shown.json()) as { events: { run: { runId: string } }[] };
    expect(events.map(({ run }) => run.runId).sort()).toEqual(['r1', 'r2', 'r3']);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(JSON.stringify(lines)).toContain('ods.a');
    expect(await objects(here, 'archive/large')).toHaveLength(1);
    expect(await objects(here, 'inbox')).toEqual([]);

    const { services } = here.runtime;
    for (const each of new Set((await objects(here, 'archive/new')).map(window)))
      await work({ kind: 'archive', window: each }, services, Date.now() + 60_000);
    expect(await objects(here, 'archive/new')).toEqual([]);
    const batches = await archived(here, 'archive/batches');
    expect(batches.map((line) => JSON.stringify(line)).sort()).toEqual(
      lines.map((line) => JSON.stringify(line)).sort(),
    );
  });

  it('keeps SQL if it is asked to', async () => {
    const here = await local({ OPENLINEAGE_KEEP_SQL: 'yes' });
    await post(here, event('r1', 'a'));
    await until(async () => (await archived(here, 'archive/new')).length === 1);
    expect(JSON.stringify(await archived(here, 'archive/new'))).toContain('hunter2');
  });

  it('forgets after its days, and so does the inbox; objects of runs go when no row points at them', async () => {
    const here = await local({ OPENLINEAGE_ARCHIVE_DAYS: '2', OPENLINEAGE_INBOX_DAYS: '3' });
    await post(here, event('r1', 'a'));
    const many = Array.from({ length: 12_000 }, (_, n) => ({
      namespace: 'hive://m',
      name: `ods.${createHash('sha256').update(String(n)).digest('base64url')}`,
    }));
    const wide = gzipSync(JSON.stringify(event('r2', 'b', { eventType: 'START', inputs: many })));
    expect((await here.request('POST', '/api/v1/lineage', wide)).status).toBe(201);
    await until(
      async () => (await objects(here, 'runs')).length === 1 && (await archived(here, 'archive/new')).length === 2,
    );
    await here.drop('inbox/2020-01-01/lost.json.gz', 'x');
    await here.drop('runs/2020-01-01/run/a/b/lost.json.gz', 'x');
    const { services } = here.runtime;
    const later = (days: number) => at(services, () => Date.now() + days * 86_400_000);
    await work({ kind: 'tidy' }, later(1.5), Number.POSITIVE_INFINITY);
    expect([await objects(here, 'inbox'), (await objects(here, 'runs')).length]).toEqual([[], 1]);
    expect([(await archived(here, 'archive/new')).length, (await objects(here, 'archive/large')).length]).toEqual([
      2, 1,
    ]);
    await work({ kind: 'tidy' }, later(4), Number.POSITIVE_INFINITY);
    expect([await archived(here, 'archive/new'), await objects(here, 'archive/large')]).toEqual([[], []]);
    expect((await objects(here, 'runs')).length).toBe(1);
  });
});

it('is tidied up by the passes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-tidy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const old of ['inbox/2020-01-01', 'archive/batches/2020-01-01', 'archive/new/2020-01-01/00-00']) {
    await mkdir(join(folder, 'bucket', old), { recursive: true });
    await writeFile(join(folder, 'bucket', old, 'old.jsonl.gz'), 'x');
  }
  const here = await local({}, folder);
  await until(async () => (await Promise.all([objects(here, 'inbox'), objects(here, 'archive')])).flat().length === 0);
});

describe('a replay', () => {
  it('takes the events of a time and a job in again, and changes nothing the second time', async () => {
    const here = await local({ OPENLINEAGE_RUNS: '10' });
    await post(here, event('r1', 'a'));
    await settled(here, ['ods.a']);
    await until(async () => (await archived(here, 'archive/new')).length === 1);
    const middle = new Date(Date.now() + 1).toISOString();
    await until(async () => Date.now() > Date.parse(middle));
    await post(here, event('r2', 'b'));
    await post(here, event('r9', 'z', { job: { namespace: 'archive', name: 'other' } }));
    await settled(here, ['ods.a', 'ods.b']);
    await until(async () => (await archived(here, 'archive/new')).length === 3);
    await forget(here);

    const ask = async (question: object) => {
      const answer = await here.request('POST', '/replay', JSON.stringify({ since: middle, ...question }));
      expect(answer.status).toBe(200);
      return (await answer.json()) as { events: number; jobs: Record<string, number>; next?: string };
    };
    expect(await ask({ dryRun: true })).toEqual({
      events: 2,
      jobs: { 'archive/load': 1, 'archive/other': 1 },
      gone: 0,
      unreadable: [],
    });
    expect(await declared(here)).toEqual([]);
    expect(await ask({ job: 'archive/load' })).toMatchObject({ events: 1, jobs: { 'archive/load': 1 } });
    await settled(here, ['ods.b']);
    expect((await ask({ since: '2026-01-01T00:00:00Z', until: middle })).events).toBe(1);
    await settled(here, ['ods.a', 'ods.b']);
    const before = await readFile(join(here.runtime.bucket, 'openlineage/archive/load.json'), 'utf8');
    expect((await ask({ since: '2026-01-01T00:00:00Z' })).events).toBe(3);
    await drained(here);
    expect(await readFile(join(here.runtime.bucket, 'openlineage/archive/load.json'), 'utf8')).toBe(before);
    expect(await archived(here, 'archive/new')).toHaveLength(4);
    expect((await here.request('POST', '/replay', '{"since":"yesterday"}')).status).toBe(400);
  });

  it('names what cannot be read, and takes in the rest; a listing shows the rest, too', async () => {
    const here = await local();
    const large = Array.from({ length: 2_000 }, (_, n) => ({
      namespace: 'hive://m',
      name: `ods.${'x'.repeat(90)}${n}`,
    }));
    await post(here, event('r1', 'a'));
    await post(here, event('r2', 'b'));
    await post(here, event('r3', 'c', { inputs: large }));
    await until(async () => (await archived(here, 'archive/new')).length === 3);
    const [day = ''] = (await objects(here, 'archive/new')).map((name) => name.split('/')[0]);
    const cut = `archive/new/${day}/00-00/cut.jsonl.gz`;
    await here.drop(cut, 'no gzip');
    const [big = ''] = (await objects(here, 'archive/large')).map((name) => `archive/large/${name}`);
    await writeFile(join(here.runtime.bucket, big), gzipSync('[{'));

    const answer = await here.request(
      'POST',
      '/replay',
      JSON.stringify({ since: '2026-11-01T00:00:00Z', dryRun: true }),
    );
    expect(answer.status).toBe(200);
    const found = (await answer.json()) as { events: number; unreadable: string[] };
    expect([found.events, found.unreadable.sort()]).toEqual([2, [big, cut].sort()]);
    const shown = await here.request('GET', '/api/v1/events/lineage?before=2026-11-20T02:00:01Z&limit=10');
    const { events } = (await shown.json()) as { events: { run: { runId: string } }[] };
    expect([shown.status, events.map(({ run }) => run.runId).sort()]).toEqual([200, ['r1', 'r2']]);
    expect(await objects(here, 'archive/new')).toContain(cut.slice('archive/new/'.length));
    const command = promisify(execFile)(
      'node_modules/.bin/node',
      ['--disable-warning=ExperimentalWarning', 'local/replay.ts', '--since', '1d'],
      {
        env: { ...process.env, DATA_DIR: here.dataDir },
      },
    );
    await expect(command).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('2 events taken in again'),
      stderr: expect.stringContaining(`${cut} cannot be read`),
    });
  });

  it('leaves confined senders confined, and is not theirs to ask for', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lineage-confined-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
    const clients = [
      { name: 'all', scopes: ['ingest', 'register'], key_sha256: sha256('all') },
      { name: 'few', scopes: ['ingest', 'register'], key_sha256: sha256('few'), namespaces: ['few-*'] },
    ];
    await mkdir(join(folder, 'secrets/lineage'), { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'secrets/lineage/clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
    const here = await local({ AUTH: 'required', VANISH_GRACE: '0' }, folder);
    const ask = async (key: string, path: string, body: object) =>
      (await here.request('POST', path, JSON.stringify(body), { authorization: `Bearer ${key}` })).status;
    expect(await ask('all', '/api/v1/lineage', event('r1', 'a'))).toBe(201);
    await settled(here, ['ods.a']);
    const lifecycleStateChange = { lifecycleStateChange: 'DROP' };
    const outputs = [{ namespace: 'hive://m', name: 'dw.out', facets: { lifecycleStateChange } }];
    const job = { namespace: 'few-jobs', name: 'drop' };
    expect(
      await ask('few', '/api/v1/lineage', event('r2', 'b', { job, outputs, eventTime: '2026-11-21T00:00:00Z' })),
    ).toBe(201);
    await until(async () => (await archived(here, 'archive/new')).length === 2);
    expect((await archived(here, 'archive/new')).map((line) => line.confined)).toContain(true);
    expect(await ask('few', '/replay', { since: '2026-01-01T00:00:00Z' })).toBe(403);
    expect(await ask('all', '/replay', { since: '2026-01-01T00:00:00Z' })).toBe(200);
    await drained(here, { authorization: 'Bearer all' });
    expect(await declared(here)).toEqual(['ods.a']);
  });

  it('is a command, with or without a service, large events included', async () => {
    const here = await local();
    const inputs = Array.from({ length: 3_000 }, () => ({ namespace: 'hive://m', name: `ods.${'x'.repeat(90)}` }));
    await post(here, event('r1', 'a', { inputs }));
    await settled(here, [`ods.${'x'.repeat(90)}`]);
    await until(async () => (await archived(here, 'archive/new')).length === 1);
    const command = async (...args: string[]) => {
      const child = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', resolve('local/replay.ts'), ...args],
        {
          env: { ...process.env, DATA_DIR: here.dataDir },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      let text = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (bytes) => {
          text += String(bytes);
        });
      }
      const [code] = (await once(child, 'close')) as [number];
      return { code, text };
    };
    await forget(here);
    expect(await command('--since', '1h', '--dry-run')).toEqual({ code: 0, text: '1\tarchive/load\n1 events found\n' });
    expect((await command('--since', '1h')).text).toContain('1 events taken in again');
    await settled(here, [`ods.${'x'.repeat(90)}`]);
    expect(await objects(here, 'archive/large')).toHaveLength(1);
    expect((await command('--since', 'soon')).code).toBe(2);
    await here.close();
    expect((await command('--since', '1h')).text).toContain('1 events waiting for the next start');
  });
});
