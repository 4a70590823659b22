import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { parse as parseDot } from '@ts-graphviz/ast';
import { describe, expect, it } from 'vitest';
import sample from '../../events/fetch-web.event.json' with { type: 'json' };
import { entry } from '../../functions/fetch/web.ts';
import { invocation } from '../../local/invocation.ts';
import { SHOP, shopDataset } from '../../local/shop.ts';
import { type Local, local } from './local.ts';

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
    expect((await here.request('GET', '/lineage', undefined, { accept: 'application/pdf' })).status).toBe(400);
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
});

describe('npm run lineage', () => {
  const run = async (dataDir: string, ...args: string[]) => {
    const started = promisify(execFile)(
      'node_modules/.bin/node',
      ['--disable-warning=ExperimentalWarning', 'local/lineage.ts', ...args],
      { env: { ...process.env, DATA_DIR: dataDir } },
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
    expect(await run(here.dataDir, '--nonsense')).toMatchObject({ code: 2 });
  });
});
