import {
  type CanonicalInput,
  canonicalHeaders,
  canonicalPart,
  canonicalPath,
  canonicalQuery,
  hmacHex,
  parseTarget,
  type ReceivedRequest,
  type SignableRequest,
  sameText,
  sha256Hex,
  signedHeaders,
} from './canonical.ts';

/**
 * SDK-HMAC-SHA256, the AK/SK signature of Huawei Cloud's API gateway.
 * Source: Huawei, "API Request Signing Guide", read 2026-11; proved on the vectors in test/vectors.
 */
export const SDK_HMAC_ALGORITHM = 'SDK-HMAC-SHA256';

export interface SdkHmacCredentials {
  readonly ak: string;
  readonly sk: string;
  /** Temporary credentials only. */
  readonly securityToken?: string;
}

/** Why a received signature is not accepted, in the gateway's own code and words. */
export type SdkHmacVerdict =
  | { readonly ok: true; readonly ak: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

const WINDOW_MS = 900_000;

/**
 * All headers to send, lower-case, `authorization` included; all of them but `accept` and `user-agent` are signed.
 * `date` is the instant of this attempt. The body is hashed once.
 */
export function signSdkHmac(
  request: SignableRequest,
  credentials: SdkHmacCredentials,
  attempt: { readonly date: Date },
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name in request.headers) headers[name.toLowerCase()] = request.headers[name] as string;
  headers['host'] = request.host;
  const date = sdkDate(attempt.date);
  headers['x-sdk-date'] = date;
  if (credentials.securityToken !== undefined) headers['x-security-token'] = credentials.securityToken;
  const { lines, names } = canonicalPart(headers, isSigned);
  const canonical = joinCanonical(request, sha256Hex(request.body), lines, names);
  const signature = hmacHex(credentials.sk, stringToSign(canonical, date));
  headers['authorization'] =
    `${SDK_HMAC_ALGORITHM} Access=${credentials.ak}, SignedHeaders=${names}, Signature=${signature}`;
  return headers;
}

/** Step 1. The path always ends with `/` here, even where the URL does not. */
export function canonicalRequest(input: CanonicalInput): string {
  const { lines, names } = canonicalHeaders(input.signed);
  return joinCanonical(input, input.bodyHash, lines, names);
}

function joinCanonical(
  request: Pick<CanonicalInput, 'method' | 'path' | 'query'>,
  bodyHash: string,
  lines: string,
  names: string,
): string {
  const path = canonicalPath(request.path);
  const closed = path.endsWith('/') ? path : `${path}/`;
  return `${request.method.toUpperCase()}\n${closed}\n${canonicalQuery(request.query)}\n${lines}\n${names}\n${bodyHash}`;
}

/** Step 2: algorithm, X-Sdk-Date and the hash of step 1. */
export function stringToSign(canonical: string, date: string): string {
  return `${SDK_HMAC_ALGORITHM}\n${date}\n${sha256Hex(canonical)}`;
}

/** `YYYYMMDDTHHMMSSZ`, UTC. */
export function sdkDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** The access key a request claims, to look its secret up; undefined when there is no readable signature. */
export function sdkHmacAccessKey(headers: ReceivedRequest['headers']): string | undefined {
  return parse(headers['authorization'])?.access;
}

/**
 * Checks a received signature from the received headers, in the list that the client names (`host` and `x-sdk-date` at least);
 * `nowMs` is the server's clock. The scheme has no nonce: an identical request verifies again inside the 15 minutes.
 * A body that is declared unsigned (`X-Sdk-Content-Sha256: UNSIGNED-PAYLOAD`) is refused.
 */
export function verifySdkHmac(received: ReceivedRequest, sk: string, nowMs: number): SdkHmacVerdict {
  const claim = parse(received.headers['authorization']);
  if (claim === undefined) {
    return refuse('APIGW.0301', 'Incorrect IAM authentication information: Authorization is missing or malformed');
  }
  const present = received.headers['x-security-token'] === undefined ? [] : ['x-security-token'];
  for (const name of ['host', 'x-sdk-date', ...present]) {
    if (!claim.names.includes(name) || received.headers[name] === undefined) {
      return refuse('APIGW.0301', `Incorrect IAM authentication information: ${name} must be sent and signed`);
    }
  }
  const date = received.headers['x-sdk-date'] ?? '';
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const dateMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(dateMs)) {
    return refuse('APIGW.0301', 'Incorrect IAM authentication information: x-sdk-date must be YYYYMMDDTHHMMSSZ');
  }
  if (Math.abs(nowMs - dateMs) > WINDOW_MS) {
    return refuse('APIGW.0303', 'Incorrect app authentication information: x-sdk-date is more than 15 minutes off');
  }
  const bodyHash = sha256Hex(received.body);
  const declared = received.headers['x-sdk-content-sha256'];
  if (declared !== undefined && !sameText(declared, bodyHash)) {
    return refuse('APIGW.0301', 'Incorrect IAM authentication information: x-sdk-content-sha256 is not the body hash');
  }
  const signed = signedHeaders(claim.names, received.headers);
  const { path, query } = parseTarget(received.target);
  const text = stringToSign(canonicalRequest({ method: received.method, path, query, signed, bodyHash }), date);
  return sameText(claim.signature, hmacHex(sk, text))
    ? { ok: true, ak: claim.access }
    : refuse('APIGW.0301', 'Incorrect IAM authentication information: verify aksk signature fail');
}

/** Proxies may rewrite these two, so they stay unsigned. */
function isSigned(name: string): boolean {
  return name !== 'accept' && name !== 'user-agent';
}

function parse(authorization: string | undefined) {
  const match = /^SDK-HMAC-SHA256 Access=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
    authorization ?? '',
  );
  const [, access, list, signature] = match ?? [];
  if (access === undefined || list === undefined || signature === undefined) return undefined;
  return { access, names: list.toLowerCase().split(';'), signature };
}

function refuse(code: string, message: string): SdkHmacVerdict {
  return { ok: false, code, message };
}
