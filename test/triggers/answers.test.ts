import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../../shared/core/failure.ts';
import { comeAgain, problem, problemOf } from '../../shared/triggers/problem.ts';
import { namesTag } from '../../shared/triggers/url-payload.ts';
import { local } from '../functions/local.ts';

const listed = ({ body }: { readonly body?: string | Uint8Array }) =>
  (JSON.parse(String(body)) as { errors?: unknown }).errors;

test('a problem document always has a list of errors', () => {
  const kinds: FailureKind[] = ['invalid', 'denied', 'missing', 'conflict', 'unsupported', 'rejected', 'unavailable'];
  const answers = [
    problem(400, 'no'),
    comeAgain('later'),
    problemOf(new Error('ours')),
    ...kinds.map((kind) => problemOf(new Failure(kind, 'no'))),
  ];
  expect(answers.map(listed)).toEqual(answers.map(() => []));
  const errors = [{ path: 'a', message: 'b', line: 3 }];
  expect(listed(problem(400, 'no', errors))).toEqual(errors);
});

test('so do the answers of a service, whichever part of it gives them', async () => {
  const at = await local({ AUTH: 'required' });
  const open = await local();
  const told = async (answer: Promise<Response>) => {
    const { status, headers } = await answer;
    const body = (await (await answer).json()) as { status: number; errors: unknown };
    return [status, headers.get('content-type'), body.status, Array.isArray(body.errors)];
  };
  const expected: readonly (readonly [number, Promise<Response>])[] = [
    [401, at.request('GET', '/manifests')],
    [403, open.request('PUT', '/manifests/a.json', '{}', { origin: 'https://elsewhere.example' })],
    [404, open.request('GET', '/nowhere')],
    [404, open.request('GET', '/manifests/a.json')],
    [405, open.request('PATCH', '/manifests/a.json', '{}')],
    [400, open.request('GET', '/status/nothing')],
    [406, open.request('GET', '/lineage', undefined, { accept: 'application/pdf' })],
    [409, open.request('POST', '/reconcile', '{"plan":"x"}')],
    [412, open.request('PUT', '/manifests/a.json', '{"version":1,"lineage":[]}', { 'if-match': '"x"' })],
    [413, open.request('PUT', '/manifests/a.json', 'x'.repeat(6 * 1024 * 1024 + 1))],
    [415, open.request('POST', '/api/v1/lineage', '{}', { 'content-encoding': 'br' })],
    [413, open.request('POST', '/api/v1/lineage', gzipSync(Buffer.alloc(40 * 1024 * 1024)))],
  ];
  for (const [status, answer] of expected)
    expect(await told(answer)).toEqual([status, 'application/problem+json', status, true]);
});

test.each([
  ['"a"', true, true],
  ['W/"a"', true, false],
  ['"b", W/"a" , "c"', true, false],
  ['"b","a"', true, true],
  ['"a,b"', false, false],
  ['*', true, true],
  ['a', false, false],
  ['', false, false],
  ['"A"', false, false],
])('%s names the tag a: %s in weak comparison, %s in strong', (list, weak, strong) => {
  expect([namesTag(list, 'a', 'weak'), namesTag(list, 'a', 'strong')]).toEqual([weak, strong]);
  expect([namesTag(list, undefined, 'weak'), namesTag(list, undefined, 'strong')]).toEqual([false, false]);
});

const DECLARED = 'version: 1\njob: { namespace: n, name: j }\ntargets: [dataphin]\nlineage: []\n';

test.each(['Application/YAML', 'TEXT/X-YAML; charset=utf-8'])('%s is YAML, wherever manifests come', async (type) => {
  const at = await local();
  const sent = (method: string, path: string) => at.request(method, path, DECLARED, { 'content-type': type });
  expect((await sent('POST', '/lineage')).status).toBe(200);
  expect((await sent('POST', '/lineage/withdraw')).status).toBe(200);
  expect((await sent('POST', '/webhooks/manifest')).status).toBe(202);
  expect((await at.request('POST', '/lineage', DECLARED)).status).toBe(400);
});
