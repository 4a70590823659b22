import { describe, expect, it } from 'vitest';
import { hmacHex, type SignableRequest, sha256Hex } from '../../shared/signing/canonical.ts';
import {
  canonicalRequest,
  sdkHmacAccessKey,
  signSdkHmac,
  stringToSign,
  verifySdkHmac,
} from '../../shared/signing/sdk-hmac.ts';

const PROJECT = '0833a5737480d53b2f25c010dc1a7b88';
const KEYS = { ak: 'TESTAK00000000000000', sk: 'TestSk000000000000000000000000000000000A' };
const bytes = (text: string) => new TextEncoder().encode(text);

const create: SignableRequest = {
  method: 'POST',
  host: 'dayu.cn-north-4.myhuaweicloud.com',
  path: `/v1/${PROJECT}/lineage/lineage-info`,
  query: [],
  headers: {
    'Content-Type': 'application/json',
    workspace: '1b59d3c777ad4d619b89eeac4f3cce87',
    'X-Project-Id': PROJECT,
  },
  body: bytes(
    '{"job_id":"testJobID","node_name":"testNode","table_lineage":{"input_tables":[{"database":"db1","schema":"","table":"t_in"}],"output_tables":[{"database":"db1","schema":"","table":"t_out"}]}}',
  ),
};
const show: SignableRequest = {
  ...create,
  method: 'GET',
  path: `/v3/${PROJECT}/entities/c1cba918-24d3-4dc4-a65c-178e57b14458/lineage`,
  query: [
    ['direction', 'BOTH'],
    ['depth', '5'],
  ],
  body: bytes(''),
};
const published: SignableRequest = {
  method: 'GET',
  host: 'service.region.example.com',
  path: '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs',
  query: [
    ['limit', '2'],
    ['marker', '13551d6b-755d-4757-b956-536f674975c0'],
  ],
  headers: { 'content-type': 'application/json' },
  body: bytes(''),
};
const ALL = 'content-type;host;workspace;x-project-id;x-sdk-date';
const CREATED = new Date('2026-01-02T03:04:05Z');
const SHOWN = new Date('2026-02-03T04:05:06Z');
const CREATE_HASH = '9f8515042a9c9354f157698306ce19fc0057fddeb1a1535a170f4a1ec8c81cea';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface Vector {
  name: string;
  request: SignableRequest;
  keys?: typeof KEYS & { securityToken?: string };
  date: Date;
  sdkDate: string;
  bodyHash: string;
  signedHeaders: string;
  canonicalHash?: string;
  signature: string;
}

const vectors: Vector[] = [
  {
    name: 'H1',
    request: create,
    date: CREATED,
    sdkDate: '20260102T030405Z',
    bodyHash: CREATE_HASH,
    signedHeaders: ALL,
    canonicalHash: 'd680704719c5d64c63c29f613de96aeb6b28f08cbf45214b1c4471008f606fad',
    signature: '28373dab4a8ddcf2cbc3b8d27bf8b695efc30746b3aebb5fde05df16f217178b',
  },
  {
    name: 'H1-min',
    request: { ...create, headers: {} },
    date: CREATED,
    sdkDate: '20260102T030405Z',
    bodyHash: CREATE_HASH,
    signedHeaders: 'host;x-sdk-date',
    signature: 'b61f2637d781ab9503bff2b6fbe96522ab50b298dd17ffe598e2a23e93aa4ced',
  },
  {
    name: 'H1-sts',
    request: create,
    keys: { ...KEYS, securityToken: 'testSecurityToken' },
    date: CREATED,
    sdkDate: '20260102T030405Z',
    bodyHash: CREATE_HASH,
    signedHeaders: `${ALL};x-security-token`,
    canonicalHash: '3f28d0bf4d08607d7f51a8c16b7e644a794ce8c29bb0a52efcfdc7e054af5e65',
    signature: '1a52eb8c46ac48d195a627d5c400922de3a0fc3767e4b802d0cab9aab6ca818a',
  },
  {
    name: 'H2',
    request: show,
    date: SHOWN,
    sdkDate: '20260203T040506Z',
    bodyHash: EMPTY,
    signedHeaders: ALL,
    canonicalHash: '9e74b20fb6454a1b1be5b50872521631b7acbb26a593b14b93f66f24e058e56f',
    signature: '08cf7606fd5593d74d0ed773fe4b6d70cf2fb217d2a37c042b786965b2abe346',
  },
  {
    name: 'H2 with a two-byte body',
    request: { ...show, body: bytes('{}') },
    date: SHOWN,
    sdkDate: '20260203T040506Z',
    bodyHash: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    signedHeaders: ALL,
    signature: '83742315489bab71139427fb85509c330cb79b9cdfd615a416213e76f17304d2',
  },
  {
    name: 'H3 published by the vendor',
    request: published,
    keys: { ak: 'QTWAOYTTINDUT2QVKYUC', sk: 'MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc' },
    date: new Date('2019-11-15T03:36:55Z'),
    sdkDate: '20191115T033655Z',
    bodyHash: EMPTY,
    signedHeaders: 'content-type;host;x-sdk-date',
    canonicalHash: 'b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a',
    signature: '7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe',
  },
];

const target = (request: SignableRequest) =>
  request.query.length > 0
    ? `${request.path}?${request.query.map(([name, value]) => `${name}=${value}`).join('&')}`
    : request.path;

describe.each(vectors)('SDK-HMAC vector $name', (vector) => {
  const keys = vector.keys ?? KEYS;
  const headers = signSdkHmac(vector.request, keys, { date: vector.date });

  it('hashes the body and writes the date', () => {
    expect(sha256Hex(vector.request.body)).toBe(vector.bodyHash);
    expect(headers['x-sdk-date']).toBe(vector.sdkDate);
  });
  it('makes the canonical request, the string to sign and the signature', () => {
    const signed = Object.fromEntries(vector.signedHeaders.split(';').map((name) => [name, headers[name] ?? '']));
    const canonical = canonicalRequest({ ...vector.request, signed, bodyHash: vector.bodyHash });
    if (vector.canonicalHash !== undefined) expect(sha256Hex(canonical)).toBe(vector.canonicalHash);
    const text = stringToSign(canonical, vector.sdkDate);
    expect(text).toBe(`SDK-HMAC-SHA256\n${vector.sdkDate}\n${sha256Hex(canonical)}`);
    expect(hmacHex(keys.sk, text)).toBe(vector.signature);
  });
  it('makes the Authorization header', () => {
    expect(headers['authorization']).toBe(
      `SDK-HMAC-SHA256 Access=${keys.ak}, SignedHeaders=${vector.signedHeaders}, Signature=${vector.signature}`,
    );
  });
  it('is verified as it arrives on the wire', () => {
    const received = {
      method: vector.request.method,
      target: target(vector.request),
      headers,
      body: vector.request.body,
    };
    expect(sdkHmacAccessKey(headers)).toBe(keys.ak);
    expect(verifySdkHmac(received, keys.sk, vector.date.getTime())).toEqual({ ok: true, ak: keys.ak });
  });
});

describe('SDK-HMAC details', () => {
  const at = CREATED.getTime();
  const headers = signSdkHmac(create, KEYS, { date: CREATED });
  const received = { method: 'POST', target: create.path, headers, body: create.body };
  const verdict = (change: object, sk = KEYS.sk, now = at) => {
    const answer = verifySdkHmac({ ...received, ...change }, sk, now);
    return answer.ok ? 'ok' : `${answer.code} ${answer.message}`;
  };

  it('ends the canonical path with a slash once', () => {
    const input = { method: 'GET', query: [], signed: {}, bodyHash: '' };
    expect(canonicalRequest({ ...input, path: '/a' })).toBe(canonicalRequest({ ...input, path: '/a/' }));
  });
  it('leaves accept and user-agent unsigned', () => {
    const more = { ...create, headers: { ...create.headers, accept: 'a', 'user-agent': 'b' } };
    expect(signSdkHmac(more, KEYS, { date: CREATED })['authorization']).toBe(headers['authorization']);
  });
  it.each([
    ['as sent', {}, /^ok$/],
    ['another body', { body: bytes('{}') }, /^APIGW.0301 .*verify aksk signature fail/],
    ['another path', { target: '/v1/x' }, /^APIGW.0301 .*verify aksk signature fail/],
    ['no Authorization', { headers: {} }, /^APIGW.0301 .*Authorization/],
    ['an unsigned body', { headers: { ...headers, 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD' } }, /body hash/],
    ['an unsigned token', { headers: { ...headers, 'x-security-token': 't' } }, /x-security-token must be/],
    ['a malformed date', { headers: { ...headers, 'x-sdk-date': '2026-01-02' } }, /YYYYMMDD/],
  ])('judges %s', (_name, change, expected) => {
    expect(verdict(change)).toMatch(expected);
  });
  it('judges the key and the clock, 900 seconds inclusive', () => {
    expect(verdict({}, 'wrong')).toMatch(/^APIGW.0301/);
    expect(verdict({}, KEYS.sk, at + 900_000)).toBe('ok');
    expect(verdict({}, KEYS.sk, at + 901_000)).toMatch(/^APIGW.0303/);
  });
});
