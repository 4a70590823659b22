import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { brokenJsonLine } from './json-line.ts';

/** Secrets Manager's limit for one secret (AWS, Secrets Manager quotas, read 2026-11), in bytes. */
export const SECRET_BYTES = 65_536;

/**
 * A secret's text as a JSON object. `where` names it in messages (a path, a secret's name); the text itself never
 * appears in one. Throws `Failure` `invalid`.
 */
export function parseSecret(text: string, where: string): JsonObject {
  // Some editors on Windows put a byte order mark in front, which JSON does not allow.
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // Without the cause: the parser's message quotes the text.
    throw new Failure(
      'invalid',
      `${where} is not valid JSON, see line ${brokenJsonLine(json) ?? 1}; correct it there.`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('invalid', `${where} must hold a JSON object, { … }; correct it there.`);
  }
  return value as JsonObject;
}

/** Throws `Failure` `invalid` unless `name` is `/`-separated words of letters, digits and `_+=.@-` (no `.` or `..`). */
export function checkSecretName(name: string): void {
  const good = name.split('/').every((segment) => /^[A-Za-z0-9_+=.@-]+$/.test(segment) && !/^\.{1,2}$/.test(segment));
  if (!good) {
    throw new Failure(
      'invalid',
      `${JSON.stringify(name)} is not the name of a secret; use letters, digits, _+=.@- and /, as in lineage/dataphin.`,
    );
  }
}
