import { createHash, createHmac } from 'node:crypto';

/** A second, independent reading of both signature schemes, for calling the simulators. Shares no code with them or with the project. */
export interface Unsigned {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names; everything here is signed unless `signed` says otherwise. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const sha = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');
const hmac = (key: string, text: string) => createHmac('sha256', key).update(text, 'utf8').digest('hex');

function rfc3986(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const sign = String.fromCharCode(byte);
      return /[A-Za-z0-9\-_.~]/.test(sign) ? sign : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function canonical(request: Unsigned, path: string, names: readonly string[], payload: string): string {
  // Keys in order, then the values of each; "=" would come after the digits if pairs were compared as joined.
  const pairs = new Map<string, string[]>();
  for (const [key, value] of request.url.searchParams) {
    pairs.set(rfc3986(key), [...(pairs.get(rfc3986(key)) ?? []), rfc3986(value)]);
  }
  const query = [...pairs.keys()].sort().flatMap((key) => (pairs.get(key) ?? []).sort().map((one) => `${key}=${one}`));
  const lines = names.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`).join('');
  return [request.method, path, query.join('&'), lines, names.join(';'), payload].join('\n');
}

export function acs3(request: Unsigned, id: string, secret: string, signed?: readonly string[]): string {
  const names = signed ?? Object.keys(request.headers).sort();
  const text = canonical(request, request.url.pathname, names, sha(request.body));
  const signature = hmac(secret, `ACS3-HMAC-SHA256\n${sha(text)}`);
  return `ACS3-HMAC-SHA256 Credential=${id},SignedHeaders=${names.join(';')},Signature=${signature}`;
}

export function sdkHmac(request: Unsigned, ak: string, sk: string, signed?: readonly string[]): string {
  const names = signed ?? Object.keys(request.headers).sort();
  const path = request.url.pathname.replace(/\/?$/, '/');
  const text = canonical(request, path, names, sha(request.body));
  const signature = hmac(sk, `SDK-HMAC-SHA256\n${request.headers['x-sdk-date']}\n${sha(text)}`);
  return `SDK-HMAC-SHA256 Access=${ak}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
}

export const bodyHash = sha;

/** `2026-01-02T03:04:05Z` */
export const acsDate = (now: number) => new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z');
/** `20260102T030405Z` */
export const sdkDate = (now: number) => acsDate(now).replace(/[-:]/g, '');
