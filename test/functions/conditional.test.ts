import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { entry as fetches } from '../../functions/fetch/http.ts';
import { entry as registers } from '../../functions/register/http.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import type { HttpEntry } from '../../shared/triggers/http.ts';
import { problemOf } from '../../shared/triggers/problem.ts';
import type { Services } from '../../shared/wiring.ts';
import { hardened } from '../hardening/machine.ts';
import { type Local, local, manifest } from './local.ts';

const PATH = '/manifests/team/a.json';
const ONE = manifest([['a', 'b']]);
const TWO = manifest([['a', 'c']]);

async function tagOf(at: Local): Promise<string> {
  return (await at.request('GET', PATH)).headers.get('etag') ?? '';
}

it('gives nobody again what he has', async () => {
  const at = await local();
  await at.request('PUT', PATH, ONE);
  const etag = await tagOf(at);
  expect(etag).toMatch(/^"[^"]+"$/);
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await at.request(method, PATH, undefined, { 'if-none-match': header });
      expect([header, answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([header, 304, etag, '']);
      expect([answer.headers.has('content-length'), answer.headers.has('content-type')]).toEqual([false, false]);
    }
  }
  const other = await at.request('GET', PATH, undefined, { 'if-none-match': '"other"' });
  expect([other.status, await other.text()]).toEqual([200, ONE]);
  expect((await at.request('GET', '/manifests/none.json', undefined, { 'if-none-match': '*' })).status).toBe(404);
});

it('stores over nothing but what the caller has seen', async () => {
  const at = await local();
  const put = async (body: string, headers: Record<string, string>) =>
    (await at.request('PUT', PATH, body, headers)).status;
  const stored = () => readFile(join(at.runtime.bucket, PATH.slice(1)), 'utf8').catch(() => undefined);
  expect(await put(ONE, { 'if-match': '"x"' })).toBe(412);
  expect(await put(ONE, { 'if-match': '*' })).toBe(412);
  expect(await stored()).toBeUndefined();
  expect(await put(ONE, { 'if-none-match': '*' })).toBe(200);
  expect(await put(TWO, { 'if-none-match': '*' })).toBe(412);
  const etag = await tagOf(at);
  expect(await put(TWO, { 'if-none-match': `W/${etag}` })).toBe(412);
  expect(await put(TWO, { 'if-match': `W/${etag}` })).toBe(412);
  expect(await stored()).toBe(ONE);
  // What is wrong with the manifest comes first.
  expect(await put('{', { 'if-match': '"x"' })).toBe(400);
  expect(await put(TWO, { 'if-match': `"x", ${etag}` })).toBe(200);
  expect(await put(ONE, { 'if-match': etag })).toBe(412);
  expect(await stored()).toBe(TWO);
  const refused = await at.request('PUT', PATH, ONE, { 'if-match': etag });
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(await refused.json()).toMatchObject({ status: 412, detail: expect.stringContaining('nothing was changed') });
  expect(await put(ONE, {})).toBe(200);
});

it('removes nothing but what the caller has seen', async () => {
  const at = await local();
  const remove = async (headers: Record<string, string>) =>
    (await at.request('DELETE', PATH, undefined, headers)).status;
  expect(await remove({ 'if-match': '"x"' })).toBe(404);
  await at.request('PUT', PATH, ONE);
  const old = await tagOf(at);
  await at.request('PUT', PATH, TWO);
  expect(await remove({ 'if-match': old })).toBe(412);
  expect(await at.dataphin()).toHaveLength(1);
  expect((await at.request('GET', PATH)).status).toBe(200);
  expect(await remove({ 'if-match': await tagOf(at) })).toBe(200);
  expect((await at.request('GET', PATH)).status).toBe(404);
});

/** Asks a function's route; the status of its answer, and its entity tag. */
async function asked(entry: HttpEntry, method: string, services: Services, headers: Record<string, string>, body = '') {
  const route = entry.routes.find((each) => each.method === method && each.path === '/manifests/{path+}');
  const request = {
    ...{ method, params: { path: 'team/a.json' }, query: new URLSearchParams(), headers, body: Buffer.from(body) },
    ...{ caller: TRUSTED, deadlineMs: Date.now() + 20_000 },
  };
  const answer = await route?.handle(request, services).catch(problemOf);
  return { status: answer?.status, etag: answer?.headers?.['etag'] ?? '' };
}

it('of many that have seen the same, one alone replaces it', async () => {
  const here = await hardened();
  const { manifests } = here;
  // Looking and storing take their time, and everybody's turn of the event loop comes in between.
  const pause = () => new Promise((done) => setTimeout(done, 2));
  const puts: string[] = [];
  const slow: Services = {
    ...here.services,
    deps: {
      ...here.services.deps,
      manifests: {
        ...manifests,
        head: async (key) => {
          const head = await manifests.head(key);
          await pause();
          return head;
        },
        put: async (key, bytes, type) => {
          await pause();
          if (key.startsWith('manifests/')) puts.push(Buffer.from(bytes).toString());
          return manifests.put(key, bytes, type);
        },
      },
    },
  };
  expect((await asked(registers, 'PUT', slow, {}, ONE)).status).toBe(200);
  const { etag } = await asked(fetches, 'GET', slow, {});
  puts.length = 0;
  const bodies = Array.from({ length: 8 }, (_, index) => manifest([['a', `t${index}`]]));
  const done = await Promise.all(bodies.map((body) => asked(registers, 'PUT', slow, { 'if-match': etag }, body)));
  expect(done.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 412)]);
  expect(puts).toHaveLength(1);
});
