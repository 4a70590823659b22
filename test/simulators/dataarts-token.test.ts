import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DataArtsSimulator, startDataArts } from '../../local/simulators/dataarts/index.ts';
import { at, http, lineageInfo, PROJECT, pluck, sandbox, WORKSPACE } from './callers.ts';

let clock: number;
let simulator: DataArtsSimulator;
beforeEach(async () => {
  clock = Date.parse('2026-01-02T03:04:05Z');
  simulator = await startDataArts({ now: () => clock });
});
afterEach(() => simulator.close());

interface Wish {
  readonly user?: object;
  readonly scope?: unknown;
  readonly methods?: string[];
}

function askToken({ user = {}, scope = { project: { id: PROJECT } }, methods = ['password'] }: Wish = {}, query = '') {
  const { iam_user: name, iam_password: password, domain_name: domain } = simulator.tokenSecret();
  const auth = {
    identity: { methods, password: { user: { name, password, domain: { name: domain }, ...user } } },
    ...(scope === null ? {} : { scope }),
  };
  return http(`${simulator.url}/v3/auth/tokens${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json;charset=utf8' },
    body: JSON.stringify({ auth }),
  });
}

const create = (token: string) =>
  http(`${simulator.url}/v1/${PROJECT}/lineage/lineage-info`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', workspace: WORKSPACE, 'x-auth-token': token },
    body: JSON.stringify(lineageInfo()),
  });

test('a token comes in the header, with its end in the body, and opens the API without X-Project-Id', async () => {
  const reply = await askToken({}, '?nocatalog=true');
  const token = reply.headers.get('x-subject-token') ?? '';
  expect(reply.status).toBe(201);
  expect(token.length).toBeGreaterThan(32);
  expect(JSON.stringify(reply.body)).not.toContain(token);
  expect(at(reply.body, 'token', 'expires_at')).toBe('2026-01-03T03:04:05.000000Z');
  expect((await create(token)).status).toBe(200);
});

test('the project may be given by its name, the region', async () => {
  const reply = await askToken({ scope: { project: { name: 'cn-north-4' } } });
  expect((await create(reply.headers.get('x-subject-token') ?? '')).status).toBe(200);
});

test('after 24 hours, or earlier when the mode says so, the token must be renewed', async () => {
  const token = (await askToken()).headers.get('x-subject-token') ?? '';
  clock += 86_400_000 - 1;
  expect((await create(token)).status).toBe(200);
  clock += 1;
  const late = await create(token);
  expect([late.status, late.body.error_code]).toEqual([401, 'APIGW.0307']);
  const fresh = (await askToken()).headers.get('x-subject-token') ?? '';
  await sandbox(simulator.url, 'PUT', 'modes', { tokenLifetime: 0 });
  expect((await create(fresh)).body.error_code).toBe('APIGW.0307');
});

test('a token nobody handed out, and one without a project, are refused', async () => {
  const wrong = await create('MIIinvented');
  expect([wrong.status, wrong.body.error_code]).toEqual([401, 'APIGW.0301']);
  const unscoped = (await askToken({ scope: null })).headers.get('x-subject-token') ?? '';
  expect((await create(unscoped)).body.error_code).toBe('APIGW.0306');
});

test.each<[string, Wish, number]>([
  ['wrong password', { user: { password: 'wrong' } }, 401],
  ['wrong user', { user: { name: 'wrong' } }, 401],
  ['wrong account', { user: { domain: { name: 'wrong' } } }, 401],
  ['wrong project', { scope: { project: { id: 'wrong' } } }, 401],
  ['another method', { methods: ['token'] }, 400],
  ['no domain', { user: { domain: undefined } }, 400],
  ['unknown field', { user: { id: 'x' } }, 400],
])('no token: %s', async (_, wish, status) => {
  const reply = await askToken(wish);
  expect(reply.status).toBe(status);
  expect(reply.body.error).toEqual({ code: status, message: expect.any(String), title: expect.any(String) });
  expect(reply.headers.get('x-subject-token')).toBeNull();
});

test('faults hit the token endpoint only by name, and the call log holds no password', async () => {
  await sandbox(simulator.url, 'POST', 'faults', { kind: 'unavailable', times: 1 });
  expect((await askToken()).status).toBe(201);
  await sandbox(simulator.url, 'POST', 'faults', {
    kind: 'unavailable',
    operation: 'KeystoneCreateUserTokenByPassword',
    times: 1,
  });
  expect((await askToken()).status).toBe(503);
  const calls = (await sandbox(simulator.url, 'GET', 'calls')).body;
  expect(JSON.stringify(calls)).not.toContain(simulator.tokenSecret()['iam_password']);
  expect(pluck(calls, 'outcome')).toEqual(['ok', 'unavailable']);
});
