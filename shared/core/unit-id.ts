import { digest } from './digest.ts';
import { canonicalJson } from './json.ts';

/** A unit's identity: the same parts, the same id, on any machine. */
export function unitId(parts: readonly string[]): string {
  return digest(canonicalJson(parts));
}
