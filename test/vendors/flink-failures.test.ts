import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asFailure, type FailureKind } from '../../shared/core/failure.ts';
import { verifyAcs3 } from '../../shared/signing/acs3.ts';
import { flink } from '../../shared/vendors/flink/index.ts';
import type { LineageQuery } from '../../shared/vendors/vendor.ts';
import { FLINK_SECRET, gatewayBody, loopback, type Scripted, surroundings } from './loopback.ts';

let server: Awaited<ReturnType<typeof loopback>>;
beforeAll(async () => {
  server = await loopback();
});
afterAll(() => server.close());

type Expected = [kind: FailureKind, again: boolean, names: RegExp];
type Row = [what: string, answer: Scripted, ...Expected];

const gateway = (status: number, code: string, ...expected: Expected): Row => [
  `${status} ${code}`,
  { status, body: gatewayBody(code) },
  ...expected,
];
/** `success: false` inside HTTP 200. */
const inside = (errorCode: unknown, errorMessage: unknown, ...expected: Expected): Row => [
  `200 ${errorCode} ${errorMessage}`,
  { body: { requestId: 'R', success: false, httpCode: 200, errorCode, errorMessage, data: null } },
  ...expected,
];

const KEY_ID = /"access_key_id"/;
const ROWS: Row[] = [
  gateway(400, 'MissingParameter', 'invalid', false, /job, deployment or table/),
  gateway(400, 'MissingWorkspace', 'invalid', false, /"workspace"/),
  gateway(400, 'InvalidParameter.Format', 'invalid', false, /"workspace" and "namespace"/),
  gateway(404, 'InvalidApi.NotFound', 'unsupported', false, /"endpoint" or "region"/),
  gateway(404, 'InvalidAction.NotFound', 'unsupported', false, /"endpoint" or "region"/),
  gateway(404, 'InvalidProduct.NotFound', 'unsupported', false, /"endpoint" or "region"/),
  gateway(404, 'InvalidVersion', 'unsupported', false, /"endpoint" or "region"/),
  gateway(404, 'InvalidProtocol.NeedSsl', 'denied', false, /"endpoint".*https/),
  gateway(404, 'InvalidAccessKeyId.NotFound', 'denied', false, KEY_ID),
  gateway(400, 'InvalidAccessKeyId.NotFound', 'denied', false, KEY_ID),
  gateway(400, 'InvalidAccessKeyId.Inactive', 'denied', false, /disabled/),
  gateway(400, 'InvalidTimeStamp.Format', 'denied', false, /clock.*x-acs-date/),
  gateway(400, 'MissingTimeStamp', 'denied', false, /clock/),
  gateway(400, 'InvalidTimeStamp.Expired', 'denied', false, /clock/),
  gateway(400, 'MissingAccessKeyId', 'denied', false, KEY_ID),
  gateway(400, 'MissingSecurityToken', 'denied', false, /temporary.*"security_token"/),
  gateway(400, 'MissingSignature', 'denied', false, /"endpoint"/),
  gateway(400, 'InvalidSecurityToken', 'denied', false, /"security_token"/),
  gateway(400, 'SecurityTokenExpired', 'denied', false, /"security_token"/),
  gateway(400, 'SignatureNonceUsed', 'unavailable', true, /proxy/),
  gateway(400, 'InvalidSignatureMethod', 'denied', false, /"endpoint"/),
  gateway(400, 'IncompleteSignature', 'denied', false, /"endpoint"/),
  gateway(400, 'SignatureDoesNotMatch', 'denied', false, /"access_key_secret"/),
  gateway(403, 'SignatureDoesNotMatch', 'denied', false, /"access_key_secret"/),
  gateway(400, 'UnsupportedHTTPMethod', 'unsupported', false, /"endpoint"/),
  gateway(403, 'UnsupportedHTTPMethod', 'unsupported', false, /"endpoint"/),
  gateway(400, 'Throttling', 'throttled', true, /"calls_per_second"/),
  gateway(400, 'Throttling.User', 'throttled', true, /"calls_per_second"/),
  gateway(400, 'Throttling.Api', 'throttled', true, /"calls_per_second"/),
  gateway(503, 'Throttling.User', 'throttled', true, /"calls_per_second"/),
  gateway(429, 'Anything', 'throttled', true, /"calls_per_second"/),
  gateway(403, 'Forbidden', 'denied', false, /stream:ListDeployments.*"workspace"/),
  gateway(403, 'Forbidden.RAM', 'denied', false, /RAM/),
  gateway(403, 'NoPermission', 'denied', false, /"workspace"/),
  gateway(401, 'SomethingElse', 'denied', false, KEY_ID),
  gateway(403, 'SomethingElse', 'denied', false, /"workspace"/),
  gateway(500, 'InternalError', 'unavailable', true, /try again later/),
  gateway(503, 'ServiceUnavailable', 'unavailable', true, /try again later/),
  gateway(504, 'SomethingElse', 'unavailable', true, /try again later/),
  gateway(408, 'SomethingElse', 'unavailable', true, /try again later/),
  gateway(404, 'SomethingElse', 'missing', false, /"namespace".*"endpoint"/),
  gateway(404, 'Job.NotFound', 'missing', false, /"namespace"/),
  gateway(409, 'SomethingElse', 'rejected', false, /support/),
  [
    'gateway body in small letters',
    { status: 403, body: { code: 'Forbidden.RAM', message: 'm' } },
    'denied',
    false,
    /"m".*RAM/,
  ],
  inside('JobNotFound', 'no', 'missing', false, /"namespace"/),
  inside('990301', 'The job does not exist.', 'missing', false, /"namespace"/),
  inside('', 'Job 1 is not found', 'missing', false, /"namespace"/),
  inside('Throttling.User', 'slow down', 'throttled', true, /"calls_per_second"/),
  inside('990302', 'Too many requests', 'throttled', true, /"calls_per_second"/),
  inside('InternalError', 'oops', 'unavailable', true, /try again later/),
  inside('990303', 'internal error', 'unavailable', true, /try again later/),
  inside('990304', 'request timed out', 'unavailable', true, /try again later/),
  inside('Forbidden', 'no', 'denied', false, /"workspace"/),
  inside('990305', 'Permission denied', 'denied', false, /"workspace"/),
  inside('990307', 'You are not authorized to do this action.', 'denied', false, /"workspace"/),
  inside('990307', 'User not authorised to operate on the namespace', 'denied', false, /"workspace"/),
  inside('990307', 'there is no permission for it', 'denied', false, /"workspace"/),
  inside('990307', 'there is no job', 'missing', false, /"namespace"/),
  inside('990308', 'isTemporary says it is a temporary table', 'rejected', false, /support/),
  inside('990308', 'temporary failure', 'unavailable', true, /try again later/),
  inside('990308', 'temporarily out of service', 'unavailable', true, /try again later/),
  inside('InvalidIdType', 'no', 'invalid', false, /job, deployment or table/),
  inside('990306', 'strange', 'rejected', false, /"strange".*support/),
  inside('""', '""', 'rejected', false, /\(HTTP 200\)\. Check/),
  inside(null, null, 'rejected', false, /\(HTTP 200\)\. Check/),
  ['200 without success', { body: { requestId: 'R', data: { nodes: [] } } }, 'unavailable', true, /"endpoint"/],
  ['200 with success as text', { body: { success: 'true', data: {} } }, 'unavailable', true, /"endpoint"/],
  ['200 that is not JSON', { body: '<html>' }, 'unavailable', true, /"endpoint"/],
  ['200 that is empty', { body: '' }, 'unavailable', true, /"endpoint"/],
  ['200 that is an array', { body: [] }, 'unavailable', true, /"endpoint"/],
  ['200 with broken data', { body: { success: true, data: { nodes: 1 } } }, 'unavailable', false, /cannot be read/],
  ['302', { status: 302, headers: { location: '/' } }, 'rejected', false, /Redirects.*"endpoint"/],
  ['502 as HTML', { status: 502, body: '<html>Bad Gateway</html>' }, 'unavailable', true, /HTTP 502/],
  ['a reset', { reset: true }, 'unavailable', true, /no whole answer/],
  ['a hang', { hang: true }, 'unavailable', true, /no answer within/],
];

const query: LineageQuery = { start: { jobId: 'j' }, direction: 'both', depth: 1, level: 'table', temporary: false };

async function failing(answer: Scripted) {
  const { io, options, close } = surroundings();
  server.answers(answer);
  const client = flink.connect({ ...FLINK_SECRET, endpoint: server.url }, io);
  const thrown = await client.lineage?.(query, options).then(
    () => undefined,
    (error: unknown) => error,
  );
  await close();
  expect(thrown).toBeDefined();
  return asFailure(thrown);
}

describe('Flink answers', () => {
  it.each(ROWS)('%s', async (_what, answer, kind, again, names) => {
    const failure = await failing(answer);
    expect({ kind: failure.kind, maybeApplied: failure.maybeApplied }).toEqual({ kind, maybeApplied: false });
    expect(failure.message).toMatch(names);
    expect(failure.message).not.toMatch(/testAccessKey|may have been carried out/);
    expect(server.seen).toHaveLength(again ? 3 : 1);
    expect(new Set(server.seen.map((seen) => seen.headers['x-acs-signature-nonce'])).size).toBe(server.seen.length);
    for (const seen of server.seen) {
      const sentMs = Date.parse(seen.headers['x-acs-date'] ?? '');
      expect(verifyAcs3(seen, FLINK_SECRET.access_key_secret, sentMs).ok).toBe(true);
      expect(seen.headers['workspace']).toBe(FLINK_SECRET.workspace);
    }
  });
  it('holds code, status, request id and how long to wait', async () => {
    const busy = { status: 400, body: gatewayBody('Throttling.User') };
    expect(await failing({ ...busy, headers: { 'x-acs-retry-after': '1500' } })).toMatchObject({
      code: 'Throttling.User',
      status: 400,
      requestId: gatewayBody('')['RequestId'],
      retryAfterMs: 1_500,
    });
    expect((await failing({ ...busy, headers: { 'retry-after': '2' } })).retryAfterMs).toBe(2_000);
    expect((await failing(busy)).retryAfterMs).toBeUndefined();
  });
  it('does not quote our secrets', async () => {
    const words = 'no testAccessKeySecret for testAccessKeyId';
    expect((await failing({ status: 403, body: gatewayBody('Forbidden', words) })).message).toContain(
      '"no [redacted] for [redacted]"',
    );
  });
});
