import { hash } from 'node:crypto';

/** 128 bits of SHA-256 as 22 URL-safe characters: short enough for keys, long enough never to collide. */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
