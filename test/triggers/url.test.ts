import { gunzipSync } from 'node:zlib';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { expect, test } from 'vitest';
import { entry as reconcile } from '../../functions/scheduled-reconcile/http.ts';
import { invocation } from '../../local/invocation.ts';
import { type Answer, functionUrl, type Request } from '../../shared/triggers/http.ts';
import { opened } from './opened.ts';

const MIB = 1024 * 1024;

async function asked(
  change: Partial<APIGatewayProxyEventV2>,
  handle: (request: Request) => Answer = () => ({ status: 200 }),
  options: { readonly aws?: boolean } = {},
) {
  const seen: Request[] = [];
  const entry = functionUrl([
    {
      method: 'POST',
      path: '/things/{name+}',
      async handle(request) {
        seen.push(request);
        return handle(request);
      },
    },
  ]);
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/things/a%20b/c%2Fd',
    rawQueryString: '',
    headers: {},
    requestContext: { http: { method: 'POST' } },
    isBase64Encoded: false,
    ...change,
  } as APIGatewayProxyEventV2;
  const answer = await entry.open(await opened(options))(event, invocation('things', 60_000, 'r1'));
  return { answer, request: seen[0] };
}

test.each([
  ['as text', { body: 'grün\n', isBase64Encoded: false }],
  ['in base64', { body: Buffer.from('grün\n').toString('base64'), isBase64Encoded: true }],
])('a body %s is the same bytes', async (_, change) => {
  const { request } = await asked(change);
  expect(Buffer.from(request?.body ?? []).toString('utf8')).toBe('grün\n');
});

test('the path is decoded once, headers are in lower case, cookies are among them', async () => {
  const { request } = await asked({ headers: { 'Content-Type': 'text/plain' }, cookies: ['a=1', 'b=2'] });
  expect(request?.params).toEqual({ name: 'a b/c/d' });
  expect(request?.headers).toEqual({ 'content-type': 'text/plain', cookie: 'a=1; b=2' });
});

test('an event without headers or body is an empty request', async () => {
  const { answer, request } = await asked({ headers: undefined as unknown as Record<string, string> });
  expect([answer.statusCode, request?.headers, request?.body.byteLength]).toEqual([200, {}, 0]);
});

test('in AWS a body above 4 MiB is refused, and the way that works is named', async () => {
  const body = 'x'.repeat(4 * MIB + 1);
  const { answer, request } = await asked({ body }, undefined, { aws: true });
  expect([answer.statusCode, request]).toEqual([413, undefined]);
  expect(answer.body).toMatch(/bucket under manifests\//);
  expect((await asked({ body: body.slice(1) }, undefined, { aws: true })).answer.statusCode).toBe(200);
  expect((await asked({ body })).answer.statusCode).toBe(200);
});

test('who only wants to see a plan is not told to drop into the bucket what it is made of', async () => {
  const event = {
    ...{ version: '2.0', routeKey: '$default', rawPath: '/reconcile', rawQueryString: '', headers: {} },
    ...{ requestContext: { http: { method: 'POST' } }, isBase64Encoded: false, body: 'x'.repeat(4 * MIB + 1) },
  } as APIGatewayProxyEventV2;
  const answer = await reconcile.open(await opened({ aws: true }))(event, invocation('things', 60_000, 'r1'));
  expect(answer.statusCode).toBe(413);
  expect(answer.body).toMatch(/plan fewer manifests at once .*npm run plan/);
  expect(answer.body).not.toMatch(/drop/);
});

// Quotes and line ends take two bytes where the platform carries them.
const large = '"\n'.repeat(2 * MIB);

test('an answer that the platform would not carry is compressed for whoever reads that', async () => {
  const { answer } = await asked({ headers: { 'Accept-Encoding': 'br, GZip' } }, () => ({ status: 200, body: large }));
  expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { 'content-encoding': 'gzip' } });
  expect(gunzipSync(Buffer.from(answer.body ?? '', 'base64')).toString('utf8')).toBe(large);
});

test.each([
  ['text', large, {}],
  ['text', large, { 'accept-encoding': 'gzip;q=0' }],
  ['bytes', Buffer.alloc(5 * MIB), {}],
])('else it becomes a problem that says what to do instead (%s)', async (_, body, headers) => {
  const { answer } = await asked({ headers }, () => ({ status: 200, body }));
  expect(answer).toMatchObject({
    statusCode: 413,
    headers: { 'content-type': 'application/problem+json', 'x-content-type-options': 'nosniff' },
  });
  expect(answer.body).toMatch(/ask for less.*accept gzip/);
});

test('an answer just below the limit goes as it is', async () => {
  const body = 'x'.repeat(6 * MIB - 40_000);
  expect((await asked({}, () => ({ status: 200, body }))).answer.body).toBe(body);
});
