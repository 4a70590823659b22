import { createHash, timingSafeEqual } from 'node:crypto';

/** RFC 3986, section 2.3: everything but `A-Z a-z 0-9 - _ . ~` becomes `%XX`. */
export function strictEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `a=1&b=x%20y+z` as pairs, `+` and `%20` both being a space; undefined when an escape is broken. */
export function decodePairs(text: string): (readonly [string, string])[] | undefined {
  if (text === '') return [];
  try {
    return text.split('&').map((piece) => {
      const at = piece.indexOf('=');
      const [key, value] = at < 0 ? [piece, ''] : [piece.slice(0, at), piece.slice(at + 1)];
      return [decodePiece(key), decodePiece(value)] as const;
    });
  } catch {
    return undefined;
  }
}

function decodePiece(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%20'));
}

/** The query as both vendors sign it: decoded, encoded strictly, sorted by key and then by value; undefined when broken. */
export function canonicalQuery(query: string): string | undefined {
  return decodePairs(query)
    ?.map(([key, value]) => [strictEncode(key), strictEncode(value)] as const)
    .sort(([key, value], [otherKey, otherValue]) => inOrder(key, otherKey) || inOrder(value, otherValue))
    .map(([key, value]) => `${key}=${value}`)
    .join('&');
}

function inOrder(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

/** A path with each segment decoded and encoded strictly; undefined when an escape is broken. */
export function canonicalPath(path: string): string | undefined {
  try {
    return path
      .split('/')
      .map((segment) => strictEncode(decodeURIComponent(segment)))
      .join('/');
  } catch {
    return undefined;
  }
}

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Equality in a time that tells nothing about where two strings differ. */
export function sameSecret(left: string, right: string): boolean {
  return timingSafeEqual(createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest());
}
