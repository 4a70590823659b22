import { createHmac } from 'node:crypto';
import { canonicalPath, canonicalQuery, sameSecret, sha256Hex } from '../percent.ts';
import type { Arrived } from '../product.ts';
import { type Refusal, refusal } from './apigw.ts';

export interface KeyPair {
  readonly ak: string;
  readonly sk: string;
  /** Only for temporary credentials: every call must then carry it. */
  readonly securityToken?: string | undefined;
}

/** Failures in a row of the key pair; five lock it for five minutes, a success starts again. */
export interface Lock {
  isLocked(now: number): boolean;
  failed(now: number): void;
  succeeded(): void;
}

const WINDOW_MS = 15 * 60 * 1000;
const LOCK_MS = 5 * 60 * 1000;
const LOCKING_FAILURES = 5;
const INCORRECT = 'Incorrect IAM authentication information: ';

/**
 * Checks an SDK-HMAC-SHA256 request (Huawei, "API Request Signing Guide", read 2026-11) by rebuilding the canonical
 * request from what arrived. There is no nonce: an identical request may come again while its date is fresh.
 */
export function verifySdkHmac(arrived: Arrived, keys: KeyPair, lock: Lock): Refusal | undefined {
  const no = (why: string) => refusal(401, 'APIGW.0301', `${INCORRECT}${why}`);
  const parts = /^SDK-HMAC-SHA256 Access=([^,\s]+), SignedHeaders=([^,\s]+), Signature=([^,\s]+)$/.exec(
    arrived.headers.authorization ?? '',
  );
  const [, ak = '', signedText = '', signature = ''] = parts ?? [];
  if (parts === null) return no('the Authorization header is malformed');
  const signed = signedText.split(';');
  const fault = listFault(arrived, signed);
  if (fault !== undefined) return no(fault);

  const dateText = header(arrived, 'x-sdk-date');
  const date = parseDate(dateText);
  if (date === undefined) return no('X-Sdk-Date is malformed, it must be YYYYMMDDTHHMMSSZ');
  if (Math.abs(arrived.at - date) > WINDOW_MS) {
    return refusal(
      401,
      'APIGW.0303',
      'Incorrect app authentication information: X-Sdk-Date is more than 15 minutes off',
    );
  }
  if (!sameSecret(ak, keys.ak)) return no(`ak ${ak} not exist`);
  if (lock.isLocked(arrived.at)) return no('the ak is locked for 5 minutes after 5 failures in a row');

  const bodyHash = sha256Hex(arrived.body);
  const declared = arrived.headers['x-sdk-content-sha256'];
  const path = canonicalPath(arrived.path);
  const query = canonicalQuery(arrived.query);
  if (path === undefined || query === undefined) {
    return refusal(400, 'APIGW.0201', 'Bad request: the URL holds a broken percent escape');
  }
  const canonicalRequest = [
    arrived.method,
    path.endsWith('/') ? path : `${path}/`,
    query,
    signed.map((name) => `${name}:${header(arrived, name)}\n`).join(''),
    signedText,
    bodyHash,
  ].join('\n');
  const expected = createHmac('sha256', keys.sk)
    .update(`SDK-HMAC-SHA256\n${dateText}\n${sha256Hex(canonicalRequest)}`)
    .digest('hex');
  const honest = declared === undefined || declared === bodyHash;
  const token = sameSecret(header(arrived, 'x-security-token'), keys.securityToken ?? '');
  if (!sameSecret(signature, expected) || !honest || !token) {
    lock.failed(arrived.at);
    return no(token ? 'verify aksk signature fail' : 'the security token is wrong');
  }
  lock.succeeded();
  return undefined;
}

/** `enabled` is asked each time, so that a mode can switch the lock off. */
export function keyLock(enabled: () => boolean): Lock {
  let failures = 0;
  let lockedUntil = 0;
  return {
    isLocked: (now) => enabled() && now < lockedUntil,
    failed(now) {
      failures += 1;
      if (failures < LOCKING_FAILURES) return;
      failures = 0;
      lockedUntil = now + LOCK_MS;
    },
    succeeded() {
      failures = 0;
      lockedUntil = 0;
    },
  };
}

function listFault(arrived: Arrived, signed: readonly string[]): string | undefined {
  const names = new Set(signed);
  const sorted = [...names].sort();
  if (
    names.size !== signed.length ||
    sorted.some((name, index) => name !== signed[index] || name !== name.toLowerCase())
  ) {
    return 'SignedHeaders must be lower-case names, each once, sorted, joined with semicolons';
  }
  for (const name of ['host', 'x-sdk-date']) {
    if (!names.has(name)) return `${name} must be a signed header`;
  }
  const absent = signed.find((name) => !Object.hasOwn(arrived.headers, name));
  if (absent !== undefined) return `the signed header ${absent} is not in the request`;
  return arrived.headers['x-security-token'] !== undefined && !names.has('x-security-token')
    ? 'x-security-token must be a signed header'
    : undefined;
}

function header(arrived: Arrived, name: string): string {
  const value = Object.hasOwn(arrived.headers, name) ? arrived.headers[name] : undefined;
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim();
}

/** `20260102T030405Z` as epoch milliseconds; undefined when it is not exactly such a date. */
function parseDate(text: string): number | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const instant = Date.parse(iso);
  return Number.isNaN(instant) || new Date(instant).toISOString() !== iso ? undefined : instant;
}
