import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

const zip = promisify(gzip);

/** Request and answer of a function URL, as JSON, in bytes (AWS, Lambda quotas, read 2026-11). */
const PAYLOAD_BYTES = 6 * 1024 * 1024;
/** What an answer's status, headers and the envelope itself take of it at the most. */
const ENVELOPE_BYTES = 32 * 1024;

/** The largest body that still fits into a request when the platform has written it in base64, in bytes. */
export const REQUEST_BYTES = 4 * 1024 * 1024;

const read = new WeakMap<APIGatewayProxyEventV2, Record<string, string>>();

/** Headers by lower-case name; cookies, which the platform hands over apart, are back among them. */
export function headersOf(event: APIGatewayProxyEventV2): Record<string, string> {
  const known = read.get(event);
  if (known !== undefined) return known;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(event.headers ?? {})) headers[name.toLowerCase()] = value ?? '';
  if (event.cookies && event.cookies.length > 0) headers['cookie'] = event.cookies.join('; ');
  read.set(event, headers);
  return headers;
}

/**
 * Whether a list of entity tags, as in If-Match and If-None-Match, names this one, given without its quotes; `*` names any (RFC 9110, 8.8.3
 * and 13.1, read 2026-11). `strong`: weak tags name nothing.
 */
export function namesTag(list: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (etag === undefined) return false;
  if (list.trim() === '*') return true;
  const tags = [...list.matchAll(/(W\/)?"([^"]*)"/g)];
  return tags.some(([, weak, tag]) => tag === etag && (weak === undefined || comparison === 'weak'));
}

/** The body's bytes, whichever way the platform wrote them: text as it is, anything else in base64. */
export function bodyOf(event: APIGatewayProxyEventV2): Uint8Array {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
}

/**
 * The result if the platform takes it, else the same compressed for a caller that reads gzip; undefined when it is too large either
 * way. Without this the platform would throw the answer away and say 502.
 */
export async function fitting(
  result: APIGatewayProxyStructuredResultV2,
  acceptEncoding: string | undefined,
): Promise<APIGatewayProxyStructuredResultV2 | undefined> {
  const room = PAYLOAD_BYTES - ENVELOPE_BYTES;
  const body = result.body ?? '';
  if (carriedBytes(result) <= room) return result;
  if (
    result.headers?.['content-encoding'] !== undefined ||
    !/\bgzip\b(?!\s*;\s*q=0(?:[,\s]|$))/i.test(acceptEncoding ?? '')
  )
    return undefined;
  const zipped = (await zip(Buffer.from(body, result.isBase64Encoded ? 'base64' : 'utf8'))).toString('base64');
  if (zipped.length > room) return undefined;
  return {
    ...result,
    headers: { ...result.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' },
    body: zipped,
    isBase64Encoded: true,
  };
}

/** Bytes of the body inside a JSON document, where quotes and line ends of text take two. */
function carriedBytes({ body = '', isBase64Encoded }: APIGatewayProxyStructuredResultV2): number {
  return isBase64Encoded ? body.length : Buffer.byteLength(JSON.stringify(body));
}
