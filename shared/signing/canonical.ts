import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Decoded name and value; a name may occur more than once. */
export type QueryPair = readonly [name: string, value: string];

/** What is signed before it is sent. `path` is the decoded-per-segment URL path as it goes on the wire, e.g. `/v1/p/lineage`. */
export interface SignableRequest {
  readonly method: string;
  /** Host with its port unless that is the scheme's default, exactly as in the Host header. */
  readonly host: string;
  readonly path: string;
  readonly query: readonly QueryPair[];
  /** Headers the scheme does not make itself; names in any case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What arrived. `target` is the raw request target (`/path?query`); header names are lower-case. */
export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** The parts of a canonical request that both schemes share. */
export interface CanonicalInput {
  readonly method: string;
  readonly path: string;
  readonly query: readonly QueryPair[];
  /** Lower-case names; only these are signed. */
  readonly signed: Readonly<Record<string, string>>;
  readonly bodyHash: string;
}

/** What is not encoded, `/` aside: most names, values and paths hold nothing else. */
const UNRESERVED = /^[\w.~-]*$/;
const UNRESERVED_PATH = /^[\w.~/-]*$/;

/** RFC 3986: everything but `A-Z a-z 0-9 - _ . ~` is percent-encoded. A lone surrogate becomes U+FFFD, as UTF-8 makes it. */
export function encodeStrictly(text: string): string {
  if (UNRESERVED.test(text)) return text;
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Each path segment decoded and encoded again, so that both sides agree however it was written on the wire. */
export function canonicalPath(path: string): string {
  if (UNRESERVED_PATH.test(path)) return path;
  return path
    .split('/')
    .map((segment) => encodeStrictly(decodeLeniently(segment)))
    .join('/');
}

/** Names sorted, then values; both encoded strictly. Empty text without a query. */
export function canonicalQuery(query: readonly QueryPair[]): string {
  return query
    .map(([name, value]) => [encodeStrictly(name), encodeStrictly(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** `name:value` + LF for each signed header in name order, and the `;` list of those names. */
export function canonicalHeaders(signed: Readonly<Record<string, string>>): CanonicalHeaders {
  return canonicalOf(signed, Object.keys(signed));
}

export interface CanonicalHeaders {
  readonly lines: string;
  readonly names: string;
}

/** Likewise, of those headers that `isSigned` says are signed. */
export function canonicalPart(
  headers: Readonly<Record<string, string>>,
  isSigned: (name: string) => boolean,
): CanonicalHeaders {
  return canonicalOf(headers, Object.keys(headers).filter(isSigned));
}

function canonicalOf(headers: Readonly<Record<string, string>>, unsorted: string[]): CanonicalHeaders {
  const names = unsorted.sort();
  let lines = '';
  for (const name of names) lines += `${name}:${(headers[name] ?? '').trim()}\n`;
  return { lines, names: names.join(';') };
}

/** The headers that a client says it has signed, empty where none arrived. Its list may hold any word, `constructor` say. */
export function signedHeaders(
  names: readonly string[],
  headers: ReceivedRequest['headers'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, Object.hasOwn(headers, name) ? (headers[name] ?? '') : '']));
}

/** Splits a raw request target into path and decoded query; `+` and `%20` are both a space. */
export function parseTarget(target: string): { readonly path: string; readonly query: readonly QueryPair[] } {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? [] : parseForm(target.slice(mark + 1)) };
}

/** Decodes `a=1&b=2`. A malformed escape stays as it is written. */
export function parseForm(text: string): readonly QueryPair[] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const mark = part.indexOf('=');
      const [name, value] = mark < 0 ? [part, ''] : [part.slice(0, mark), part.slice(mark + 1)];
      return [decodeLeniently(name.replaceAll('+', ' ')), decodeLeniently(value.replaceAll('+', ' '))];
    });
}

/** Wire form of a query or form body: like `encodeURIComponent`, which leaves `! ' ( ) * ~` alone. */
export function encodeForm(pairs: readonly QueryPair[]): string {
  return pairs
    .map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`)
    .join('&');
}

/** Lower-case hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

/** Lower-case hex HMAC-SHA256 with a UTF-8 key. */
export function hmacHex(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

/** Compares without telling by its duration where the texts differ. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function decodeLeniently(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
