import { randomUUID } from 'node:crypto';
import type { AnsweringFault } from './faults.ts';
import type { Answer, Arrived } from './product.ts';

/** A refusal in the words of Alibaba's gateway, before it is dressed as an answer. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message };
}

/** Request ids look like `82E78D6B-AA8F-1FEF-8AA3-5C9DA2A79140`. */
export function requestId(): string {
  return randomUUID().toUpperCase();
}

/** The gateway's error body, as Alibaba's error-code pages show it (read 2026-11). */
export function gatewayError(arrived: Arrived, product: string, reason: Refusal): Answer {
  const id = requestId();
  return {
    status: reason.status,
    headers: { 'x-acs-request-id': id },
    body: {
      RequestId: id,
      HostId: arrived.headers.host ?? '',
      Code: reason.code,
      Message: reason.message,
      Recommend: `https://api.aliyun.com/troubleshoot?q=${encodeURIComponent(reason.code)}&product=${product}&requestId=${id}&source=PopGw`,
    },
    outcome: reason.code,
  };
}

/**
 * Gateway answers to order. Flow control is HTTP 400 at Alibaba, not 429.
 * The code of `not-found` is made up: which one the product sends for a missing asset is not documented.
 */
export const gatewayFaults: Readonly<Record<Exclude<AnsweringFault, 'success-false'>, Refusal>> = {
  throttle: refusal(400, 'Throttling.User', 'Request was denied due to user flow control.'),
  unavailable: refusal(503, 'ServiceUnavailable', 'The request has failed due to a temporary failure of the server.'),
  internal: refusal(500, 'InternalError', 'The request processing has failed due to some unknown error.'),
  denied: refusal(403, 'Forbidden.RAM', 'User not authorized to operate on the specified resource.'),
  'not-found': refusal(
    404,
    'Simulated.NotFound',
    'The specified object is not found (simulated; code not documented).',
  ),
  invalid: refusal(400, 'InvalidParameter.Format', 'The specified parameter is not valid.'),
};
