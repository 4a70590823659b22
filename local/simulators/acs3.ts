import { createHmac } from 'node:crypto';
import { type Refusal, refusal } from './alibaba-gateway.ts';
import { canonicalPath, canonicalQuery, sameSecret, sha256Hex } from './percent.ts';
import type { Arrived } from './product.ts';

/** Who may call; `securityToken` only for temporary (STS) credentials, which then must carry it. */
export interface Acs3Account {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string | undefined;
}

/** Nonces that were used; kept 30 minutes, which covers the date window on both sides. */
export interface NonceMemory {
  seen(nonce: string, now: number): boolean;
  remember(nonce: string, at: number): void;
  /** What must survive a restart at `now`. */
  kept(now: number): Iterable<readonly [nonce: string, at: number]>;
}

const WINDOW_MS = 15 * 60 * 1000;
const NONCE_MS = 30 * 60 * 1000;
const ALWAYS_SIGNED = [
  'host',
  'x-acs-action',
  'x-acs-content-sha256',
  'x-acs-date',
  'x-acs-signature-nonce',
  'x-acs-version',
] as const;

/**
 * Checks an ACS3-HMAC-SHA256 request (Alibaba, "Request syntax and signature method V3", read 2026-11) by rebuilding the
 * canonical request from what arrived. Returns the refusal, or the nonce, which the caller must remember.
 */
export function verifyAcs3(
  arrived: Arrived,
  account: Acs3Account,
  nonces: NonceMemory,
): { readonly refusal: Refusal } | { readonly nonce: string } {
  const no = (status: number, code: string, message: string) => ({ refusal: refusal(status, code, message) });
  const authorization = arrived.headers.authorization ?? '';
  if (!authorization.startsWith('ACS3-HMAC-SHA256 ')) {
    return /^(?:ACS3|acs|HMAC)/.test(authorization)
      ? no(400, 'InvalidSignatureMethod', 'Specified signature method is not valid: only ACS3-HMAC-SHA256 is.')
      : no(400, 'IncompleteSignature', 'The request signature does not conform to Aliyun standards.');
  }
  const parts = /^ACS3-HMAC-SHA256 Credential=([^,\s]+),SignedHeaders=([^,\s]+),Signature=([^,\s]+)$/.exec(
    authorization,
  );
  const [, accessKeyId = '', signedText = '', signature = ''] = parts ?? [];
  if (parts === null) {
    return no(400, 'IncompleteSignature', 'The request signature does not conform to Aliyun standards.');
  }

  const missing = ALWAYS_SIGNED.find((name) => header(arrived, name) === '');
  if (missing !== undefined) {
    return no(400, missingCode(missing), `${missing} is mandatory for this action.`);
  }
  const signed = signedText.split(';');
  const fault = listFault(arrived, signed);
  if (fault !== undefined) return no(400, 'IncompleteSignature', fault);

  if (!sameSecret(accessKeyId, account.accessKeyId)) {
    return no(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.');
  }
  const named = header(arrived, 'x-acs-accesskey-id');
  if (named !== '' && named !== accessKeyId) {
    return no(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.');
  }
  if (!sameSecret(header(arrived, 'x-acs-security-token'), account.securityToken ?? '')) {
    return no(400, 'InvalidSecurityToken', 'Specified SecurityToken is not valid (simulated; code not documented).');
  }

  const bodyHash = sha256Hex(arrived.body);
  if (header(arrived, 'x-acs-content-sha256') !== bodyHash) return no(400, 'SignatureDoesNotMatch', MISMATCH);

  const date = parseDate(header(arrived, 'x-acs-date'));
  if (date === undefined)
    return no(400, 'InvalidTimeStamp.Format', 'Specified time stamp or date value is not well formatted.');
  if (Math.abs(arrived.at - date) > WINDOW_MS) {
    return no(400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.');
  }
  const nonce = header(arrived, 'x-acs-signature-nonce');
  if (nonces.seen(nonce, arrived.at)) {
    return no(400, 'SignatureNonceUsed', 'Specified signature nonce was used already.');
  }

  const path = canonicalPath(arrived.path);
  const query = canonicalQuery(arrived.query);
  if (path === undefined || query === undefined) {
    return no(400, 'InvalidParameter.Format', 'The URL holds a broken percent escape.');
  }
  const canonicalRequest = [
    arrived.method,
    path,
    query,
    signed.map((name) => `${name}:${header(arrived, name)}\n`).join(''),
    signedText,
    bodyHash,
  ].join('\n');
  const expected = createHmac('sha256', account.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${sha256Hex(canonicalRequest)}`)
    .digest('hex');
  return sameSecret(signature, expected) ? { nonce } : no(400, 'SignatureDoesNotMatch', MISMATCH);
}

export function nonceMemory(): NonceMemory {
  const used = new Map<string, number>();
  const forget = (now: number) => {
    // Insertion order is time order, so the old ones stand in front.
    for (const [nonce, at] of used) {
      if (now - at <= NONCE_MS) break;
      used.delete(nonce);
    }
  };
  return {
    seen(nonce, now) {
      forget(now);
      return used.has(nonce);
    },
    remember: (nonce, at) => void used.set(nonce, at),
    kept(now) {
      forget(now);
      return used;
    },
  };
}

const MISMATCH = 'Specified signature is not matched with our calculation.';

/** What is wrong with the list of signed headers: order, a name without a header, or a header that had to be signed. */
function listFault(arrived: Arrived, signed: readonly string[]): string | undefined {
  const names = new Set(signed);
  const sorted = [...names].sort();
  if (
    names.size !== signed.length ||
    sorted.some((name, index) => name !== signed[index] || name !== name.toLowerCase())
  ) {
    return 'SignedHeaders must be lower-case names, each once, sorted, joined with semicolons.';
  }
  const absent = signed.find((name) => !Object.hasOwn(arrived.headers, name));
  if (absent !== undefined) return `The signed header ${absent} is not in the request.`;
  const unsigned = Object.keys(arrived.headers).find(
    (name) => (name === 'host' || name === 'content-type' || name.startsWith('x-acs-')) && !names.has(name),
  );
  return unsigned === undefined ? undefined : `The header ${unsigned} must be signed.`;
}

function header(arrived: Arrived, name: string): string {
  const value = Object.hasOwn(arrived.headers, name) ? arrived.headers[name] : undefined;
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim();
}

/** Alibaba documents the pattern `Missing<Param>`: `x-acs-signature-nonce` → `MissingSignatureNonce`. */
function missingCode(name: string): string {
  const words = name.replace(/^x-acs-/, '').split('-');
  return `Missing${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}`;
}

/** `2026-01-02T03:04:05Z` as epoch milliseconds; undefined when it is not exactly such a date. */
function parseDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) || new Date(instant).toISOString() !== text.replace('Z', '.000Z') ? undefined : instant;
}
