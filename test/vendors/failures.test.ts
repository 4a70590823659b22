import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asFailure, type Failure, type FailureKind } from '../../shared/core/failure.ts';
import { verifyAcs3 } from '../../shared/signing/acs3.ts';
import { verifySdkHmac } from '../../shared/signing/sdk-hmac.ts';
import { dataarts } from '../../shared/vendors/dataarts/index.ts';
import { dataphin } from '../../shared/vendors/dataphin/index.ts';
import {
  DATAARTS_SECRET,
  DATAPHIN_SECRET,
  dataartsCall,
  dataphinCall,
  gatewayBody,
  loopback,
  type Scripted,
  surroundings,
} from './loopback.ts';

let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

type Expected = [kind: FailureKind, again: boolean, maybeApplied: boolean, names: RegExp];
type Row = [what: string, answer: Scripted, ...Expected];

const gateway = (status: number, code: string, ...expected: Expected): Row => [
  `${status} ${code}`,
  { status, body: gatewayBody(code) },
  ...expected,
];
const inside = (body: object, ...expected: Expected): Row => [
  `200 with ${JSON.stringify(body)}`,
  { body: { RequestId: 'r', ...body } },
  ...expected,
];

const KEY_ID = /"access_key_id"/;
const DATAPHIN_ROWS: Row[] = [
  gateway(400, 'MissingParameter', 'invalid', false, false, /manifest/),
  gateway(400, 'MissingSource', 'invalid', false, false, /manifest/),
  gateway(400, 'InvalidParameter.Format', 'invalid', false, false, /manifest/),
  gateway(400, 'InvalidGuid', 'invalid', false, false, /manifest/),
  gateway(404, 'InvalidApi.NotFound', 'unsupported', false, false, /v5\.4\.0.*OpenAPI add-on/),
  gateway(404, 'InvalidAction.NotFound', 'unsupported', false, false, /v5\.4\.0/),
  gateway(404, 'InvalidProduct.NotFound', 'unsupported', false, false, /"endpoint"/),
  gateway(404, 'InvalidVersion', 'unsupported', false, false, /"endpoint"/),
  gateway(404, 'InvalidProtocol.NeedSsl', 'denied', false, false, /"endpoint".*https/),
  gateway(404, 'InvalidAccessKeyId.NotFound', 'denied', false, false, KEY_ID),
  gateway(400, 'InvalidAccessKeyId.NotFound', 'denied', false, false, KEY_ID),
  gateway(400, 'InvalidAccessKeyId.Inactive', 'denied', false, false, /disabled/),
  gateway(400, 'InvalidTimeStamp.Format', 'denied', false, false, /clock/),
  gateway(400, 'MissingTimestamp', 'denied', false, false, /clock/),
  gateway(400, 'MissingDate', 'denied', false, false, /clock/),
  gateway(400, 'MissingSecurityToken', 'denied', false, false, /"security_token"/),
  gateway(400, 'MissingSignatureNonce', 'denied', false, false, /key.*"endpoint"/),
  gateway(400, 'InvalidSignatureVersion', 'denied', false, false, /key.*"endpoint"/),
  gateway(400, 'MissingAccessKeyId', 'denied', false, false, /key.*"endpoint"/),
  gateway(400, 'MissingContentSha256', 'denied', false, false, /key.*"endpoint"/),
  gateway(400, 'MissingOpTenantId', 'denied', false, false, /"op_tenant_id"/),
  gateway(400, 'InvalidOpTenantId', 'denied', false, false, /"op_tenant_id"/),
  gateway(400, 'InvalidTenantId', 'invalid', false, false, /manifest/),
  gateway(400, 'InvalidTimeStamp.Expired', 'denied', false, false, /clock/),
  gateway(400, 'SignatureNonceUsed', 'unknown-outcome', true, true, /proxy/),
  gateway(400, 'InvalidSignatureMethod', 'denied', false, false, /ACS3-HMAC-SHA256.*"endpoint"/),
  gateway(400, 'IncompleteSignature', 'denied', false, false, /ACS3-HMAC-SHA256.*"endpoint"/),
  gateway(400, 'SignatureDoesNotMatch', 'denied', false, false, /"access_key_secret"/),
  gateway(403, 'SignatureDoesNotMatch', 'denied', false, false, /"access_key_secret"/),
  gateway(400, 'UnsupportedHTTPMethod', 'invalid', false, false, /"endpoint"/),
  gateway(403, 'UnsupportedHTTPMethod', 'invalid', false, false, /"endpoint"/),
  gateway(400, 'Throttling', 'throttled', true, false, /"calls_per_second"/),
  gateway(400, 'Throttling.User', 'throttled', true, false, /"calls_per_second"/),
  gateway(400, 'Throttling.Api', 'throttled', true, false, /"calls_per_second"/),
  gateway(503, 'Throttling.User', 'throttled', true, false, /"calls_per_second"/),
  gateway(429, 'Anything', 'throttled', true, false, /"calls_per_second"/),
  gateway(403, 'Forbidden', 'denied', false, false, /RAM/),
  gateway(403, 'Forbidden.RAM', 'denied', false, false, /DataphinOpenAPIFullAccess/),
  gateway(403, 'NoPermission', 'denied', false, false, /RAM/),
  gateway(500, 'InternalError', 'unavailable', true, true, /may have been done/),
  gateway(503, 'ServiceUnavailable', 'unavailable', true, true, /may have been done/),
  gateway(401, 'DataphinOpenAPIRamUnAuthorized', 'denied', false, false, /RAM.*Register External Lineage/),
  gateway(403, 'DataphinOpenApiForbidden', 'denied', false, false, /"op_tenant_id".*probably wrong/),
  gateway(404, 'AssetNotFound', 'missing', false, false, /"guid"/),
  gateway(400, 'TableNotExist', 'missing', false, false, /checkAssetExist/),
  gateway(400, 'SomethingElse', 'rejected', false, false, /manifest/),
  gateway(401, 'SomethingElse', 'denied', false, false, KEY_ID),
  gateway(403, 'SomethingElse', 'denied', false, false, /Register External Lineage/),
  gateway(409, 'SomethingElse', 'conflict', false, false, /excludes/),
  gateway(413, 'SomethingElse', 'invalid', false, false, /too large/),
  ['302', { status: 302, headers: { location: '/' } }, 'rejected', false, false, /"endpoint"/],
  ['502 as HTML', { status: 502, body: '<html>Bad Gateway</html>' }, 'unavailable', true, true, /HTTP 502/],
  [
    'invalid accessKey of a semi-managed host',
    { status: 400, body: { message: 'invalid accessKey: removed' } },
    'denied',
    false,
    false,
    /issued.*30 minutes/,
  ],
  inside({ Success: false, Message: 'invalid accessKey' }, 'denied', false, false, /that Dataphin itself issued/),
  inside(
    { Success: false, Code: 'Throttling.User', HttpStatusCode: 200 },
    'throttled',
    true,
    false,
    /calls_per_second/,
  ),
  inside({ Success: false, Code: 'X', HttpStatusCode: 400 }, 'rejected', false, false, /manifest/),
  inside({ Success: 'false', Code: 'X', HttpStatusCode: 422 }, 'rejected', false, false, /manifest/),
  inside(
    { Success: false, Code: 'DataphinOpenApiForbidden', HttpStatusCode: 403 },
    'denied',
    false,
    false,
    /op_tenant_id/,
  ),
  inside({ Success: false, Code: 'X', HttpStatusCode: 500 }, 'unavailable', true, true, /may have been done/),
  inside({ Success: false, Code: 'X' }, 'unavailable', true, true, /neither yes nor why not/),
  inside({ Success: true, Code: 'X', HttpStatusCode: 200 }, 'unavailable', true, true, /neither yes nor why not/),
  inside({ Success: true, Code: 'OK', HttpStatusCode: 500 }, 'unavailable', true, true, /may have been done/),
  inside({ Code: 'OK', HttpStatusCode: 200 }, 'unavailable', true, true, /neither yes nor why not/),
  ['200 that is not JSON', { body: '<html>' }, 'unknown-outcome', true, true, /not its own JSON.*"endpoint"/],
  ['200 that is empty', { body: '' }, 'unknown-outcome', true, true, /not its own JSON/],
  ['200 that is other JSON', { body: { hello: 1 } }, 'unknown-outcome', true, true, /not its own JSON/],
  ['200 that is an array', { body: [] }, 'unknown-outcome', true, true, /not its own JSON/],
  ['a reset', { reset: true }, 'unknown-outcome', true, true, /no whole answer/],
  ['a hang', { hang: true }, 'unknown-outcome', true, true, /no answer within/],
];

const service = (status: number, code: string, ...expected: Expected): Row => [
  `${status} ${code}`,
  { status, body: { error_code: code, error_msg: 'vendor words', request_id: 'r' } },
  ...expected,
];
const apigw = (status: number, codes: string, ...expected: Expected): Row[] =>
  codes.split(' ').map((code) => service(status, `APIGW.${code}`, ...expected));

const DOUBT = /may have been created/;
const DATAARTS_ROWS: Row[] = [
  ...apigw(404, '0101', 'missing', false, false, /"endpoint" or "region".*dayu/),
  ...apigw(404, '0103', 'missing', false, false, /"endpoint" or "region"/),
  ...apigw(400, '0104 0105 0106 0607', 'invalid', false, false, /"endpoint" or "region"/),
  ...apigw(400, '0201 0602', 'invalid', false, false, /manifest.*"workspace_id"/),
  ...apigw(413, '0201', 'invalid', false, false, /split the entry/),
  ...apigw(414, '0201', 'invalid', false, false, /split the entry/),
  ...apigw(494, '0201', 'invalid', false, false, /"security_token"/),
  ...apigw(502, '0201 0610', 'unknown-outcome', false, true, DOUBT),
  ...apigw(504, '0201', 'unknown-outcome', false, true, DOUBT),
  ...apigw(401, '0301', 'denied', false, false, /"ak" and "sk".*5 failures.*5 minutes/),
  ...apigw(401, '0303', 'denied', false, false, /clock.*15 minutes/),
  ...apigw(401, '0305 0311', 'denied', false, false, /"ak" and "sk"/),
  ...apigw(401, '0307', 'denied', false, false, /"security_token".*expired/),
  ...apigw(403, '0302 0304 0306', 'denied', false, false, /DAYU/),
  ...apigw(403, '0310', 'denied', false, false, /"project_id"/),
  ...apigw(403, '0401 0402 0404', 'denied', false, false, /IP address/),
  ...apigw(403, '0801 0802', 'denied', false, false, /"region"/),
  ...apigw(429, '0308', 'throttled', true, false, /"calls_per_second"/),
  ...apigw(405, '0501 0502', 'denied', false, false, /quota/),
  ...apigw(500, '0601 0605 0606 0608 0609 0611 0612 0705', 'unknown-outcome', false, true, DOUBT),
  ...apigw(503, '0613', 'unavailable', true, false, /nothing was done/),
  ...apigw(503, '0601', 'unknown-outcome', false, true, DOUBT),
  ...apigw(405, '0101', 'rejected', false, false, /"endpoint"/),
  service(400, 'DLG.0001', 'invalid', false, false, /manifest/),
  service(401, 'DLG.0001', 'denied', false, false, /"ak" and "sk"/),
  service(403, 'DLG.0001', 'denied', false, false, /"workspace_id"/),
  service(404, 'DLG.0001', 'missing', false, false, /"project_id" and "workspace_id"/),
  service(409, 'DLG.0001', 'conflict', false, false, /excludes/),
  service(418, 'DLG.0001', 'rejected', false, false, /"endpoint"/),
  [
    'nested error',
    { status: 403, body: { error: { code: 'APIGW.0310', message: 'm' } } },
    'denied',
    false,
    false,
    /"m".*project_id/,
  ],
  ['503 as HTML', { status: 503, body: '<html>' }, 'unknown-outcome', false, true, DOUBT],
  ['307', { status: 307, headers: { location: '/' } }, 'rejected', false, false, /"endpoint"/],
  ['201', { status: 201, body: [{ name: 'n' }] }, 'unknown-outcome', false, true, DOUBT],
  ['200 with an empty array', { body: [] }, 'unknown-outcome', false, true, DOUBT],
  ['200 with an object', { body: { name: 'n' } }, 'unknown-outcome', false, true, DOUBT],
  ['200 that is not JSON', { body: 'oops' }, 'unknown-outcome', false, true, DOUBT],
  ['a reset', { reset: true }, 'unknown-outcome', false, true, /no whole answer/],
  ['a hang', { hang: true }, 'unknown-outcome', false, true, /no answer within/],
];

async function failing(run: Promise<unknown>): Promise<Failure> {
  const thrown = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeDefined();
  return asFailure(thrown);
}

function expectFailure(
  failure: Failure,
  [kind, again, maybeApplied, names]: Expected,
  secrets: readonly string[],
): void {
  expect({ kind: failure.kind, maybeApplied: failure.maybeApplied }).toEqual({ kind, maybeApplied });
  expect(failure.message).toMatch(names);
  for (const secret of secrets) expect(failure.message).not.toContain(secret);
  expect(server.seen).toHaveLength(again ? 3 : 1);
}

describe('Dataphin answers', () => {
  it.each(DATAPHIN_ROWS)('%s', async (_what, answer, ...expected) => {
    const { io, options, close } = surroundings();
    server.answers(answer);
    const client = dataphin.connect({ ...DATAPHIN_SECRET, endpoint: server.url }, io);
    const failure = await failing(client.register?.(dataphinCall, options) ?? Promise.resolve());
    expectFailure(failure, expected, [DATAPHIN_SECRET.access_key_secret, DATAPHIN_SECRET.access_key_id]);
    const each = (name: string) => new Set(server.seen.map((seen) => seen.headers[name])).size;
    expect([each('x-acs-signature-nonce'), each('x-acs-date')]).toEqual([server.seen.length, server.seen.length]);
    for (const seen of server.seen) {
      const sentMs = Date.parse(seen.headers['x-acs-date'] ?? '');
      expect(verifyAcs3(seen, DATAPHIN_SECRET.access_key_secret, sentMs).ok).toBe(true);
    }
    await close();
  });
});

describe('DataArts answers', () => {
  it.each(DATAARTS_ROWS)('%s', async (_what, answer, ...expected) => {
    const { io, options, close } = surroundings();
    server.answers(answer);
    const client = dataarts.connect({ ...DATAARTS_SECRET, endpoint: server.url }, io);
    const failure = await failing(client.register?.(dataartsCall, options) ?? Promise.resolve());
    expectFailure(failure, expected, [DATAARTS_SECRET.ak, DATAARTS_SECRET.sk]);
    expect(new Set(server.seen.map((seen) => seen.headers['x-sdk-date'])).size).toBe(server.seen.length);
    for (const seen of server.seen) {
      const date = seen.headers['x-sdk-date'] ?? '';
      const sentMs = Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
      expect(verifySdkHmac(seen, DATAARTS_SECRET.sk, sentMs).ok).toBe(true);
    }
    await close();
  });
});

describe('what a failure tells', () => {
  const dataphinFailure = async (answer: Scripted) => {
    const { io, options, close } = surroundings();
    server.answers(answer);
    const client = dataphin.connect({ ...DATAPHIN_SECRET, endpoint: server.url }, io);
    const failure = await failing(client.register?.(dataphinCall, options) ?? Promise.resolve());
    await close();
    return failure;
  };

  it('holds code, status and request id', async () => {
    const failure = await dataphinFailure({ status: 403, body: gatewayBody('Forbidden.RAM') });
    expect(failure).toMatchObject({ code: 'Forbidden.RAM', status: 403, requestId: gatewayBody('')['RequestId'] });
  });
  it('quotes the vendor on one line, cut, and without our secrets', async () => {
    const words = `no\u0000 \u202e\nway testAccessKeySecret for testAccessKeyId ${'x'.repeat(1_000)}`;
    const { message } = await dataphinFailure({ status: 403, body: gatewayBody('Forbidden', words) });
    expect(message).toContain('"no way [redacted] for [redacted] xxx');
    expect(message.length).toBeLessThan(600);
    expect(message).not.toMatch(/\p{Cc}|\p{Cf}/u);
  });
  it('obeys x-acs-retry-after in milliseconds and Retry-After in seconds', async () => {
    const busy = { status: 400, body: gatewayBody('Throttling') };
    expect((await dataphinFailure({ ...busy, headers: { 'x-acs-retry-after': '1500' } })).retryAfterMs).toBe(1_500);
    expect((await dataphinFailure({ ...busy, headers: { 'retry-after': '2' } })).retryAfterMs).toBe(2_000);
  });
  it('does not retry what certainly never left, beyond three attempts', async () => {
    const { io, options, close } = surroundings();
    const client = dataarts.connect({ ...DATAARTS_SECRET, endpoint: 'http://127.0.0.1:1' }, io);
    const failure = await failing(client.register?.(dataartsCall, options) ?? Promise.resolve());
    expect(failure).toMatchObject({ kind: 'unavailable', maybeApplied: false });
    await close();
  });
});
