import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse as parseDot } from '@ts-graphviz/ast';
import { describe, expect, it, onTestFinished } from 'vitest';
import sample from '../../events/fetch-web.event.json' with { type: 'json' };
import type { Overview } from '../../functions/fetch/overview.ts';
import { entry } from '../../functions/fetch/web.ts';
import { invocation } from '../../local/invocation.ts';
import { SHOP, shopDataset } from '../../local/shop.ts';
import { simulatedDataphinCredentials } from '../../local/simulators/dataphin/index.ts';
import { type Local, local, manifest, pairs, until } from './local.ts';

const ENRICHED = shopDataset('orders_enriched');

async function shop(environment: Record<string, string> = {}): Promise<Local> {
  const here = await local(environment);
  for (const [key, text] of Object.entries(SHOP)) await here.drop(key, text);
  for (const key of Object.keys(SHOP)) await here.statusWhen(key, (status) => status.state === 'converged');
  return here;
}

const path = (query: Record<string, string>) => `/lineage?${new URLSearchParams(query)}`;

describe('GET /lineage', () => {
  it('answers in each format, by parameter and by Accept', async () => {
    const here = await shop();
    const types: readonly (readonly [string, string, RegExp])[] = [
      ['json', 'application/json', /"edges"/],
      ['html', 'text/html', /^<!doctype html>/],
      ['svg', 'image/svg+xml', /^<\?xml/],
      ['csv', 'text/csv', /"from","to"/],
      ['mermaid', 'text/vnd.mermaid', /^flowchart LR/],
      ['dot', 'text/vnd.graphviz', /^digraph/],
    ];
    for (const [format, type, begins] of types) {
      const byParameter = await here.request(
        'GET',
        path({ dataset: ENRICHED, format, depth: '1', level: 'table', limit: '50' }),
      );
      expect([byParameter.status, byParameter.headers.get('content-type')?.split(';')[0]]).toEqual([200, type]);
      const text = await byParameter.text();
      expect(text).toMatch(begins);
      const byAccept = await here.request(
        'GET',
        path({ dataset: ENRICHED, depth: '1', level: 'table', limit: '50' }),
        undefined,
        { accept: `text/plain;q=0.9, ${type}` },
      );
      expect(await byAccept.text()).toBe(text);
      if (format === 'dot') expect(parseDot(text)).toBeTruthy();
    }
    const events = (await (await here.request('GET', path({ dataset: ENRICHED, format: 'openlineage' }))).json()) as {
      job: { name: string };
    }[];
    expect(events.map((event) => event.job.name).sort()).toContain('orders.enrich');
    expect((await here.request('GET', '/lineage', undefined, { accept: 'application/pdf' })).status).toBe(406);
  });

  it('finds names, paths and manifests, and refuses what makes no sense', async () => {
    const here = await shop();
    const ask = async (query: Record<string, string>) => {
      const answer = await here.request('GET', path(query));
      return {
        status: answer.status,
        body: (await answer.json()) as {
          nodes: { id: string }[];
          edges: { from: string; to: string; jobs: string[] }[];
          errors?: { path: string }[];
        },
      };
    };
    expect((await ask({ q: 'raw orders' })).body.nodes.map((node) => node.id)).toEqual([shopDataset('orders_raw')]);
    const way = await ask({ dataset: shopDataset('orders_raw'), to: shopDataset('churn_features') });
    expect(way.body.edges).toHaveLength(4);
    const own = await ask({ owner: 'manifests/crm.json' });
    expect(own.body.edges.map((edge) => edge.jobs)).toEqual([['airflow-prod/crm.360'], ['airflow-prod/crm.360']]);
    expect((await ask({ to: 'x/y' })).body.errors).toMatchObject([{ path: 'dataset' }]);
    expect((await ask({ q: 'a', dataset: 'x/y' })).body.errors).toMatchObject([{ path: 'q' }]);
    expect((await ask({ outcome: 'great' })).status).toBe(400);
  });

  it('lets only its own script and style run', async () => {
    const here = await shop();
    for (const at of ['/', path({ dataset: ENRICHED, format: 'html' })]) {
      const answer = await here.request('GET', at, undefined, { accept: 'text/html' });
      const policy = answer.headers.get('content-security-policy') ?? '';
      const text = await answer.text();
      expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+';/);
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      const hash = (part: string) => `'sha256-${createHash('sha256').update(part).digest('base64')}'`;
      expect(policy).toContain(hash(/<script>(.*?)<\/script>/s.exec(text)?.[1] ?? ''));
      expect(policy).toContain(hash(/<style>(.*?)<\/style>/s.exec(text)?.[1] ?? ''));
      expect(text).not.toMatch(/ style="| on\w+="|(?:src|href)="(?:https?:)?\/\//);
    }
  });
});

describe('signed links', () => {
  const make = async (here: Local, body: object, headers: Record<string, string> = {}) =>
    (await (await here.request('POST', '/links', JSON.stringify(body), headers)).json()) as {
      html: string;
      svg: string;
      expires: string;
    };

  it('open what they were made for, with a key needed for everything else', async () => {
    const open = await shop();
    const link = await make(open, { dataset: ENRICHED, depth: 1 });
    await open.close();
    const here = await local({ AUTH: 'required' }, open.dataDir);
    expect((await here.request('GET', '/lineage')).status).toBe(401);
    expect((await here.request('GET', '/')).status).toBe(401);
    expect((await here.request('POST', '/links', '{}')).status).toBe(401);
    expect((await here.request('GET', link.html)).status).toBe(200);
    expect((await here.request('GET', link.svg)).headers.get('content-type')).toContain('image/svg+xml');
  });

  it('open nothing else: changed, expired, another format, another path', async () => {
    const here = await shop();
    const link = await make(here, { dataset: ENRICHED, depth: 1, expiresIn: 60 });
    const get = async (at: string) => (await here.request('GET', at)).status;
    expect(await get(link.html)).toBe(200);
    expect(await get(link.html.replace('depth=1', 'depth=9'))).toBe(403);
    // Whoever guesses signatures is slowed.
    expect(here.log.lines.filter(({ message }) => message.startsWith('access refused'))).toHaveLength(1);
    expect(await get(link.html.replace('orders_enriched', 'orders_clean'))).toBe(403);
    expect(await get(`${link.html}&limit=1000`)).toBe(403);
    expect(await get(link.html.replace(/expires=\d+/, 'expires=9999999999'))).toBe(403);
    expect(await get(link.html.replace('format=html', 'format=json'))).toBe(406);
    expect(await get(link.html.replace('/lineage', '/'))).toBe(403);
    expect((await here.request('POST', '/links', '{"dataset":"a/b","expiresIn":1}')).status).toBe(400);
    const { services } = here.runtime;
    const later = { ...services, deps: { ...services.deps, now: () => Date.now() + 61_000 } };
    const url = new URL(link.html, here.runtime.url);
    const event = { ...sample, rawPath: url.pathname, rawQueryString: url.search.slice(1) };
    const answer = await entry.open(later)(event as never, invocation('fetch-web', 60_000, 'r'));
    expect([answer.statusCode, answer.body]).toEqual([403, expect.stringContaining('expired')]);
  });

  it('begin with WEB_URL, as status documents do', async () => {
    const here = await shop({ WEB_URL: 'https://lineage.example.org/base/' });
    const link = await make(here, { dataset: ENRICHED, depth: 1 });
    expect(link.html).toMatch(/^https:\/\/lineage\.example\.org\/base\/lineage\?/);
    const own = link.svg.replace('https://lineage.example.org/base', '');
    expect((await here.request('GET', own)).status).toBe(200);
    expect((await here.status('manifests/crm.json'))?.page).toBe(
      'https://lineage.example.org/base/lineage?owner=manifests%2Fcrm.json&format=html',
    );
    await expect(local({ WEB_URL: 'lineage.example.org' })).rejects.toThrow(/WEB_URL/);
  });

  it('give in AWS only the page and the picture', async () => {
    const here = await shop();
    const { services } = here.runtime;
    const aws = { ...services, settings: { ...services.settings, aws: { secretPrefix: '' } } };
    const call = async (query: string, path = '/lineage') =>
      entry.open(aws)(
        { ...sample, rawPath: path, rawQueryString: query, headers: {} } as never,
        invocation('fetch-web', 60_000, 'r'),
      );
    expect((await call(`dataset=${encodeURIComponent(ENRICHED)}`)).statusCode).toBe(401);
    expect((await call('', '/')).statusCode).toBe(401);
    expect((await call('', '/manifests')).statusCode).toBe(404);
    const link = await make(here, { dataset: ENRICHED });
    expect((await call(new URL(link.svg, 'http://x').search.slice(1))).statusCode).toBe(200);
    expect(
      (await call(new URL(link.svg, 'http://x').search.slice(1).replace('format=svg', 'format=json'))).statusCode,
    ).toBe(406);
  });
});

describe('GET /', () => {
  it('tells manifests, what waits for a person and how to release it, and what has no name', async () => {
    const here = await shop();
    await here.drop('manifests/broken.yaml', 'version: 1\nlineage: {');
    await here.statusWhen('manifests/broken.yaml', (status) => status.state === 'invalid');
    await here.drop(
      'manifests/nameless.json',
      JSON.stringify({
        version: 1,
        targets: ['dataphin'],
        lineage: [{ from: { namespace: 'x://h', name: '<b>a' }, to: { namespace: 'x://h', name: 'b' } }],
      }),
    );
    await here.statusWhen('manifests/nameless.json', (status) => status.edges.length > 0);
    const page = await (await here.request('GET', '/', undefined, { accept: 'text/html' })).text();
    expect(page).toContain('manifests/broken.yaml');
    expect(page).toContain('x://h/&lt;b&gt;a');
    expect(page).not.toContain('<b>a');
    expect(page).toContain('- {&quot;match&quot;:{&quot;namespace&quot;:&quot;x://h&quot;');
    const told = (await (await here.request('GET', '/', undefined, { accept: 'application/json' })).json()) as {
      attention: { owner: string; kind: string }[];
      manifests: unknown[];
    };
    expect(told.attention).toMatchObject([{ owner: 'manifests/broken.yaml', kind: 'invalid' }]);
    expect(told.manifests).toHaveLength(8);
  });

  it('tells the budget of each vendor, what waits for it, and how the last pass went', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lineage-test-'));
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    const folder = join(dataDir, 'secrets/lineage');
    await mkdir(folder, { recursive: true });
    // Nobody answers there: every attempt takes from the budget.
    const endpoint = 'http://127.0.0.1:1';
    const budget = { calls_per_day: 3, calls_per_second: 50 };
    const secret = { ...simulatedDataphinCredentials, endpoint, allow_http: true, ...budget };
    await writeFile(join(folder, 'dataphin.json'), JSON.stringify(secret), { mode: 0o600 });
    const here = await local({}, dataDir);
    await here.drop('manifests/many.json', manifest(pairs('t', 6)));
    await here.statusWhen('manifests/many.json', (status) => (status.counts['pending'] ?? 0) > 0);
    const told = async () => {
      const answer = await here.request('GET', '/', undefined, { accept: 'application/json' });
      return ((await answer.json()) as Overview).vendors.find((each) => each.target === 'dataphin');
    };
    // The last attempt may still be on its way when the first edge is noted as pending.
    await until(async () => (await told())?.budget?.usedToday === 3);
    const dataphin = await told();
    expect(dataphin).toMatchObject({ budget: { callsPerDay: 3, callsPerSecond: 50, usedToday: 3 } });
    expect(dataphin?.waiting).toBeGreaterThan(0);
    // Until midnight at least.
    expect(dataphin?.etaSeconds).toBeGreaterThan(0);
    const page = await (await here.request('GET', '/', undefined, { accept: 'text/html' })).text();
    expect(page).toMatch(/3 of 3 calls today <meter/);
    expect(page).toMatch(/edges? waiting, done in/);
    await here.drop(
      'status/reconcile/latest.json',
      JSON.stringify({
        startedAt: '2026-11-20T02:00:00.000Z',
        finishedAt: '2026-11-20T02:00:05.000Z',
        counts: { owners: 2, '<b>': 1 },
        held: [{}],
        drift: { missing: 4 },
      }),
    );
    const later = await (await here.request('GET', '/', undefined, { accept: 'text/html' })).text();
    expect(later).toContain('2026-11-20 02:00:05 UTC');
    expect(later).toContain('2 owners, 1 &lt;b&gt;');
    expect(later).toContain('4 missing');
  });
});

describe('npm run lineage', () => {
  const run = async (dataDir: string, ...args: string[]) => runWith({ DATA_DIR: dataDir }, ...args);
  const runWith = async (environment: Record<string, string>, ...args: string[]) => {
    const started = promisify(execFile)(
      'node_modules/.bin/node',
      ['--disable-warning=ExperimentalWarning', 'local/lineage.ts', ...args],
      { env: { ...process.env, ...environment } },
    );
    return started.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (failed: { code: number; stdout: string; stderr: string }) => ({
        code: failed.code,
        stdout: failed.stdout,
        stderr: failed.stderr,
      }),
    );
  };

  it('prints a tree, pipes formats, and ends with 0, 1 or 2; with the runtime and without', async () => {
    const here = await shop();
    const tree = await run(here.dataDir, ENRICHED, '--upstream', '--depth', '3');
    expect(tree).toMatchObject({ code: 0, stderr: '' });
    expect(tree.stdout.split('\n')[0]).toBe(ENRICHED);
    expect(tree.stdout).toContain(`│  └─ ${shopDataset('orders_raw')}  [dataarts ✓, dataphin ✓]  orders.clean`);
    await here.close();
    const offline = await run(here.dataDir, ENRICHED, '--upstream', '--depth', '3');
    expect(offline.stdout).toBe(tree.stdout);
    const json = await run(here.dataDir, ENRICHED, '--format', 'json');
    expect(JSON.parse(json.stdout)).toHaveProperty('edges');
    expect(await run(here.dataDir, 'no/such')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('no lineage'),
    });
    expect(await run(here.dataDir)).toMatchObject({ code: 2, stdout: '' });
    expect(await run(here.dataDir, ENRICHED, '--depth', 'x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('depth'),
    });
    expect(await run(here.dataDir, ENRICHED, '--depth', '99')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('depth is a whole number from 1 to 50'),
    });
    expect(await run(here.dataDir, '--nonsense')).toMatchObject({ code: 2 });
  });

  it('asks with a key where one is needed, and says so where it has none', async () => {
    const open = await shop();
    await open.close();
    const here = await local({ AUTH: 'required' }, open.dataDir);
    const key = 'a-key-of-the-terminal';
    const client = { name: 'me', scopes: ['fetch'], key_sha256: createHash('sha256').update(key).digest('hex') };
    const folder = join(here.dataDir, 'secrets/lineage');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'clients.json'), JSON.stringify({ clients: [client] }), { mode: 0o600 });
    const without = await run(here.dataDir, ENRICHED);
    expect(without).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/--key.*LINEAGE_KEY/) });
    const [byOption, byEnvironment] = await Promise.all([
      run(here.dataDir, ENRICHED, '--key', key, '--format', 'csv'),
      runWith({ DATA_DIR: here.dataDir, LINEAGE_KEY: key }, ENRICHED, '--format', 'csv'),
    ]);
    expect(byOption).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^"from","to"/) });
    expect(byEnvironment.stdout).toBe(byOption.stdout);
  });
});
