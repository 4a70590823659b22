import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { Simulator } from '../../local/simulators/simulator.ts';
import { A, add, B, callDataphin, command, type DataphinCall, detail, remove, sandbox, table } from './callers.ts';

const START = Date.parse('2026-01-02T03:04:05Z');
let clock = START;
let simulator: Simulator;
beforeAll(async () => {
  simulator = await startDataphin({ now: () => clock });
});
afterAll(() => simulator.close());

const right = () => command([['x', 'y']]);
const attempt = (call: DataphinCall, value: unknown = right()) => add(simulator.url, value, { now: clock, ...call });

test('a right call is answered with the envelope of the vendor', async () => {
  const reply = await attempt({});
  expect(reply.status).toBe(200);
  expect(reply.body).toEqual({
    RequestId: expect.stringMatching(/^[0-9A-F]{8}-/),
    Message: 'successful',
    HttpStatusCode: 200,
    Code: 'OK',
    Success: true,
  });
});

describe('signature', () => {
  const signedWithout = (name: string) =>
    [
      'content-type',
      'host',
      'x-acs-action',
      'x-acs-content-sha256',
      'x-acs-date',
      'x-acs-signature-nonce',
      'x-acs-version',
    ].filter((one) => one !== name);

  test.each<[string, DataphinCall, number, string]>([
    ['wrong secret', { key: 'wrong' }, 400, 'SignatureDoesNotMatch'],
    ['unknown key', { id: 'nobody' }, 404, 'InvalidAccessKeyId.NotFound'],
    [
      'upper-case signature',
      { authorization: (text) => text.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()) },
      400,
      'SignatureDoesNotMatch',
    ],
    ['tampered body', { tamper: (body) => body.replace('project1', 'project2') }, 400, 'SignatureDoesNotMatch'],
    [
      'hash of another body',
      { headers: { 'x-acs-content-sha256': 'ad55dc31945007b4d3b2c6d2d86f448f2c3f48c627f064beb20b76b397bb532d' } },
      400,
      'SignatureDoesNotMatch',
    ],
    ['no authorization', { authorization: () => '' }, 400, 'IncompleteSignature'],
    ['spaces after commas', { authorization: (text) => text.replaceAll(',', ', ') }, 400, 'IncompleteSignature'],
    ['another algorithm', { authorization: (text) => text.replace('SHA256', 'SM3') }, 400, 'InvalidSignatureMethod'],
    ['unsorted list', { signed: signedWithout('').reverse() }, 400, 'IncompleteSignature'],
    [
      'unsigned credentials provider',
      { headers: { 'x-acs-credentials-provider': 'static_ak' }, signed: signedWithout('') },
      400,
      'IncompleteSignature',
    ],
    ['unexpected security token', { headers: { 'x-acs-security-token': 'token' } }, 400, 'InvalidSecurityToken'],
    ['malformed date', { headers: { 'x-acs-date': '20260102T030405Z' } }, 400, 'InvalidTimeStamp.Format'],
    ['impossible date', { headers: { 'x-acs-date': '2026-02-30T03:04:05Z' } }, 400, 'InvalidTimeStamp.Format'],
    ['901 s old', { now: START - 901_000 }, 400, 'InvalidTimeStamp.Expired'],
    ['901 s ahead', { now: START + 901_000 }, 400, 'InvalidTimeStamp.Expired'],
    ['no nonce', { headers: { 'x-acs-signature-nonce': '' } }, 400, 'MissingSignatureNonce'],
    ['no date', { headers: { 'x-acs-date': '' } }, 400, 'MissingDate'],
  ])('%s', async (_, call, status, code) => {
    const reply = await attempt(call);
    expect([reply.status, reply.body.Code]).toEqual([status, code]);
    expect(reply.body).toEqual({
      RequestId: expect.any(String),
      HostId: new URL(simulator.url).host,
      Code: code,
      Message: expect.any(String),
      Recommend: expect.stringContaining('source=PopGw'),
    });
  });

  test.each(signedWithout(''))('%s must be signed', async (name) => {
    const reply = await attempt({ signed: signedWithout(name) });
    expect([reply.status, reply.body.Code]).toEqual([400, 'IncompleteSignature']);
  });

  test.each([-900_000, 900_000])('a date %i ms off is still taken', async (offset) => {
    expect((await attempt({ now: START + offset })).status).toBe(200);
  });

  test('a nonce is taken once, refused within 30 minutes, and forgotten after', async () => {
    const headers = { 'x-acs-signature-nonce': randomUUID() };
    expect((await attempt({ headers })).status).toBe(200);
    expect((await attempt({ headers })).body.Code).toBe('SignatureNonceUsed');
    clock = START + 30 * 60_000;
    expect((await attempt({ headers })).body.Code).toBe('SignatureNonceUsed');
    clock += 1;
    expect((await attempt({ headers })).status).toBe(200);
    clock = START;
  });

  test('a call with a wrong signature does not use its nonce up', async () => {
    const headers = { 'x-acs-signature-nonce': randomUUID() };
    expect((await attempt({ headers, key: 'wrong' })).body.Code).toBe('SignatureDoesNotMatch');
    expect((await attempt({ headers })).status).toBe(200);
  });

  test('the query is decoded and encoded strictly, whatever the client left bare', async () => {
    const path = '/?OpTenantId=30001011&TableGuid=dp_ds_table.1.2.my%20schema.t*(x)';
    const reply = await callDataphin(simulator.url, 'GetTableLineages', { path, query: {}, now: clock });
    expect([reply.status, reply.body.TableLineageList]).toEqual([200, []]);
  });

  test.each(['constructor', '__proto__'])('a header %s that is said to be signed and did not come', async (name) => {
    const reply = await attempt({ authorization: (text) => text.replace('SignedHeaders=', `SignedHeaders=${name};`) });
    expect([reply.status, reply.body.Code]).toEqual([400, 'IncompleteSignature']);
  });

  test('the query is signed in the order of its keys, and not of its pairs', async () => {
    const query = { OpTenantId: '30001011', TableGuid: 'odps.1.p.a', TableGuid1: '2' };
    const reply = await callDataphin(simulator.url, 'GetTableLineages', { query, now: clock });
    // Signed rightly; then the parameter is one that nobody knows.
    expect([reply.status, reply.body.Code]).toEqual([400, 'InvalidParameter.Format']);
    expect(reply.body.Message).toContain('TableGuid1');
  });

  test('temporary credentials need their token, signed', async () => {
    const sts = await startDataphin({ credentials: { security_token: 'sts' } });
    const headers = { 'x-acs-security-token': 'sts', 'x-acs-accesskey-id': 'simulatedAccessKeyId' };
    expect((await add(sts.url, right(), { headers })).status).toBe(200);
    expect((await add(sts.url, right())).body.Code).toBe('InvalidSecurityToken');
    expect((await add(sts.url, right(), { headers: { ...headers, 'x-acs-accesskey-id': 'other' } })).status).toBe(404);
    expect((await add(sts.url, right(), { headers, signed: signedWithout('') })).body.Code).toBe('IncompleteSignature');
    await sts.close();
  });
});

describe('gateway', () => {
  test.each<[string, DataphinCall, number, string]>([
    ['wrong tenant', { query: { OpTenantId: '30001012' } }, 403, 'DataphinOpenApiForbidden'],
    ['no tenant', { query: {} }, 400, 'MissingOpTenantId'],
    ['tenant that is no number', { query: { OpTenantId: 'x' } }, 400, 'InvalidOpTenantId'],
    ['tenant beyond a long', { query: { OpTenantId: '9223372036854775808' } }, 400, 'InvalidOpTenantId'],
    ['the largest tenant', { query: { OpTenantId: '9223372036854775807' } }, 403, 'DataphinOpenApiForbidden'],
    ['unknown query parameter', { query: { OpTenantId: '30001011', Action: 'X' } }, 400, 'InvalidParameter.Format'],
    ['unknown action', { headers: { 'x-acs-action': 'addRegisterLineage' } }, 404, 'InvalidApi.NotFound'],
    ['wrong version', { headers: { 'x-acs-version': '2022-07-18' } }, 404, 'InvalidVersion'],
    ['GET', { method: 'GET', rawBody: '' }, 400, 'UnsupportedHTTPMethod'],
    ['another path', { path: '/api' }, 404, 'InvalidApi.NotFound'],
    ['JSON as content type', { headers: { 'content-type': 'application/json' } }, 400, 'InvalidParameter.Format'],
    ['a form that is not JSON', { rawBody: 'AddRegisterLineageCommand=x' }, 400, 'InvalidAddRegisterLineageCommand'],
    ['an empty form', { rawBody: '' }, 400, 'MissingAddRegisterLineageCommand'],
    ['one field too many', { form: { AddRegisterLineageCommand: right(), More: 1 } }, 400, 'InvalidParameter.Format'],
  ])('%s', async (_, call, status, code) => {
    const reply = await attempt(call);
    expect([reply.status, reply.body.Code]).toEqual([status, code]);
  });

  test('the message about the tenant has the run-together word', async () => {
    expect((await attempt({ query: { OpTenantId: '1' } })).body.Message).toContain('maytenantId');
  });

  test('permission can be taken away', async () => {
    await sandbox(simulator.url, 'PUT', 'modes', { permission: false });
    const reply = await attempt({});
    expect([reply.status, reply.body.Code]).toEqual([401, 'DataphinOpenAPIRamUnAuthorized']);
    await sandbox(simulator.url, 'PUT', 'modes', { permission: null });
    expect((await attempt({})).status).toBe(200);
  });

  test('a form may write spaces as plus', async () => {
    const body = `AddRegisterLineageCommand=${encodeURIComponent(JSON.stringify(right(), null, 1)).replaceAll('%20', '+')}`;
    expect((await attempt({ rawBody: body })).status).toBe(200);
  });
});

describe('fields', () => {
  const byProperty = {
    ReferenceType: 'BY_PROPERTY',
    MetadataType: 'TABLE',
    Catalog: 'dataphin',
    Schema: 'project1',
    Name: 'a',
  };
  const source = (more: object) => command([], { Source: { ...table(A), ...more } });
  const bare = { DetailedLineages: [{ Source: { Guid: `${A}.x` }, Target: { Name: 'y' } }] };

  test.each<[string, unknown]>([
    ['a pair without columns', command()],
    ['an empty list of columns', command([], { DetailedLineages: [] })],
    ['100 detailed lineages', command(Array.from({ length: 100 }, (_, n) => [`x${n}`, 'y'] as const))],
    [
      'BY_PROPERTY with a sub type',
      command([], { Source: { ...byProperty, MetadataSubType: 'FACT_SNAPSHOT', Env: 'DEV' } }),
    ],
    ['columns that say only what they must', command([], bare)],
    [
      'every option',
      command([['x', 'y']], {
        CheckAssetExist: true,
        RelationProperties: { k: { n: 1 } },
        TenantId: 300001234,
        UserId: '3',
      }),
    ],
    ['a logical table', command([], { Source: table('dp_table.1.biz.t') })],
    ['a tenant near the end of a long', command([], { TenantId: 2 ** 63 - 1_024 })],
  ])('taken: %s', async (_, value) => {
    expect((await attempt({}, value)).body).toMatchObject({ Code: 'OK' });
  });

  test.each<[string, unknown, string]>([
    [
      '101 detailed lineages',
      command(Array.from({ length: 101 }, (_, n) => [`x${n}`, 'y'] as const)),
      'Simulated.TooManyDetailedLineages',
    ],
    ['sub type with BY_GUID', source({ MetadataSubType: 'PHYSICAL_TABLE' }), 'InvalidMetadataSubType'],
    [
      'sub type without TABLE',
      command([], { Source: { ...byProperty, MetadataType: 'API', MetadataSubType: 'PHYSICAL_TABLE' } }),
      'InvalidMetadataSubType',
    ],
    [
      'sub type outside the enum',
      command([], { Source: { ...byProperty, MetadataSubType: 'FACT_SNAPSHO' } }),
      'InvalidMetadataSubType',
    ],
    ['reference type outside the enum', source({ ReferenceType: 'GUID' }), 'InvalidReferenceType'],
    ['no reference type', source({ ReferenceType: undefined }), 'MissingReferenceType'],
    ['no metadata type', source({ MetadataType: undefined }), 'MissingMetadataType'],
    ['BY_GUID without Guid', source({ Guid: undefined }), 'MissingGuid'],
    ['BY_PROPERTY with Guid', command([], { Source: { ...byProperty, Guid: A } }), 'InvalidGuid'],
    ['BY_PROPERTY without Name', command([], { Source: { ...byProperty, Name: undefined } }), 'MissingName'],
    ['a Guid outside the grammar', source({ Guid: 'table1' }), 'InvalidGuid'],
    ['null', source({ Catalog: null }), 'InvalidCatalog'],
    ['an env of its own', source({ Env: 'prod' }), 'InvalidEnv'],
    ['unknown field', source({ Owner: 'x' }), 'InvalidParameter.Format'],
    ['unknown field at the top', command([], { CascadeDeleteLineage: true }), 'InvalidParameter.Format'],
    ['no target', command([], { Target: undefined }), 'MissingTarget'],
    ['a tenant as text', command([], { TenantId: '300001234' }), 'InvalidTenantId'],
    ['a tenant beyond a long', command([], { TenantId: 2 ** 63 }), 'InvalidTenantId'],
    ['a tenant far beyond a long', command([], { TenantId: 1e30 }), 'InvalidTenantId'],
    ['a tenant below a long', command([], { TenantId: -1e30 }), 'InvalidTenantId'],
    [
      'IsDirect as text',
      command([], { DetailedLineages: [{ ...detail('x', 'y'), IsDirect: 'true' }] }),
      'InvalidIsDirect',
    ],
    ['a detail without target', command([], { DetailedLineages: [{ Source: { Name: 'x' } }] }), 'MissingTarget'],
    [
      'sub type on a column',
      command([], {
        DetailedLineages: [{ Source: { Name: 'x', MetadataSubType: 'DIM_ENUM' }, Target: { Name: 'y' } }],
      }),
      'InvalidParameter.Format',
    ],
    [
      'a column Guid that is the table',
      command([], { DetailedLineages: [{ Source: { Guid: A }, Target: { Name: 'y' } }] }),
      'InvalidGuid',
    ],
    [
      'a column of another table',
      command([], { DetailedLineages: [detail('x', 'y', 'odps.300000001.project1.c', B)] }),
      'InvalidParentGuid',
    ],
    [
      'a column without a name',
      command([], { DetailedLineages: [{ Source: {}, Target: { Name: 'y' } }] }),
      'MissingName',
    ],
  ])('refused: %s', async (_, value, code) => {
    const reply = await attempt({}, value);
    expect([reply.status, reply.body.Code]).toEqual([400, code]);
  });

  test('Delete knows neither CheckAssetExist nor RelationProperties, and has the same limit', async () => {
    const call = { now: clock };
    expect((await remove(simulator.url, command([], { CheckAssetExist: true }), call)).body.Code).toBe(
      'InvalidParameter.Format',
    );
    expect((await remove(simulator.url, command([], { RelationProperties: {} }), call)).body.Code).toBe(
      'InvalidParameter.Format',
    );
    const many = command(Array.from({ length: 101 }, (_, n) => [`x${n}`, 'y'] as const));
    expect((await remove(simulator.url, many, call)).body.Code).toBe('Simulated.TooManyDetailedLineages');
  });
});
