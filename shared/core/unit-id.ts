import { createHash } from 'node:crypto';
import { canonicalJson } from './json.ts';

/** 22 base64url characters (132 bits) of SHA-256 over the parts: the same parts, the same id, in any process. */
export function unitId(parts: readonly string[]): string {
  return createHash('sha256').update(canonicalJson(parts)).digest('base64url').slice(0, 22);
}
