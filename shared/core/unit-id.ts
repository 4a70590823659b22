import { digest } from './digest.ts';

/** A unit's identity: the same parts, the same id, on any machine. */
export function unitId(parts: readonly string[]): string {
  return digest(JSON.stringify(parts));
}
