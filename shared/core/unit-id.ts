import { digest } from './digest.ts';

/** A unit's identity: the same parts, the same id, on any machine. */
export function unitId(parts: readonly string[]): string {
  return digest(JSON.stringify(parts));
}

/**
 * `unitId` for many units that begin with the same parts and end with two more. These are given as JSON text, because the same ones
 * come again and again.
 */
export function unitIds(first: readonly string[]): (nextText: string, lastText: string) => string {
  const begin = JSON.stringify(first).slice(0, -1);
  return (nextText, lastText) => digest(`${begin},${nextText},${lastText}]`);
}
