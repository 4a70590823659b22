import { randomUUID } from 'node:crypto';
import { type Answer, json, type Refused } from '../../shared/triggers/http.ts';
import { refused } from './dataphin.ts';

/**
 * What the vendors' gateways say to a call that reaches no route of theirs, in their envelopes. Undefined: the path is no vendor's.
 *
 * Huawei, "API Request Signing Guide", error codes, read 2026-11: another method or a trailing slash is an API that does not exist, 404
 * APIGW.0101; a body that is too large is 413 APIGW.0201. Alibaba, public error codes, read 2026-11: another method is 400
 * UnsupportedHTTPMethod, and 404 InvalidApi.NotFound what does not exist. They have no code for bodies; 413 says it.
 */
export function refusedCall({ status, path, headers }: Refused): Answer | undefined {
  if (/^\/v1\/[^/]+\/lineage\/lineage-info\/?$/.test(path)) return ofHuawei(status);
  const flink = /^\/meta\/v2\/lineage\/?$/.test(path);
  // `GET /` is a page as well, and everybody's.
  const dataphin = path === '/' && (status === 413 || 'x-acs-action' in headers);
  if (!flink && !dataphin) return undefined;
  return refused(
    { ...ALIBABA[status], status: status === 405 ? 400 : status },
    { headers },
    randomUUID().toUpperCase(),
  );
}

const ALIBABA = {
  404: { code: 'InvalidApi.NotFound', message: 'Specified api is not found; the path has no slash at its end.' },
  405: { code: 'UnsupportedHTTPMethod', message: 'This http method is not supported; use POST.' },
  413: { code: 'InvalidParameter.Format', message: 'The request body is too large.' },
} as const;

const HUAWEI = {
  404: 'The API does not exist or has not been published in the environment: the path has no slash at its end',
  405: 'The API does not exist or has not been published in the environment: its method is POST',
  413: 'Invalid parameter value: the request body is too large',
} as const;

function ofHuawei(refusal: Refused['status']): Answer {
  const id = randomUUID().replaceAll('-', '');
  const [status, code] = refusal === 413 ? [413, 'APIGW.0201'] : [404, 'APIGW.0101'];
  return json(status, { error_code: code, error_msg: HUAWEI[refusal], request_id: id }, { 'x-request-id': id });
}
