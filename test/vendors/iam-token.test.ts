import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DataArtsSimulator, startDataArts } from '../../local/simulators/dataarts/index.ts';
import { asFailure, type FailureKind } from '../../shared/core/failure.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import { sandbox } from '../simulators/callers.ts';
import { dataartsCall, loopback, type Scripted, surroundings } from './loopback.ts';

const SIGN_IN = 'KeystoneCreateUserTokenByPassword';
const CREATE = 'CreateLineageInfo';
const PASSWORD = 'simulatedPassword';

describe('tokens of the simulator', () => {
  let simulator: DataArtsSimulator;
  let client: Required<Pick<VendorClient, 'register'>>;
  let clock: ReturnType<typeof surroundings>['clock'];
  let close: () => Promise<void>;
  beforeEach(async () => {
    const around = surroundings(2_000);
    ({ clock, close } = around);
    simulator = await startDataArts({ now: clock.now });
    client = connectWith();
    function connectWith() {
      return dataarts.connect(simulator.tokenSecret(), { ...around.io, permit: async () => {} }) as typeof client;
    }
  });
  afterEach(async () => {
    await simulator.close();
    await close();
  });
  const register = () => client.register(dataartsCall, { deadlineMs: clock.now() + 60_000 });
  const lifetime = (seconds: number) => sandbox(simulator.url, 'PUT', 'modes', { tokenLifetime: seconds });
  const calls = async () =>
    ((await sandbox(simulator.url, 'GET', 'calls')).body as unknown as { operation: string; outcome: string }[]).map(
      ({ operation, outcome }) => [operation, outcome],
    );
  const signIns = async () => (await calls()).filter(([operation]) => operation === SIGN_IN).length;

  it('signs in once for many calls, however many come at the same time', async () => {
    await Promise.all(Array.from({ length: 12 }, register));
    expect((await register()).ambiguous).toBe(false);
    expect(await signIns()).toBe(1);
    expect((await calls()).filter(([operation, outcome]) => operation === CREATE && outcome === 'ok')).toHaveLength(13);
  });
  it('sends nothing that it could not wait for any more once it has signed in', async () => {
    const { now } = clock;
    const around = surroundings(2_000);
    const slow = {
      ...around.io,
      now,
      permit: async () => {},
      transport: {
        send: async (request: Parameters<typeof around.io.transport.send>[0]) => {
          const answer = await around.io.transport.send({ ...request, deadlineMs: Date.now() + 5_000 });
          if (request.url.includes('auth/tokens')) clock.advance(4_700);
          return answer;
        },
      },
    };
    const late = dataarts.connect(simulator.tokenSecret(), slow) as typeof client;
    await expect(late.register(dataartsCall, { deadlineMs: now() + 5_000 })).rejects.toMatchObject({
      kind: 'unavailable',
      maybeApplied: false,
    });
    expect((await calls()).map(([operation]) => operation)).not.toContain(CREATE);
    await around.close();
  });
  it('renews ten minutes before the end', async () => {
    await register();
    clock.advance(86_400_000 - 700_000);
    await register();
    expect(await signIns()).toBe(1);
    clock.advance(150_000);
    await register();
    expect(await signIns()).toBe(2);
    expect((await calls()).map(([, outcome]) => outcome)).not.toContain('APIGW.0307');
  });
  it('keeps a token that still works when renewing fails', async () => {
    await register();
    clock.advance(86_400_000 - 300_000);
    await sandbox(simulator.url, 'POST', 'faults', { kind: 'unavailable', operation: SIGN_IN, times: 1 });
    expect((await register()).receipt).not.toBe('');
    await register();
    expect(await signIns()).toBe(3);
  });
  it('gets over tokens that expire mid-run, earlier than they said', async () => {
    await register();
    await lifetime(60);
    clock.advance(61_000);
    const { receipt, ambiguous } = await register();
    expect([receipt === '', ambiguous]).toEqual([false, false]);
    expect(await calls()).toEqual([
      [SIGN_IN, 'ok'],
      [CREATE, 'ok'],
      [CREATE, 'APIGW.0307'],
      [SIGN_IN, 'ok'],
      [CREATE, 'ok'],
    ]);
  });
  it('renews once when many calls find their token expired', async () => {
    await register();
    await lifetime(60);
    clock.advance(61_000);
    await Promise.all(Array.from({ length: 8 }, register));
    expect(await signIns()).toBe(2);
    expect((await sandbox(simulator.url, 'GET', 'lineage')).body).toHaveLength(9);
  });
  it('renews often where tokens live shortly, without being refused', async () => {
    await lifetime(60);
    for (let turn = 0; turn < 6; turn += 1) {
      await register();
      clock.advance(30_000);
    }
    expect(await signIns()).toBe(3);
    expect((await calls()).map(([, outcome]) => outcome)).not.toContain('APIGW.0307');
  });
  it('renews a token that the gateway does not know any more (0301), once', async () => {
    await register();
    const url = new URL(simulator.url);
    const credentials = simulator.tokenSecret();
    await simulator.close();
    simulator = await startDataArts({ now: clock.now, port: Number(url.port) });
    expect(credentials['endpoint']).toBe(simulator.url);
    await register();
    expect((await calls()).map(([operation, outcome]) => `${operation} ${outcome}`)).toEqual([
      `${CREATE} APIGW.0301`,
      `${SIGN_IN} ok`,
      `${CREATE} ok`,
    ]);
  });
  it('gives up when new tokens are refused too, and does not sign in for every call', async () => {
    await lifetime(0);
    const failing = register();
    await expect(failing).rejects.toMatchObject({ kind: 'denied', code: 'APIGW.0307', maybeApplied: false });
    await expect(failing).rejects.toThrow(/not even a new one.*"iam_endpoint", "region" and "project_id"/);
    await expect(register()).rejects.toMatchObject({ kind: 'denied' });
    expect(await signIns()).toBe(2);
    clock.advance(61_000);
    await lifetime(86_400);
    expect((await register()).receipt).not.toBe('');
  });
  it('names the role of the IAM user, not of a key', async () => {
    await sandbox(simulator.url, 'PUT', 'modes', { permission: false });
    await expect(register()).rejects.toThrow(/"iam_user".*DAYU/);
  });
  it.each([
    [{ iam_password: 'wrong-Passw0rd' }],
    [{ iam_user: 'nobody' }],
    [{ domain_name: 'nobody' }],
    [{ project_id: 'not-mine' }],
  ])('says what to check with %j, shows no password, and does not try again for a minute', async (change) => {
    const { io } = surroundings(2_000);
    const wrong = dataarts.connect({ ...simulator.tokenSecret(), ...change }, { ...io, now: clock.now });
    const options = { deadlineMs: clock.now() + 60_000 };
    for (let turn = 0; turn < 3; turn += 1) {
      const failing = wrong.register?.(dataartsCall, options);
      await expect(failing).rejects.toMatchObject({ kind: 'denied', status: 401, maybeApplied: false });
      await expect(failing).rejects.toThrow(/"iam_user", "iam_password" and "domain_name".*"project_id"/);
      await expect(failing).rejects.not.toThrow(/Passw0rd|simulatedPassword/);
    }
    expect(await signIns()).toBe(1);
    clock.advance(61_000);
    await expect(wrong.register?.(dataartsCall, { deadlineMs: clock.now() + 60_000 })).rejects.toThrow();
    expect(await signIns()).toBe(2);
  });
  it.each(['throttle', 'unavailable', 'internal', 'reset', 'hang', 'bad-json'])(
    'gets over %s of IAM without a doubt about the node',
    async (kind) => {
      await sandbox(simulator.url, 'POST', 'faults', { kind, operation: SIGN_IN, times: 1 });
      expect((await register()).ambiguous).toBe(false);
      expect((await sandbox(simulator.url, 'GET', 'lineage')).body).toHaveLength(1);
    },
  );
});

describe('answers of IAM', () => {
  let server: Awaited<ReturnType<typeof loopback>>;
  beforeAll(async () => {
    server = await loopback();
  });
  afterAll(() => server.close());

  const secret = () => ({
    endpoint: server.url,
    iam_endpoint: `${server.url}/iam`,
    project_id: 'p',
    workspace_id: 'w',
    iam_user: 'u',
    iam_password: PASSWORD,
    domain_name: 'd',
  });
  const keystone = (status: number): Scripted => ({
    status,
    body: { error: { code: status, message: `no ${PASSWORD}`, title: 't' } },
  });
  const connected = () => {
    const around = surroundings();
    const client = dataarts.connect(secret(), around.io);
    return { ...around, register: () => client.register?.(dataartsCall, around.options) };
  };

  it.each<[string, Scripted, FailureKind, boolean, RegExp]>([
    ['400', keystone(400), 'denied', false, /"domain_name"/],
    ['401', keystone(401), 'denied', false, /"iam_password"/],
    ['403', keystone(403), 'denied', false, /programmatic access/],
    ['404', keystone(404), 'missing', false, /"iam_endpoint" or "region"/],
    ['302', { status: 302, headers: { location: '/' } }, 'missing', false, /"iam_endpoint"/],
    ['429', keystone(429), 'throttled', true, /sign-ins/],
    ['500', keystone(500), 'unavailable', true, /tried again/],
    ['503 as HTML', { status: 503, body: '<html>' }, 'unavailable', true, /tried again/],
    ['201 without a token', { status: 201, body: {} }, 'unavailable', true, /holds no token/],
    ['200 with a token', { status: 200, headers: { 'x-subject-token': 'T' } }, 'unavailable', true, /no token/],
    ['a reset', { reset: true }, 'unavailable', true, /"iam_endpoint"/],
    ['a hang', { hang: true }, 'unavailable', true, /"iam_endpoint"/],
  ])('%s', async (_what, answer, kind, again, names) => {
    server.answers(answer);
    const { register, close } = connected();
    const failure = asFailure(await register()?.catch((thrown: unknown) => thrown));
    await close();
    expect(failure).toMatchObject({ kind, maybeApplied: false });
    expect(failure.message).toMatch(names);
    expect(failure.message).not.toContain(PASSWORD);
    expect(server.seen).toHaveLength(again ? 3 : 1);
  });

  it('asks for the project’s scope and no catalog, and sends the token instead of a signature', async () => {
    const token = { issued_at: '2020-01-01T00:00:00.000000Z', expires_at: '2020-01-02T00:00:00.000000Z' };
    server.answers(
      { status: 201, headers: { 'x-subject-token': 'TOKEN-1' }, body: { token } },
      { body: [{ qualified_name: 'q' }] },
    );
    const { register, close } = connected();
    expect(await register()).toEqual({ receipt: 'q', ambiguous: false });
    // IAM's clock is years behind ours: only the distance of its two dates counts.
    await register();
    await close();
    const [first, second, third] = server.seen;
    expect(server.seen).toHaveLength(3);
    expect(first).toMatchObject({
      method: 'POST',
      target: '/iam/v3/auth/tokens?nocatalog=true',
      headers: { 'content-type': 'application/json;charset=utf8' },
    });
    expect(JSON.parse(String(first?.body))).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', password: PASSWORD, domain: { name: 'd' } } },
        },
        scope: { project: { id: 'p' } },
      },
    });
    expect(second?.headers).toMatchObject({ 'x-auth-token': 'TOKEN-1', 'x-project-id': 'p' });
    expect(second?.headers['authorization']).toBeUndefined();
    expect(third?.headers['x-auth-token']).toBe('TOKEN-1');
  });

  it('quotes no token', async () => {
    server.answers(
      { status: 201, headers: { 'x-subject-token': 'TOKEN-1' } },
      { status: 403, body: { error_code: 'APIGW.0302', error_msg: 'TOKEN-1 may not' } },
    );
    const { register, close } = connected();
    const failure = asFailure(await register()?.catch((thrown: unknown) => thrown));
    await close();
    expect(failure.message).toContain('"[redacted] may not"');
  });

  it.each([
    ['a call that may have arrived is not sent again', { status: 500, body: {} }, 'unknown-outcome', 2],
    ['other 401 codes make no new token', { status: 401, body: { error_code: 'APIGW.0305' } }, 'denied', 2],
    ['a second 0307 in a row', { status: 401, body: { error_code: 'APIGW.0307' } }, 'denied', 4],
  ] as const)('%s', async (_what, answer, kind, requests) => {
    const signedIn = { status: 201, headers: { 'x-subject-token': 'TOKEN-1' } };
    server.answers(signedIn, answer, ...(requests === 4 ? [signedIn, answer] : []));
    const { register, close } = connected();
    await expect(register()).rejects.toMatchObject({ kind });
    await close();
    expect(server.seen).toHaveLength(requests);
  });
});
