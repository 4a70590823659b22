import { type Refusal, requestId } from '../alibaba-gateway.ts';
import type { Answer, Json } from '../product.ts';

/** A success. `asText` gives the form of the vendor's own example: Success "Success", Message "internal error". */
export function success(data: Readonly<Record<string, Json>>, asText: boolean): Answer {
  const id = requestId();
  return {
    status: 200,
    headers: { 'x-acs-request-id': id },
    body: {
      ...data,
      RequestId: id,
      Message: asText ? 'internal error' : 'successful',
      HttpStatusCode: 200,
      Code: 'OK',
      Success: asText ? 'Success' : true,
    },
    outcome: 'ok',
  };
}

/** A failure inside HTTP 200. */
export function failure(reason: Refusal): Answer {
  const id = requestId();
  return {
    status: 200,
    headers: { 'x-acs-request-id': id },
    body: { RequestId: id, Message: reason.message, HttpStatusCode: reason.status, Code: reason.code, Success: false },
    outcome: reason.code,
  };
}
