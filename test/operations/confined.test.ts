import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { local } from '../functions/local.ts';
import { folder } from './script.ts';

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const ALL = ['register', 'delete', 'fetch', 'reconcile'];

const manifestOf = (namespace: string) =>
  JSON.stringify({
    version: 1,
    targets: ['dataphin'],
    job: { namespace, name: 'load' },
    datasets: {
      a: { namespace, name: 'a', dataphin: { guid: `odps.1.p.${namespace}.a` } },
      b: { namespace, name: 'b', dataphin: { guid: `odps.1.p.${namespace}` } },
    },
    lineage: [{ from: 'a', to: 'b' }],
  });

async function confined() {
  const dataDir = await folder();
  await mkdir(join(dataDir, 'secrets/lineage'), { recursive: true });
  const clients = [
    { name: 'all', scopes: ALL, key_sha256: sha256('all') },
    { name: 'sales', scopes: ALL, key_sha256: sha256('sales'), namespaces: ['sales-*'] },
    { name: 'ours', scopes: ALL, key_sha256: sha256('ours'), owners: ['manifests/ours/*'] },
  ];
  await writeFile(join(dataDir, 'secrets/lineage/clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
  const one = await local({ AUTH: 'required' }, dataDir);
  const ask = async (key: string, method: string, path: string, body?: string) =>
    (await one.request(method, path, body, { authorization: `Bearer ${key}` })).status;
  return { one, ask };
}

it('a client of some namespaces speaks of no other, and touches no manifest that does', async () => {
  const { ask } = await confined();
  expect(await ask('all', 'PUT', '/manifests/fin.json', manifestOf('finance'))).toBe(200);
  expect(await ask('sales', 'PUT', '/manifests/s.json', manifestOf('sales-eu'))).toBe(200);
  expect(await ask('sales', 'PUT', '/manifests/x.json', manifestOf('finance'))).toBe(403);
  expect(await ask('sales', 'POST', '/lineage', manifestOf('finance'))).toBe(403);
  expect(await ask('sales', 'PUT', '/manifests/fin.json', manifestOf('sales-eu'))).toBe(403);
  expect(await ask('sales', 'DELETE', '/manifests/fin.json')).toBe(403);
  expect(await ask('sales', 'POST', '/reconcile', '{}')).toBe(403);
  const adopting = (key: string, namespace: string) =>
    JSON.stringify({ adopt: true, manifests: { [key]: manifestOf(namespace) } });
  for (const body of [
    '{"owners":["manifests/fin.json"]}',
    '{"adopt":true,"owners":["manifests/fin.json"]}',
    adopting('manifests/fin.json', 'sales-eu'),
    adopting('manifests/y.json', 'finance'),
  ])
    expect([body, await ask('sales', 'POST', '/reconcile', body)]).toEqual([body, 403]);
  expect(await ask('sales', 'POST', '/reconcile', '{"owners":["manifests/s.json"]}')).toBe(200);
  expect(await ask('sales', 'DELETE', '/manifests/s.json')).toBe(200);
  expect(await ask('all', 'GET', '/manifests/fin.json')).toBe(200);
  expect(await ask('all', 'GET', '/manifests/x.json')).toBe(404);
  expect(await ask('all', 'GET', '/manifests/y.json')).toBe(404);
});

it('a client of some owners reads, writes and reconciles these alone', async () => {
  const { one, ask } = await confined();
  expect(await ask('all', 'PUT', '/manifests/theirs/a.json', manifestOf('x'))).toBe(200);
  expect(await ask('ours', 'PUT', '/manifests/ours/a.json', manifestOf('y'))).toBe(200);
  for (const [method, path, body] of [
    ['PUT', '/manifests/theirs/a.json', manifestOf('y')],
    ['DELETE', '/manifests/theirs/a.json', undefined],
    ['GET', '/manifests/theirs/a.json', undefined],
    ['GET', '/status/manifests/theirs/a.json', undefined],
    ['POST', '/lineage', manifestOf('y')],
    ['POST', '/reconcile', '{}'],
    ['POST', '/reconcile', '{"owners":["manifests/theirs/a.json"]}'],
  ] as const)
    expect([method, path, await ask('ours', method, path, body)]).toEqual([method, path, 403]);
  expect(await ask('ours', 'POST', '/reconcile', '{"owners":["manifests/ours/a.json"]}')).toBe(200);
  const listed = await one.request('GET', '/manifests', undefined, { authorization: 'Bearer ours' });
  expect(((await listed.json()) as { manifests: { key: string }[] }).manifests.map(({ key }) => key)).toEqual([
    'manifests/ours/a.json',
  ]);
});

it('what never reaches a function carries the security headers too', async () => {
  const one = await local();
  const { port } = new URL(one.runtime.url);
  const raw = async (request: string) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(request);
    return text(socket);
  };
  for (const [request, status] of [
    ['GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 421],
    [
      `POST /lineage HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n`,
      403,
    ],
    [
      `POST /lineage HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n`,
      403,
    ],
    [`PATCH /lineage HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`, 405],
    [`PUT /manifests/a.json HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 99999999\r\n\r\n`, 413],
    ['nonsense\r\n\r\n', 400],
  ] as const) {
    const answer = await raw(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.toLowerCase()).toContain('x-content-type-options: nosniff');
  }
});

it('a body that does not say how large it is ends at the limit', async () => {
  const one = await local();
  const socket = connect(Number(new URL(one.runtime.url).port), '127.0.0.1');
  const limit = 6 * 1024 * 1024;
  const head = `PUT /manifests/a.json HTTP/1.1\r\nHost: ${new URL(one.runtime.url).host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  socket.write(`${head}${(limit + 1).toString(16)}\r\n${' '.repeat(limit + 1)}`);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(answer.toLowerCase()).toContain('x-content-type-options: nosniff');
});

it('a page of a named origin may call, one of another may not', async () => {
  const friend = 'https://portal.example.com';
  const one = await local({ CORS_ORIGINS: friend });
  const ask = (origin: string) =>
    fetch(`${one.runtime.url}/lineage`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    });
  const asked = await ask(friend);
  expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, friend]);
  expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
});
