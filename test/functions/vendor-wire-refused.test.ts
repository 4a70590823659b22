import { expect, it } from 'vitest';
import { entry } from '../../functions/vendor-wire/wire.ts';
import { findRoute } from '../../shared/triggers/http.ts';
import { type Local, local } from './local.ts';

/** What reaches no route on a path of a vendor is refused as that vendor's gateway would. */

const LINEAGE = '/v1/0833a5737480d53b2f25c010dc1a7b88/lineage/lineage-info';
const LARGE = 'x'.repeat(6 * 1024 * 1024 + 1);
const ACS = { 'x-acs-action': 'AddRegisterLineage' };

async function asked(at: Local, method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await at.request(method, path, body, headers);
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

it('says in DataArts’ envelope that there is no such API, and that a body is too large', async () => {
  const at = await local();
  for (const [method, path, body, status, code] of [
    ['DELETE', LINEAGE, undefined, 404, 'APIGW.0101'],
    ['GET', LINEAGE, undefined, 404, 'APIGW.0101'],
    ['POST', `${LINEAGE}/`, '{}', 404, 'APIGW.0101'],
    ['POST', LINEAGE, LARGE, 413, 'APIGW.0201'],
  ] as const) {
    const answer = await asked(at, method, path, body);
    expect([method, path, answer.status, answer.body['error_code']]).toEqual([method, path, status, code]);
    expect(Object.keys(answer.body)).toEqual(['error_code', 'error_msg', 'request_id']);
    expect(answer.headers.get('x-request-id')).toBe(answer.body['request_id']);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.body['error_msg']).not.toMatch(/manifest/);
  }
});

it('says the like in the envelope of Alibaba’s gateway', async () => {
  const at = await local();
  for (const [method, path, body, headers, status, code] of [
    ['GET', '/meta/v2/lineage', undefined, {}, 400, 'UnsupportedHTTPMethod'],
    ['POST', '/meta/v2/lineage/', '{}', {}, 404, 'InvalidApi.NotFound'],
    ['POST', '/meta/v2/lineage', LARGE, {}, 413, 'InvalidParameter.Format'],
    ['PUT', '/', '', ACS, 400, 'UnsupportedHTTPMethod'],
    ['POST', '/', LARGE, ACS, 413, 'InvalidParameter.Format'],
  ] as const) {
    const answer = await asked(at, method, path, body, headers);
    expect([method, path, answer.status, answer.body['Code']]).toEqual([method, path, status, code]);
    expect(answer.body).toMatchObject({ HostId: new URL(at.runtime.url).host, Message: expect.any(String) });
    expect(answer.headers.get('x-acs-request-id')).toBe(answer.body['RequestId']);
    expect(answer.body['Message']).not.toMatch(/manifest/);
  }
});

it('leaves everybody else’s paths as they are', async () => {
  const at = await local();
  for (const [method, path, status] of [
    ['PUT', '/', 405],
    ['GET', '/v1/p/lineage', 404],
    ['GET', `${LINEAGE}/more`, 404],
    ['GET', '/v1//lineage/lineage-info', 404],
  ] as const) {
    const answer = await asked(at, method, path);
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
      path,
      status,
      'application/problem+json',
    ]);
  }
  expect((await at.request('GET', '/', undefined, ACS)).status).toBe(200);
  // A page may ask before it calls what is there.
  expect(findRoute(entry, 'OPTIONS', LINEAGE).allowed).toEqual(['POST']);
});
