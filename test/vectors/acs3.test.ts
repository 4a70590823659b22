import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Acs3Request,
  acs3AccessKeyId,
  acs3Date,
  canonicalRequest,
  signAcs3,
  stringToSign,
  verifyAcs3,
} from '../../shared/signing/acs3.ts';
import { encodeForm, hmacHex, type QueryPair, sha256Hex } from '../../shared/signing/canonical.ts';

const KEYS = { accessKeyId: 'testAccessKeyId', accessKeySecret: 'testAccessKeySecret' };
const STATIC = { 'x-acs-credentials-provider': 'static_ak' };
const bytes = (text: string) => new TextEncoder().encode(text);

const dataphinBody =
  'AddRegisterLineageCommand=%7B%22Source%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table1%22%2C%22MetadataType%22%3A%22TABLE%22%7D%2C%22Target%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table2%22%2C%22MetadataType%22%3A%22TABLE%22%7D%2C%22DetailedLineages%22%3A%5B%7B%22Source%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table1.col%20a*%22%2C%22MetadataType%22%3A%22COLUMN%22%7D%2C%22Target%22%3A%7B%22ReferenceType%22%3A%22BY_GUID%22%2C%22Guid%22%3A%22odps.300000001.project1.table2.col~b%22%2C%22MetadataType%22%3A%22COLUMN%22%7D%2C%22IsDirect%22%3Atrue%7D%5D%7D';
const flinkBody =
  '{"id":"664cc64d-5dea-4ad3-9ee4-8432a8740000","idType":"JOB","direction":"BOTH","depth":1,"isColumnLevel":true,"isTemporary":false,"namespace":"default-namespace","workspace":"710d6a64d8f34a"}';

const dataphin: Acs3Request = {
  method: 'POST',
  host: 'dataphin-public.cn-shanghai.aliyuncs.com',
  path: '/',
  query: [['OpTenantId', '30001011']],
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: bytes(dataphinBody),
  action: 'AddRegisterLineage',
  version: '2023-06-30',
};
const flink: Acs3Request = {
  method: 'POST',
  host: 'ververica.cn-hangzhou.aliyuncs.com',
  path: '/meta/v2/lineage',
  query: [],
  headers: { 'content-type': 'application/json; charset=utf-8', workspace: '710d6a64d8f34a' },
  body: bytes(flinkBody),
  action: 'GetLineageInfo',
  version: '2022-07-18',
};
const deployments: Acs3Request = {
  ...flink,
  method: 'GET',
  path: '/api/v2/namespaces/default-namespace/deployments',
  query: [
    ['pageSize', '100'],
    ['pageIndex', '1'],
  ],
  headers: { workspace: '710d6a64d8f34a', ...STATIC },
  body: bytes(''),
  action: 'ListDeployments',
};
const published: Acs3Request = {
  method: 'POST',
  host: 'ecs.cn-shanghai.aliyuncs.com',
  path: '/',
  query: [
    ['ImageId', 'win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd'],
    ['RegionId', 'cn-shanghai'],
  ],
  headers: {},
  body: bytes(''),
  action: 'RunInstances',
  version: '2014-05-26',
};
const DATAPHIN_AT = { date: new Date('2026-01-02T03:04:05Z'), nonce: '0123456789abcdef0123456789abcdef' };
const FLINK_AT = { date: new Date('2026-02-03T04:05:06Z'), nonce: 'fedcba9876543210fedcba9876543210' };
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const DATAPHIN_HASH = 'ad55dc31945007b4d3b2c6d2d86f448f2c3f48c627f064beb20b76b397bb532d';
const FLINK_HASH = '92117848d5bcc7a2cd32805f7dafcda59aefd9855ca84319406f328a70645d01';
const PUBLISHED_KEYS = { accessKeyId: 'YourAccessKeyId', accessKeySecret: 'YourAccessKeySecret' };
const MINIMAL = 'content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version';
const WITH_PROVIDER =
  'content-type;host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version';

interface Vector {
  name: string;
  request: Acs3Request;
  keys?: typeof KEYS & { securityToken?: string };
  at: { date: Date; nonce: string };
  bodyHash: string;
  signedHeaders?: string;
  canonicalHash?: string;
  signature: string;
}

const vectors: Vector[] = [
  {
    name: 'V1a RPC as the SDK sends it',
    request: { ...dataphin, headers: { ...dataphin.headers, ...STATIC } },
    at: DATAPHIN_AT,
    bodyHash: DATAPHIN_HASH,
    signedHeaders: WITH_PROVIDER,
    canonicalHash: '502e10b8a197af3015ef062add155bcfa4356830152d760e5e1e6130bb54f42a',
    signature: '71e8f733672100f3166519816d753859d8b034ae853ea3be4a7f883589705ffe',
  },
  {
    name: 'V1b RPC minimal',
    request: dataphin,
    at: DATAPHIN_AT,
    bodyHash: DATAPHIN_HASH,
    signedHeaders: MINIMAL,
    signature: 'b2191d71a5ed2ba63a9dada48a90e756b8b5aae310006b6c54e5329859d82516',
  },
  {
    name: 'V1c RPC with STS',
    request: { ...dataphin, headers: { ...dataphin.headers, 'x-acs-credentials-provider': 'static_sts' } },
    keys: { ...KEYS, securityToken: 'testSecurityToken' },
    at: DATAPHIN_AT,
    bodyHash: DATAPHIN_HASH,
    signedHeaders:
      'content-type;host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version',
    signature: '5d3b3d447cf2b82e7ca3a34f5dea2036c95c90735d9b1c29851195232f5058e6',
  },
  {
    name: 'V1d RPC with a query that must be encoded strictly',
    request: {
      ...dataphin,
      action: 'GetTableLineages',
      query: [
        ['TableGuid', 'dp_ds_table.1.2.my schema.t*(x)'],
        ['OpTenantId', '30001011'],
      ],
      headers: { ...dataphin.headers, ...STATIC },
      body: bytes('FilterQuery=%7B%22NeedUpstream%22%3Atrue%7D'),
    },
    at: DATAPHIN_AT,
    bodyHash: '6ddb54b59449cdda57fad6139d16a8c490c830a6e9d8aa436a02b4fc579f027b',
    signedHeaders: WITH_PROVIDER,
    signature: 'e7dc6826d7a7fb392799c44314583546228b39eee044148b9e05593274cea5bf',
  },
  {
    name: 'V2a ROA as the SDK sends it',
    request: { ...flink, headers: { ...flink.headers, ...STATIC } },
    at: FLINK_AT,
    bodyHash: FLINK_HASH,
    signedHeaders: WITH_PROVIDER,
    canonicalHash: 'b456ae1ca51d14c94226f041adb5e62a5dd40b86e560e20cdf50337e0f5a6851',
    signature: 'cf373406774721521355837823c60450fb08a8aaf631772998ca0bd59212d42d',
  },
  {
    name: 'V2b ROA minimal',
    request: flink,
    at: FLINK_AT,
    bodyHash: FLINK_HASH,
    signedHeaders: MINIMAL,
    signature: '2bac231af2f42edcac898698d6d3cf7428b5a01fa05b83eb94089bf8731e74b1',
  },
  {
    name: 'V2c ROA GET without a body',
    request: deployments,
    at: FLINK_AT,
    bodyHash: EMPTY,
    signedHeaders:
      'host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version',
    signature: 'e96cdde17102a616adad381175f8b17ee4fd0ef513f76a546b4b49953126611f',
  },
  {
    name: 'V3 published by the vendor',
    request: published,
    keys: PUBLISHED_KEYS,
    at: { date: new Date('2023-10-26T10:22:32Z'), nonce: '3156853299f313e23d1673dc12e1703d' },
    bodyHash: EMPTY,
    signature: '06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0',
  },
  {
    name: 'V3 at the other date of the same page',
    request: published,
    keys: PUBLISHED_KEYS,
    at: { date: new Date('2023-10-26T09:01:01Z'), nonce: 'd410180a5abf7fe235dd9b74aca91fc0' },
    bodyHash: EMPTY,
    signature: 'e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804',
  },
];

const claimed = (headers: Record<string, string>) =>
  /SignedHeaders=([^,]+),Signature=(\w+)$/.exec(headers['authorization'] ?? '') ?? [];

const signedOf = (headers: Record<string, string>, names: string) =>
  Object.fromEntries(names.split(';').map((name) => [name, headers[name] ?? '']));

const target = (request: Acs3Request) =>
  request.query.length > 0 ? `${request.path}?${encodeForm(request.query)}` : request.path;

describe.each(vectors)('ACS3 vector $name', (vector) => {
  const keys = vector.keys ?? KEYS;
  const headers = signAcs3(vector.request, keys, vector.at);
  const [, names = '', signature] = claimed(headers);

  it('hashes the body', () => {
    expect(createHash('sha256').update(vector.request.body).digest('hex')).toBe(vector.bodyHash);
    expect(headers['x-acs-content-sha256']).toBe(vector.bodyHash);
  });
  it('signs the right headers', () => {
    if (vector.signedHeaders !== undefined) expect(names).toBe(vector.signedHeaders);
    else expect(names).toBe(MINIMAL.replace('content-type;', ''));
  });
  it('makes the canonical request, the string to sign and the signature', () => {
    const canonical = canonicalRequest({
      ...vector.request,
      signed: signedOf(headers, names),
      bodyHash: vector.bodyHash,
    });
    if (vector.canonicalHash !== undefined) expect(sha256Hex(canonical)).toBe(vector.canonicalHash);
    const text = stringToSign(canonical);
    expect(text).toBe(`ACS3-HMAC-SHA256\n${sha256Hex(canonical)}`);
    expect(hmacHex(keys.accessKeySecret, text)).toBe(vector.signature);
    expect(signature).toBe(vector.signature);
  });
  it('is verified as it arrives on the wire', () => {
    const received = {
      method: vector.request.method,
      target: target(vector.request),
      headers,
      body: vector.request.body,
    };
    expect(acs3AccessKeyId(headers)).toBe(keys.accessKeyId);
    expect(verifyAcs3(received, keys.accessKeySecret, vector.at.date.getTime())).toEqual({
      ok: true,
      accessKeyId: keys.accessKeyId,
      nonce: vector.at.nonce,
    });
  });
});

describe('ACS3 details', () => {
  it('builds the complete header of V1b', () => {
    expect(signAcs3(dataphin, KEYS, DATAPHIN_AT)['authorization']).toBe(
      `ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=${MINIMAL},Signature=b2191d71a5ed2ba63a9dada48a90e756b8b5aae310006b6c54e5329859d82516`,
    );
  });
  it('encodes the canonical query strictly where the wire does not', () => {
    const query: QueryPair[] = [['TableGuid', 't*(x)']];
    expect(encodeForm(query)).toBe('TableGuid=t*(x)');
    expect(canonicalRequest({ method: 'post', path: '/', query, signed: {}, bodyHash: '' })).toContain('t%2A%28x%29');
  });
  it('writes dates in seconds', () => {
    expect(acs3Date(new Date('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02T03:04:05Z');
  });

  const at = DATAPHIN_AT.date.getTime();
  const headers = signAcs3(dataphin, KEYS, DATAPHIN_AT);
  const received = { method: 'POST', target: '/?OpTenantId=30001011', headers, body: dataphin.body };
  const verdict = (change: object, secret = KEYS.accessKeySecret, now = at) => {
    const answer = verifyAcs3({ ...received, ...change }, secret, now);
    return answer.ok ? 'ok' : answer.code;
  };
  const dropped = (name: string) => Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));

  it.each([
    ['as sent', {}, 'ok'],
    ['another query', { target: '/?OpTenantId=30001012' }, 'SignatureDoesNotMatch'],
    ['another body', { body: bytes('x') }, 'SignatureDoesNotMatch'],
    ['another method', { method: 'PUT' }, 'SignatureDoesNotMatch'],
    ['no Authorization', { headers: dropped('authorization') }, 'IncompleteSignature'],
    ['another algorithm', { headers: { ...headers, authorization: 'ACS3-HMAC-SM3 x' } }, 'InvalidSignatureMethod'],
    ['a header that is named and absent', { headers: dropped('x-acs-version') }, 'IncompleteSignature'],
    ['an unsigned token', { headers: { ...headers, 'x-acs-security-token': 't' } }, 'IncompleteSignature'],
    ['a malformed date', { headers: { ...headers, 'x-acs-date': '2026-01-02 03:04:05' } }, 'InvalidTimeStamp.Format'],
  ])('judges %s', (_name, change, expected) => {
    expect(verdict(change)).toBe(expected);
  });
  it('judges the secret and the clock, 900 seconds inclusive', () => {
    expect(verdict({}, 'wrong')).toBe('SignatureDoesNotMatch');
    expect(verdict({}, KEYS.accessKeySecret, at + 900_000)).toBe('ok');
    expect(verdict({}, KEYS.accessKeySecret, at - 900_000)).toBe('ok');
    expect(verdict({}, KEYS.accessKeySecret, at + 901_000)).toBe('InvalidTimeStamp.Expired');
  });
});
