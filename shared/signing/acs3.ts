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
 * ACS3-HMAC-SHA256, the signature of Alibaba Cloud's OpenAPI gateway.
 * Source: Alibaba, "Request syntax and signature method V3", read 2026-11; proved on the vectors in test/vectors.
 */
export const ACS3_ALGORITHM = 'ACS3-HMAC-SHA256';

export interface Acs3Credentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** Temporary (STS) credentials only. */
  readonly securityToken?: string;
}

export interface Acs3Request extends SignableRequest {
  /** Operation name, exact case, e.g. `AddRegisterLineage`. */
  readonly action: string;
  /** API version, e.g. `2023-06-30`. */
  readonly version: string;
}

/** Why a received signature is not accepted, in the gateway's own code and words. */
export type Verdict =
  | { readonly ok: true; readonly accessKeyId: string; readonly nonce: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

const REQUIRED = [
  'host',
  'x-acs-action',
  'x-acs-version',
  'x-acs-date',
  'x-acs-signature-nonce',
  'x-acs-content-sha256',
] as const;
const REQUIRED_IF_PRESENT = ['content-type', 'x-acs-security-token', 'x-acs-accesskey-id'] as const;
const WINDOW_MS = 900_000;

/**
 * All headers to send, lower-case, `authorization` included. `date` is the instant of this attempt, `nonce` a string
 * never used before: both must be new for every attempt. The body is hashed once.
 */
export function signAcs3(
  request: Acs3Request,
  credentials: Acs3Credentials,
  attempt: { readonly date: Date; readonly nonce: string },
): Record<string, string> {
  const bodyHash = sha256Hex(request.body);
  const headers: Record<string, string> = {};
  for (const name in request.headers) headers[name.toLowerCase()] = request.headers[name] as string;
  headers['host'] = request.host;
  headers['x-acs-action'] = request.action;
  headers['x-acs-version'] = request.version;
  headers['x-acs-date'] = acs3Date(attempt.date);
  headers['x-acs-signature-nonce'] = attempt.nonce;
  headers['x-acs-content-sha256'] = bodyHash;
  if (credentials.securityToken !== undefined) {
    headers['x-acs-accesskey-id'] = credentials.accessKeyId;
    headers['x-acs-security-token'] = credentials.securityToken;
  }
  const { lines, names } = canonicalPart(headers, isSigned);
  const signature = hmacHex(credentials.accessKeySecret, stringToSign(joinCanonical(request, bodyHash, lines, names)));
  headers['authorization'] =
    `${ACS3_ALGORITHM} Credential=${credentials.accessKeyId},SignedHeaders=${names},Signature=${signature}`;
  return headers;
}

/** Step 1: method, path, query, header lines, header names and body hash, joined with LF. */
export function canonicalRequest(input: CanonicalInput): string {
  const { lines, names } = canonicalHeaders(input.signed);
  return joinCanonical(input, input.bodyHash, lines, names);
}

function joinCanonical(
  { method, path, query }: Pick<CanonicalInput, 'method' | 'path' | 'query'>,
  bodyHash: string,
  lines: string,
  names: string,
): string {
  return `${method.toUpperCase()}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n${lines}\n${names}\n${bodyHash}`;
}

/** Step 2: the algorithm and the hash of step 1. */
export function stringToSign(canonical: string): string {
  return `${ACS3_ALGORITHM}\n${sha256Hex(canonical)}`;
}

/** `YYYY-MM-DDTHH:mm:ssZ`, UTC. */
export function acs3Date(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** The AccessKey id a request claims, to look its secret up; undefined when there is no readable ACS3 signature. */
export function acs3AccessKeyId(headers: ReceivedRequest['headers']): string | undefined {
  return parse(headers['authorization'])?.credential;
}

/**
 * Checks a received signature from the received headers, in the list that the client names; `nowMs` is the server's clock.
 * It keeps no memory: on success the caller must refuse a `nonce` that this key used before (`SignatureNonceUsed`,
 * remembered for 30 minutes).
 */
export function verifyAcs3(received: ReceivedRequest, accessKeySecret: string, nowMs: number): Verdict {
  const authorization = received.headers['authorization'] ?? '';
  if (authorization !== '' && !authorization.startsWith(`${ACS3_ALGORITHM} `)) {
    return refuse('InvalidSignatureMethod', `Sign with ${ACS3_ALGORITHM}.`);
  }
  const claim = parse(authorization);
  if (claim === undefined) return refuse('IncompleteSignature', 'The Authorization header is missing or malformed.');
  const present = REQUIRED_IF_PRESENT.filter((name) => received.headers[name] !== undefined);
  for (const name of [...REQUIRED, ...present]) {
    if (!claim.names.includes(name) || received.headers[name] === undefined) {
      return refuse('IncompleteSignature', `The header ${name} must be sent and signed.`);
    }
  }
  const bodyHash = sha256Hex(received.body);
  if (!sameText(received.headers['x-acs-content-sha256'] ?? '', bodyHash)) {
    return refuse('SignatureDoesNotMatch', 'x-acs-content-sha256 is not the hash of the body that arrived.');
  }
  const date = received.headers['x-acs-date'] ?? '';
  const dateMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(dateMs)) return refuse('InvalidTimeStamp.Format', 'x-acs-date must be YYYY-MM-DDTHH:mm:ssZ.');
  if (Math.abs(nowMs - dateMs) > WINDOW_MS) {
    return refuse('InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.');
  }
  const signed = signedHeaders(claim.names, received.headers);
  const { path, query } = parseTarget(received.target);
  const text = stringToSign(canonicalRequest({ method: received.method, path, query, signed, bodyHash }));
  if (!sameText(claim.signature, hmacHex(accessKeySecret, text))) {
    return refuse('SignatureDoesNotMatch', 'Specified signature is not matched with our calculation.');
  }
  return { ok: true, accessKeyId: claim.credential, nonce: received.headers['x-acs-signature-nonce'] ?? '' };
}

/** The vendor's clients sign these and no others: `workspace`, `accept` and `user-agent` stay outside. */
function isSigned(name: string): boolean {
  return name.startsWith('x-acs-') || name === 'host' || name === 'content-type';
}

function parse(authorization: string | undefined) {
  const match = /^ACS3-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
    authorization ?? '',
  );
  const [, credential, list, signature] = match ?? [];
  if (credential === undefined || list === undefined || signature === undefined) return undefined;
  return { credential, names: list.toLowerCase().split(';'), signature };
}

function refuse(code: string, message: string): Verdict {
  return { ok: false, code, message };
}
