import { mkdir, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { local, manifest, until } from './local.ts';

const bomb = [
  'version: 1',
  'a: &a [x,x,x,x,x,x,x,x,x,x]',
  ...'bcdefghi'
    .split('')
    .map(
      (name, index) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${'abcdefghi'[index]}`).join(',')}]`,
    ),
].join('\n');

const many = (count: number) =>
  JSON.stringify({
    version: 1,
    targets: ['dataphin'],
    datasets: { a: { dataphin: { guid: 'odps.1.p.a' } }, b: { dataphin: { guid: 'odps.1.p.b' } } },
    lineage: Array.from({ length: count }, () => ({ from: 'a', to: 'b' })),
  });

/** Every kind of bad manifest: what is sent, under which key, and what the answer has to say. */
const BAD: readonly [name: string, key: string, text: string, says: RegExp][] = [
  ['not YAML', 'a.yaml', 'version: [1\nlineage: {', /./],
  ['not JSON', 'a.json', '{"version": 1,', /./],
  ['wrong version', 'a.yaml', 'version: 2\nlineage: []', /version/],
  ['unknown key', 'a.yaml', 'version: 1\nlinaege: []\nlineage: []', /linaege/],
  ['duplicate key in YAML', 'a.yaml', 'version: 1\nversion: 1\nlineage: []', /version/],
  ['duplicate key in JSON', 'a.json', '{"version":1,"lineage":[],"lineage":[]}', /lineage/],
  ['missing alias', 'a.yaml', 'version: 1\nlineage: [{ from: nowhere, to: nothing }]', /nowhere[\s\S]*nothing/],
  [
    '101 inputs',
    'a.json',
    JSON.stringify({
      version: 1,
      datasets: Object.fromEntries(
        Array.from({ length: 102 }, (_, i) => [`t${i}`, { dataphin: { guid: `odps.1.p.t${i}` } }]),
      ),
      lineage: [{ from: Array.from({ length: 101 }, (_, i) => `t${i}`), to: 't101' }],
    }),
    /lineage\[0\]\.from[\s\S]*100/,
  ],
  ['10,001 entries', 'a.json', many(10_001), /10,?000/],
  ['an alias bomb', 'a.yaml', bomb, /alias/],
  ['prototype keys', 'a.json', '{"version":1,"lineage":[],"__proto__":{"x":1}}', /__proto__/],
  [
    'several problems at once',
    'a.yaml',
    'version: 1\nbogus: 1\nlineage:\n  - { from: x, to: y }\n  - { from: z }',
    /bogus[\s\S]*lineage\[0\]\.from[\s\S]*lineage\[1\]\.to/,
  ],
];

describe('bad manifests', () => {
  it.each(BAD)(
    '%s: 400 with every problem over HTTP, a status document in the bucket, and nothing changes',
    async (_name, key, text, says) => {
      const here = await local();
      const good = manifest([['a', 'b']]);
      await here.request('PUT', '/manifests/good.json', good);
      await here.request('PUT', `/manifests/${key}`, key.endsWith('json') ? good : `${good}\n`);
      await here.forgetCalls();
      const answer = await here.request('PUT', `/manifests/${key}`, text);
      expect(answer.status).toBe(400);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      const problem = (await answer.json()) as { errors: { path: string; message: string; line?: number }[] };
      const said = problem.errors.map((each) => `${each.path}: ${each.message}`).join('\n');
      expect(said).toMatch(says);
      if (key.endsWith('.yaml')) expect(problem.errors.some((each) => typeof each.line === 'number')).toBe(true);
      expect(await (await here.request('GET', `/manifests/${key}`)).text()).not.toBe(text);

      await here.drop(`manifests/${key}`, text);
      const status = await here.statusWhen(`manifests/${key}`, (each) => each.state === 'invalid');
      expect(status.problems).toEqual(problem.errors);
      expect(await here.writes('dataphin')).toEqual([]);
      expect(await here.dataphin()).toHaveLength(1);
    },
  );

  it('too large: 413 over HTTP naming the bucket, and a status document for a dropped file', async () => {
    const here = await local();
    const large = `version: 1\nlineage: []\n# ${'x'.repeat(2 * 1024 * 1024)}`;
    const answer = await here.request('PUT', '/manifests/large.yaml', large);
    expect(answer.status).toBe(413);
    expect(await answer.text()).toMatch(/write it as JSON|split it/);
    expect(
      (await here.request('PUT', '/manifests/huge.json', 'x'.repeat(7 * 1024 * 1024)).catch(() => ({ status: 413 })))
        .status,
    ).toBe(413);
    await here.drop('manifests/large.yaml', large);
    const status = await here.statusWhen('manifests/large.yaml', (each) => each.state === 'invalid');
    expect(JSON.stringify(status.problems)).toMatch(/bytes|MiB|large/);
  });

  it.each([
    '/manifests/../../x.yaml',
    '/manifests/%2e%2e/%2e%2e/x.yaml',
    '/manifests/a%00b.yaml',
    '/manifests/a%5c..%5cb.yaml',
    '/manifests/a//b.yaml',
    '/manifests/x.txt',
    '/manifests/%zz.yaml',
  ])('a path like %s is refused and writes nothing', async (path) => {
    const here = await local();
    const answer = await raw(here.runtime.url, 'PUT', path, manifest([['a', 'b']]));
    expect([400, 404]).toContain(answer.status);
    await sleep(300);
    expect(await here.dataphin()).toEqual([]);
  });

  it('a link that leads out of the bucket is not followed', async () => {
    const here = await local();
    await writeFile(join(here.dataDir, 'outside.json'), manifest([['a', 'b']]));
    await mkdir(join(here.runtime.bucket, 'manifests'), { recursive: true });
    await symlink(join(here.dataDir, 'outside.json'), join(here.runtime.bucket, 'manifests/link.json'));
    await sleep(1_000);
    await here.runtime.reconcile();
    expect(await here.dataphin()).toEqual([]);
  });
});

describe('the local host', () => {
  it('answers loopback names only, refuses pages of other sites, and knows its methods', async () => {
    const here = await local();
    const { url } = here.runtime;
    const body = manifest([['a', 'b']]);
    expect((await raw(url, 'GET', '/lineage', '', { host: 'evil.example' })).status).toBe(421);
    expect((await raw(url, 'PUT', '/manifests/a.json', body, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await raw(url, 'PUT', '/manifests/a.json', body, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await raw(url, 'PUT', '/manifests/a.json', body, { origin: 'null' })).status).toBe(403);
    expect(await here.dataphin()).toEqual([]);
    const wrong = await raw(url, 'PATCH', '/manifests/a.json', '');
    expect(wrong.status).toBe(405);
    expect((await raw(url, 'GET', '/nothing', '')).status).toBe(404);
    expect((await raw(url, 'GET', '/lineage?depth=x', '')).status).toBe(400);
    expect((await raw(url, 'GET', '/status/../secrets', '')).status).toBe(400);
    expect((await raw(url, 'PUT', '/manifests/a.json', body, { origin: url })).status).toBe(200);
    await until(async () => (await here.dataphin()).length === 1);
  });

  it('does not let two processes share a data folder', async () => {
    const here = await local();
    const { startRuntime } = await import('../../local/runtime.ts');
    const { readSettings } = await import('../../shared/settings.ts');
    await expect(startRuntime(readSettings({ PORT: '0', DATA_DIR: here.dataDir }))).rejects.toThrow(/in use by/);
  });
});

/** A request whose path and headers no client library tidies up. */
function raw(
  url: string,
  method: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const request = http.request(
      { hostname, port, method, path, headers: { 'content-length': Buffer.byteLength(body), ...headers } },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
        });
        response.on('end', () => done({ status: response.statusCode ?? 0, text }));
      },
    );
    request.on('error', fail);
    request.end(body);
  });
}
