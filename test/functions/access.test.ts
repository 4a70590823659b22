import { createHash } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { entries } from '../../local/entries.ts';
import { invocation } from '../../local/invocation.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLog } from '../../shared/log.ts';
import { cachedSecrets } from '../../shared/secrets/cached.ts';
import { readSettings } from '../../shared/settings.ts';
import { admit, mayName, mayOwn } from '../../shared/triggers/access.ts';
import { rememberedSources, slowDown } from '../../shared/triggers/attempts.ts';
import { SCOPES, type Scope } from '../../shared/triggers/clients.ts';
import { functionUrl, type HttpEntry } from '../../shared/triggers/http.ts';
import { admitSigned } from '../../shared/triggers/webhook-signature.ts';
import type { Services } from '../../shared/wiring.ts';

const AWS = { TABLE: 'table', BUCKET: 'bucket', QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/q' };

function services(environment: Readonly<Record<string, string>>, clients: JsonObject | Error | undefined) {
  const touched: string[] = [];
  const secrets = {
    get: async () => {
      touched.push('secrets');
      if (clients instanceof Error) throw clients;
      return clients;
    },
    list: async () => [],
  };
  const deps = new Proxy(
    { now: () => 0 },
    {
      get(target, name) {
        if (name === 'now') return target.now;
        // Counting what was asked is no work.
        if (name === 'metrics') return undefined;
        touched.push(String(name));
        return undefined;
      },
    },
  );
  const all = { settings: readSettings(environment), secrets, log: memoryLog(), deps };
  return { ...(all as unknown as Services), touched };
}

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const airflow = {
  name: 'airflow',
  scopes: ['ingest'],
  key_sha256: sha256('k').toUpperCase(),
  namespaces: ['airflow-*'],
  access_key_id: 'other',
};
const secret = { clients: [airflow] };
const status = (result: Awaited<ReturnType<typeof admit>>) =>
  'refused' in result ? result.refused.status : result.caller.name;

it('always wants a key where AWS lets everybody in, and never where AWS has asked already', async () => {
  expect(status(await admit(undefined, 'ingest', 'public', services(AWS, secret)))).toBe(401);
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, secret)))).toBe('airflow');
  expect(
    status(await admit('AWS4-HMAC-SHA256 …', 'register', 'iam', services({ ...AWS, AUTH: 'required' }, undefined))),
  ).toBe('trusted');
  expect(status(await admit(undefined, 'ingest', 'public', services({}, undefined)))).toBe('trusted');
  expect(status(await admit(undefined, 'fetch', 'iam', services({ AUTH: 'required' }, secret)))).toBe(401);
});

it('opens nothing without clients, without a scope, or with a key that has none', async () => {
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, undefined)))).toBe(401);
  expect(status(await admit('Bearer k', undefined, 'public', services(AWS, secret)))).toBe(403);
  expect(status(await admit('Bearer k', 'delete', 'public', services(AWS, secret)))).toBe(403);
  const keyless = { clients: [{ name: 'signer', scopes: ['ingest'] }] };
  expect(status(await admit('Bearer k', 'ingest', 'public', services(AWS, keyless)))).toBe(401);
  const zeros = createHash('sha256').update('').digest('hex');
  expect(zeros).not.toBe('0'.repeat(64));
  await expect(admit('Bearer k', 'ingest', 'public', services(AWS, new Error('no right')))).rejects.toMatchObject({
    kind: 'unavailable',
  });
});

it('takes two keys of one client while it changes them, and a new one as soon as it is in the secret', async () => {
  const two = { clients: [airflow, { ...airflow, key_sha256: sha256('new') }] };
  for (const key of ['k', 'new'])
    expect(status(await admit(`Bearer ${key}`, 'ingest', 'public', services(AWS, two)))).toBe('airflow');
  const stale = services(AWS, secret);
  const fresh = { ...stale, secrets: { ...stale.secrets, refresh: async () => two as JsonObject } };
  expect(status(await admit('Bearer new', 'ingest', 'public', fresh))).toBe('airflow');
  expect(status(await admit('Bearer other', 'ingest', 'public', fresh))).toBe(401);
});

it('reads the secret again for a signature that nothing fits, and no more often than it may', async () => {
  const [old, fresh, foreign] = [1, 2, 3].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [
    string,
    string,
    string,
  ];
  const kestra = { name: 'kestra', scopes: ['register'] };
  const state = { nowMs: 0, reads: 0, webhook_secrets: [old] };
  const inner = {
    get: async () => {
      state.reads += 1;
      return { clients: [{ ...kestra, webhook_secrets: state.webhook_secrets }] } as JsonObject;
    },
    list: async () => [],
  };
  const options = { ttlMs: 60_000, refreshEveryMs: 5_000, now: () => state.nowMs };
  const of = { ...services(AWS, undefined), secrets: cachedSecrets(inner, options) };
  const sent = async (key: string) => {
    const at = new Date(of.deps.now());
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(key).sign('msg_1', at, '{}'),
    };
    const signed = await admitSigned({ headers, body: Buffer.from('{}'), address: '192.0.2.7' }, 'register', of);
    return 'refused' in signed ? signed.refused.status : signed.caller.name;
  };
  expect([await sent(old), state.reads]).toEqual(['kestra', 1]);
  state.webhook_secrets = [old, fresh];
  // Read just now.
  expect([await sent(fresh), state.reads]).toEqual([401, 1]);
  state.nowMs += 5_000;
  expect([await sent(fresh), state.reads]).toEqual(['kestra', 2]);
  expect([await sent(old), state.reads]).toEqual(['kestra', 2]);
  state.nowMs += 5_000;
  expect(await Promise.all(Array.from({ length: 5 }, () => sent(foreign)))).toEqual([401, 401, 401, 401, 401]);
  expect(state.reads).toBe(3);
});

describe('failed attempts', () => {
  const failures = (of: Services) =>
    (of.log as ReturnType<typeof memoryLog>).lines
      .filter(({ message }) => message.startsWith('access refused'))
      .map(({ fields }) => fields['failures']);

  it('are counted, and take a little longer each time', async () => {
    const one = services(AWS, secret);
    const pauses = vi.spyOn(globalThis, 'setTimeout');
    for (let n = 0; n < 3; n += 1) await admit('Bearer guess', 'ingest', 'public', one);
    const took = pauses.mock.calls.map(([, ms = 0]) => ms);
    pauses.mockRestore();
    expect(took).toHaveLength(3);
    expect(took[1]).toBeGreaterThan(took[0] ?? 0);
    expect(took[2]).toBeGreaterThan(took[1] ?? 0);
    expect(failures(one)).toEqual([1, 2, 3]);
  });

  it('count per address (a /64 of IPv6) and per what was tried, and never for a good key', async () => {
    const one = services(AWS, secret);
    await slowDown(one, { address: '192.0.2.1', tried: 'a' });
    await slowDown(one, { address: '192.0.2.1', tried: 'b' });
    await slowDown(one, { address: '192.0.2.9', tried: 'b' });
    await slowDown(one, { address: '192.0.2.10', tried: 'c' });
    await slowDown(one, { address: '2001:db8:1:2::1', tried: 'd' });
    await slowDown(one, { address: '2001:db8:1:2:9::f', tried: 'e' });
    expect(failures(one)).toEqual([1, 2, 2, 1, 1, 2]);
    await admit('Bearer k', 'ingest', 'public', one, '192.0.2.1');
    expect(failures(one)).toHaveLength(6);
  });

  it('take bounded memory and bounded waiting, however many come', async () => {
    const one = services(AWS, secret);
    await Promise.all(
      Array.from({ length: 3_000 }, (_, n) => slowDown(one, { address: `10.0.${n >> 8}.${n & 255}`, tried: `k${n}` })),
    );
    expect(rememberedSources(one)).toBeLessThanOrEqual(1_000);
  });
});

it('confines by globs', () => {
  const caller = { name: 'x', owners: ['manifests/a/*'], namespaces: ['airflow-*'] };
  expect([mayOwn(caller, 'manifests/a/b.yaml'), mayOwn(caller, 'manifests/b.yaml')]).toEqual([true, false]);
  expect([mayName(caller, 'airflow-prod'), mayName(caller, 'spark')]).toEqual([true, false]);
  expect(mayOwn({ name: 'free' }, 'anything')).toBe(true);
});

/** What a key has to allow at each function; `signed` routes look for themselves, some with a scope of their own. */
const NEEDED: Readonly<Record<string, Scope | 'signed'>> = {
  'register-http': 'register',
  'register-webhook': 'ingest',
  'delete-http': 'delete',
  'fetch-http': 'fetch',
  'fetch-web': 'fetch',
  'reconcile-http': 'reconcile',
  'vendor-wire': 'signed',
};
/** Routes that verify a signature or a link first, and which scope the signer or the holder of a key needs. */
const SIGNED: Readonly<Record<string, Scope | 'vendor'>> = {
  'POST /webhooks/manifest': 'register',
  'GET /': 'fetch',
  'GET /lineage': 'fetch',
};

const http = Object.entries(entries).filter((each): each is [string, HttpEntry] => each[1].kind === 'http');
const routes = http.flatMap(([name, entry]) => entry.routes.map((route) => ({ name, entry, route })));
const rows = routes.flatMap(({ name, entry, route }) =>
  SCOPES.map((scope) => ({ title: `${name} ${route.method} ${route.path}`, name, entry, route, scope })),
);

function event(method: string, path: string, authorization?: string): APIGatewayProxyEventV2 {
  return {
    version: '2.0',
    rawPath: path.replace(/\{\w+\+?\}/g, 'orders.yaml'),
    rawQueryString: '',
    headers: authorization === undefined ? {} : { authorization },
    requestContext: { http: { method, sourceIp: '192.0.2.1' } },
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2;
}

/** Sends to the entry with its handlers replaced: whether they would have been reached, and the answer. */
async function reaches(
  entry: HttpEntry,
  sent: APIGatewayProxyEventV2,
  of: Services,
): Promise<{ reached: boolean; status: number; headers: Record<string, unknown> }> {
  let reached = false;
  const spied = entry.routes.map((route) => ({
    ...route,
    handle: async () => {
      reached = true;
      return { status: 200 };
    },
  }));
  const answer = await functionUrl(spied, entry.options).open(of)(sent, invocation('test', 60_000, 'r'));
  return { reached, status: answer.statusCode ?? 0, headers: answer.headers ?? {} };
}

const keyOf = (scopes: readonly string[]) => ({ clients: [{ name: 'one', scopes, key_sha256: sha256('k') }] });

describe('scopes', () => {
  it('are asked for at every route, the one of its function', () => {
    const wrong = routes.filter(({ name, route }) => {
      if (route.scope === 'signed') return NEEDED[name] !== 'signed' && !(`${route.method} ${route.path}` in SIGNED);
      return route.scope === undefined || route.scope !== NEEDED[name];
    });
    expect(wrong.map(({ name, route }) => `${name} ${route.method} ${route.path}`)).toEqual([]);
  });

  it.each(rows.filter(({ route }) => route.scope !== 'signed'))(
    '$title opens with $scope only if that is its own',
    async ({ entry, route, scope }) => {
      const right = scope === route.scope;
      const environment = { AUTH: 'required' };
      const one = await reaches(
        entry,
        event(route.method, route.path, 'Bearer k'),
        services(environment, keyOf([scope])),
      );
      expect([one.reached, one.status]).toEqual(right ? [true, 200] : [false, 403]);
      const others = services(environment, keyOf(SCOPES.filter((each) => each !== route.scope)));
      expect((await reaches(entry, event(route.method, route.path, 'Bearer k'), others)).status).toBe(403);
      const nobody = await reaches(entry, event(route.method, route.path), services(environment, keyOf([scope])));
      expect([nobody.reached, nobody.status]).toEqual([false, 401]);
    },
  );

  it.each(routes.filter(({ route }) => `${route.method} ${route.path}` in SIGNED && route.scope === 'signed'))(
    '$route.method $route.path, which looks for itself, does so before any work',
    async ({ entry, route }) => {
      const of = services({ ...AWS }, keyOf(SCOPES.filter((each) => each !== SIGNED[`${route.method} ${route.path}`])));
      for (const [authorization, wanted] of [
        [undefined, 401],
        ['Bearer other', 401],
        ['Bearer k', route.method === 'GET' ? 403 : 401],
      ] as const) {
        const answer = await entry.open(of)(
          event(route.method, route.path, authorization),
          invocation('t', 60_000, 'r'),
        );
        expect(answer.statusCode).toBe(wanted);
      }
      expect(of.touched.filter((each) => each !== 'secrets')).toEqual([]);
    },
  );
});

describe('public entries', () => {
  const open = http.filter(([, entry]) => entry.options.url === 'public');
  const strangers = [
    ['PUT', '/manifests/a.yaml'],
    ['DELETE', '/manifests/a.yaml'],
    ['POST', '/reconcile'],
    ['GET', '/status/manifests/a.yaml'],
    ['GET', '/manifests'],
    ['TRACE', '/'],
    ['OPTIONS', '/lineage'],
    ['POST', '/api/v1/lineage/../../reconcile'],
    ['POST', '//api//v2/x'],
    ['GET', '/%2e%2e/secrets'],
  ] as const;

  it.each(open)(
    '%s refuses what is not in its row before any work, with the headers of every answer',
    async (_, entry) => {
      for (const [method, path] of strangers) {
        const of = services(AWS, new Error('must not be read'));
        const { reached, status, headers } = await reaches(entry, event(method, path, 'Bearer k'), of);
        expect([method, path, reached, status === 404 || status === 405]).toEqual([method, path, false, true]);
        expect(of.touched).toEqual([]);
        expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      }
    },
  );
});

describe('answers', () => {
  const security = [
    'x-content-type-options',
    'referrer-policy',
    'content-security-policy',
    'strict-transport-security',
    'cache-control',
  ];
  const [, entry] = http.find(([name]) => name === 'register-http') as [string, HttpEntry];

  it('carry the security headers, whatever they say', async () => {
    const cases = [
      ['PUT', '/manifests/a.yaml', { AUTH: 'required' }, 401],
      ['PATCH', '/manifests/a.yaml', {}, 405],
      ['GET', '/nothing', {}, 404],
      ['PUT', '/manifests/a.exe', {}, 400],
      ['PUT', '/manifests/a.yaml', {}, 400],
    ] as const;
    for (const [method, path, environment, wanted] of cases) {
      const handler = entry.open(services(environment, undefined));
      const answer = await handler(event(method, path), invocation('t', 60_000, 'r'));
      expect([path, answer.statusCode]).toEqual([path, wanted]);
      for (const name of security) expect(answer.headers).toHaveProperty(name);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  it('let pages of other sites in only when CORS_ORIGINS names them', async () => {
    const friend = 'https://portal.example.com';
    const preflight = (origin: string, environment: Record<string, string>) => {
      const asked = { ...event('OPTIONS', '/lineage'), headers: { origin, 'access-control-request-method': 'POST' } };
      return entry.open(services(environment, undefined))(asked, invocation('t', 60_000, 'r'));
    };
    expect((await preflight(friend, {})).statusCode).toBe(405);
    const open = { CORS_ORIGINS: `${friend}, http://localhost:8080` };
    expect(await preflight(friend, open)).toMatchObject({
      statusCode: 204,
      headers: {
        'access-control-allow-origin': friend,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': expect.stringMatching(/\bif-match\b/),
        'access-control-expose-headers': expect.stringMatching(/\betag\b/),
      },
    });
    const stranger = await preflight('https://evil.example', open);
    expect(stranger.statusCode).toBe(405);
    expect(stranger.headers).not.toHaveProperty('access-control-allow-origin');
    expect(() => readSettings({ CORS_ORIGINS: '*' })).toThrow(/CORS_ORIGINS/);
  });
});
