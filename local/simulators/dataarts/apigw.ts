import { randomUUID } from 'node:crypto';
import type { AnsweringFault } from '../faults.ts';
import type { Answer, Json } from '../product.ts';

/** A refusal: HTTP status, `error_code` and `error_msg` (Huawei, "API Request Signing Guide", error codes, read 2026-11). */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message };
}

/** The service's own code list is not published; this one is made up. */
export const SERVICE_CODE = 'DLG.SIMULATED';

export const noSuchApi = refusal(
  404,
  'APIGW.0101',
  'The API does not exist or has not been published in the environment',
);

export function errorAnswer(reason: Refusal): Answer {
  const id = requestId();
  return {
    status: reason.status,
    headers: { 'x-request-id': id },
    body: { error_code: reason.code, error_msg: reason.message, request_id: id },
    outcome: reason.code,
  };
}

export function okAnswer(body: Json): Answer {
  return { status: 200, headers: { 'x-request-id': requestId() }, body, outcome: 'ok' };
}

export const gatewayFaults: Readonly<Record<Exclude<AnsweringFault, 'success-false'>, Refusal>> = {
  throttle: refusal(429, 'APIGW.0308', 'The throttling threshold has been reached: policy user over ratelimit'),
  unavailable: refusal(503, 'APIGW.0613', 'IAM is unavailable'),
  internal: refusal(500, 'APIGW.0601', 'Internal server error'),
  denied: refusal(403, 'APIGW.0306', 'API access denied'),
  'not-found': refusal(404, SERVICE_CODE, 'The object does not exist (simulated; code not documented)'),
  invalid: refusal(400, 'APIGW.0201', 'Invalid request parameters'),
};

function requestId(): string {
  return randomUUID().replaceAll('-', '');
}
