import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { entry } from '../../functions/scheduled-reconcile/http.ts';
import type { PlanDocument } from '../../shared/core/plan-document.ts';
import { readSettings } from '../../shared/settings.ts';
import { type Caller, TRUSTED } from '../../shared/triggers/access.ts';
import { problemOf } from '../../shared/triggers/problem.ts';
import { type Local, local, manifest, pairs, until } from './local.ts';
import { planWorld } from './plan-world.ts';

/** A plan over HTTP and on the command line. */

type Page = PlanDocument & { readonly next?: string; readonly total: number };

async function planOf(here: Local, body: object = {}): Promise<Page> {
  const answer = await here.request('POST', '/reconcile', JSON.stringify({ dryRun: true, ...body }));
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text) as Page;
}

const apply = (here: Local, plan: string) => here.request('POST', '/reconcile', JSON.stringify({ plan }));

/** The entry's routes over a world in which nothing happens by itself. */
function asked(world: ReturnType<typeof planWorld>) {
  const services = {
    settings: readSettings({}),
    log: world.deps.log,
    deps: world.deps,
    secrets: { get: async () => undefined, list: async () => [] },
  };
  return async (
    method: string,
    at: string,
    more: { body?: unknown; headers?: Record<string, string>; caller?: Caller } = {},
  ) => {
    const { pathname, searchParams } = new URL(at, 'http://here');
    const route = entry.routes.find((each) => each.method === method && each.path === pathname);
    const request = {
      method,
      params: {},
      query: searchParams,
      headers: more.headers ?? {},
      body: Buffer.from(more.body === undefined ? '' : JSON.stringify(more.body)),
      caller: more.caller ?? TRUSTED,
      deadlineMs: world.deps.now() + 1_000_000,
    };
    const answer = await route?.handle(request, services).catch(problemOf);
    const text = String(answer?.body);
    return { status: answer?.status, headers: answer?.headers ?? {}, text, value: () => JSON.parse(text) };
  };
}

it('plans hypothetical manifests without storing, registering or forgetting anything', async () => {
  const here = await local();
  await here.drop('manifests/a.json', manifest(pairs('a', 3)));
  await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  await here.forgetCalls();
  const made = await planOf(here, {
    manifests: {
      'manifests/a.json': manifest(pairs('a', 2), { columns: ['id', 'total'] }),
      'manifests/b.json': manifest([['x', 'y']]),
    },
  });
  expect(made.summary).toMatchObject({ create: 1, update: 2, withdraw: 1, unchanged: 0 });
  expect(made.changes.filter((each) => each.verdict === 'update').map((each) => each.columns)).toEqual([
    { add: [['total', 'total']], remove: [] },
    { add: [['total', 'total']], remove: [] },
  ]);
  expect(made.hypothetical).toBe(true);
  expect(await here.calls('dataphin')).toEqual([]);
  expect((await here.dataphin()).length).toBe(3);
  expect((await apply(here, made.checksum)).status).toBe(409);
  expect(await here.calls('dataphin')).toEqual([]);
  const again = await planOf(here);
  expect(again.changes).toEqual([]);
  expect(again.summary.unchanged).toBe(3);
});

it('answers in pages, in Markdown and as text, applies it, and then refuses what differs', async () => {
  const world = planWorld();
  const ask = asked(world);
  for (const name of ['a', 'b', 'c']) await world.put(`manifests/${name}.json`, manifest(pairs(name, 4)));
  const first = await ask('GET', '/plan?limit=5');
  expect(first.status).toBe(200);
  const page = first.value() as Page;
  expect(page).toMatchObject({ total: 12, summary: { create: 12 }, owners: 3, next: `${page.checksum}.5` });
  const rest = (await ask('GET', `/plan?after=${page.next}`)).value() as Page;
  expect([...page.changes, ...rest.changes].map((each) => each.from)).toHaveLength(12);
  expect(new Set([...page.changes, ...rest.changes].map((each) => each.from)).size).toBe(12);
  expect(rest.next).toBeUndefined();

  const markdown = await ask('GET', '/plan', { headers: { accept: 'text/markdown' } });
  expect(markdown.headers['content-type']).toBe('text/markdown; charset=utf-8');
  expect(markdown.text).toMatch(/^## Lineage plan: 12 to create\n/);
  const text = await ask('GET', '/plan?format=text&owner=manifests/a.json');
  expect(text.text).toContain('Plan: 4 to create; 0 edges unchanged in 1 manifest.');

  await world.put('manifests/c.json', manifest(pairs('c', 5)));
  const refused = await ask('POST', '/reconcile', { body: { plan: page.checksum } });
  expect(refused.status).toBe(409);
  expect(refused.headers['content-type']).toBe('application/problem+json');
  expect(refused.value()).toMatchObject({ status: 409, errors: [{ path: 'manifests/c.json' }] });
  expect(world.calls).toEqual([]);
  const again = (await ask('POST', '/reconcile', { body: { dryRun: true } })).value() as Page;
  const done = await ask('POST', '/reconcile', { body: { plan: again.checksum } });
  expect(done.status).toBe(200);
  expect(done.value()).toMatchObject({ owners: 3, outcomes: { done: 3 }, left: 0 });
  expect(((await ask('GET', '/plan')).value() as Page).changes).toEqual([]);
});

it('says what is wrong with a request for a plan, and does nothing', async () => {
  const world = planWorld();
  const ask = asked(world);
  const wrong = async (body: unknown) => {
    const answer = await ask('POST', '/reconcile', { body });
    return `${answer.status} ${(answer.value() as { detail: string }).detail}`;
  };
  expect(await wrong({ plan: 'x'.repeat(22) })).toMatch(/^409 there is no plan .* nothing was done\. Make a new plan/);
  expect(await wrong({ plan: '../status/manifests/a' })).toMatch(/^409/);
  const unknown = await ask('POST', '/reconcile', { body: { plan: 'x'.repeat(22) } });
  expect(unknown.value()).toMatchObject({ status: 409, errors: [] });
  expect(await wrong({ plan: 'x'.repeat(22), dryRun: true })).toMatch(/^400 give one of dryRun, plan/);
  expect(await wrong({ dryRun: true, release: 'x' })).toMatch(/^400 give one of dryRun, release/);
  expect(await wrong({ plan: 'x'.repeat(22), owners: ['manifests/a.json'] })).toMatch(/^400 a plan names its owners/);
  expect(await wrong({ complete: true })).toMatch(/^400/);
  expect(await wrong({ dryRun: true, complete: true })).toMatch(/^400 complete says/);
  expect(await wrong({ dryRun: true, manifests: { 'http/a.json': '{}' } })).toMatch(/^400/);
  expect(await wrong({ dryRun: true, manifests: { 'manifests/a.json': '{"version": 2}' } })).toMatch(
    /^400 the manifests/,
  );
  for (const query of ['after=1', 'limit=0', 'limit=9999', 'deep=yes', 'format=html', 'owner=nowhere', 'what=1']) {
    expect((await ask('GET', `/plan?${query}`)).status).toBe(400);
  }
  expect((await ask('GET', `/plan?after=${'x'.repeat(22)}.0`)).status).toBe(404);
  expect(world.ledger.rows()).toEqual([]);
});

it('lets a confined key plan its own manifests, and no others', async () => {
  const world = planWorld();
  const ask = asked(world);
  await world.put('manifests/team/a.json', manifest(pairs('a', 1)));
  await world.put('manifests/b.json', manifest(pairs('b', 1)));
  const caller = { name: 'team', owners: ['manifests/team/*'] };
  const status = async (method: string, at: string, body?: unknown) => (await ask(method, at, { body, caller })).status;
  expect(await status('GET', '/plan?owner=manifests/team/a.json')).toBe(200);
  expect(await status('GET', '/plan')).toBe(403);
  expect(await status('GET', '/plan?owner=manifests/b.json')).toBe(403);
  const mine = { 'manifests/team/n.json': manifest(pairs('n', 1)) };
  expect(await status('POST', '/reconcile', { dryRun: true, manifests: mine })).toBe(200);
  expect(await status('POST', '/reconcile', { dryRun: true, manifests: mine, complete: true })).toBe(403);
  expect(await status('POST', '/reconcile', { dryRun: true, manifests: { 'manifests/n.json': '{}' } })).toBe(403);
  const all = (await ask('GET', '/plan')).value() as Page;
  expect(await status('GET', `/plan?after=${all.checksum}.0`)).toBe(403);
  expect(await status('POST', '/reconcile', { plan: all.checksum })).toBe(403);
});

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** `npm run plan` as CI would run it. */
async function command(dataDir: string, args: readonly string[], environment: Record<string, string> = {}) {
  const all = ['--disable-warning=ExperimentalWarning', join(root, 'local/plan.ts'), ...args];
  try {
    const { stdout, stderr } = await run(process.execPath, all, {
      env: { PATH: '', DATA_DIR: dataDir, ...environment },
    });
    return { code: 0, stdout, stderr };
  } catch (thrown) {
    const { code, stdout, stderr } = thrown as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

it('ends with 2 for changes, 0 for none and 1 for errors, beside a service and without one', {
  timeout: 30_000,
}, async () => {
  const here = await local();
  const folder = join(here.dataDir, 'ci');
  await mkdir(join(folder, 'shop'), { recursive: true });
  await writeFile(join(folder, 'shop/a.json'), manifest(pairs('a', 2)));
  await writeFile(join(folder, 'README.md'), 'no manifest');
  const fresh = await command(here.dataDir, [folder, '--format', 'json']);
  expect(fresh.code).toBe(2);
  expect(JSON.parse(fresh.stdout)).toMatchObject({ summary: { create: 2 }, hypothetical: true });
  await here.drop('manifests/shop/a.json', manifest(pairs('a', 2)));
  await here.statusWhen('manifests/shop/a.json', (each) => each.state === 'converged');
  const same = await command(here.dataDir, [folder]);
  expect(same.code).toBe(0);
  expect(same.stdout).toContain('Plan: nothing to do; 2 edges unchanged in 1 manifest.');
  expect(same.stdout).not.toContain(String.fromCharCode(27));
  await writeFile(join(here.dataDir, 'huge.json'), manifest(pairs('a'.repeat(3_000), 1_200)));
  const huge = await command(here.dataDir, [join(here.dataDir, 'huge.json')]);
  expect(huge.code).toBe(1);
  expect(huge.stderr).toMatch(/these manifests are [\d.]+ MiB together, more than a service takes at once/);
  expect(huge.stderr).toMatch(/name fewer, .* one folder after the other, or plan beside the data, with DATA_DIR/);
  const nobody = await command(here.dataDir, [folder, '--url', 'http://127.0.0.1:9']);
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('http://127.0.0.1:9 cannot be reached')]);
  await here.drop('manifests/gone.json', manifest(pairs('g', 1)));
  await here.statusWhen('manifests/gone.json', (each) => each.state === 'converged');
  await here.close();

  const still = await command(here.dataDir, [folder]);
  expect([still.code, still.stderr]).toEqual([0, '']);
  const complete = await command(here.dataDir, [folder, '--complete', '--format', 'markdown']);
  expect(complete.code).toBe(2);
  expect(complete.stdout).toContain('## Lineage plan: 1 to withdraw');
  await writeFile(join(folder, 'bad.yaml'), 'version: 1\nlineage:\n  - from: nowhere\n    to: there\n');
  const bad = await command(here.dataDir, [folder]);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/manifests\/bad\.yaml: lineage\[0\]\.from.*line 3/);
  expect((await command(here.dataDir, ['--what'])).code).toBe(1);
  expect((await command(here.dataDir, [join(folder, 'nothing')])).code).toBe(1);
});

it('asks the vendors when the plan is deep: what is there already, what drifted, what is not ours', {
  timeout: 30_000,
}, async () => {
  const here = await local();
  const key = 'manifests/a.json';
  await here.drop(key, manifest([...pairs('a', 3), ['x', 'at0']]));
  await here.statusWhen(key, (each) => each.state === 'converged');
  const guid = (name: string) => `odps.300000001.p.${name}`;
  const parsed = [{ source: guid('n'), target: guid('m'), columns: [['id', 'id']], nodeId: '1', nodeEnv: 'prod' }];
  await here.sandbox('dataphin', 'PUT', 'seed', { parsedLineage: parsed });
  const { list } = await here.runtime.services.deps.targets();
  const ref = (name: string) => ({ referenceType: 'BY_GUID', guid: guid(name), metadataType: 'TABLE' });
  const call = (from: string, to: string) => ({
    ...{ from: [{ name: from }], to: [{ name: to }], columns: [], options: {} },
    spec: { source: ref(from), target: ref(to) },
  });
  const client = list.find((each) => each.name === 'dataphin')?.client;
  const within = { deadlineMs: Date.now() + 10_000 };
  await client?.withdraw?.({ ...call('a1', 'at1'), cascade: true }, within);
  await client?.register?.(call('stranger', 'at2'), within);
  await here.forgetCalls();

  const shallow = await planOf(here);
  expect(shallow.changes).toEqual([]);
  expect(await here.calls('dataphin')).toEqual([]);
  const made = await planOf(here, { deep: true });
  expect(made.summary).toMatchObject({ drifted: 1, foreign: 1, unchanged: 3 });
  expect(made.changes.map((each) => `${each.verdict} ${each.from}`)).toEqual([
    'drifted dataphin:odps.300000001.p.a1',
    'foreign dataphin:odps.300000001.p.stranger',
  ]);
  expect(made.changes[0]?.reason).toMatch(/^the vendor does not show it/);
  const manifests = { 'manifests/n.json': manifest([['n', 'm']]) };
  expect((await planOf(here, { deep: true, manifests })).summary).toMatchObject({ adopt: 1, create: 0 });
  expect((await planOf(here, { manifests })).summary).toMatchObject({ adopt: 0, create: 1 });
  expect(await here.writes('dataphin')).toEqual([]);

  expect((await apply(here, made.checksum)).status).toBe(200);
  await until(async () => (await here.dataphin()).some((each) => each.source === guid('a1')));
  await until(async () => (await here.runtime.services.deps.ledger.find('unsettled')).items.length === 0);
  expect((await planOf(here, { deep: true })).summary).toMatchObject({ drifted: 0, foreign: 1, unchanged: 4 });
});
