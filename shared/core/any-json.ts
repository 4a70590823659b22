import * as z from 'zod';
import type { Json } from './json.ts';

/**
 * Schema of any JSON value. It takes what `z.json()` takes; but that one refers to itself, and every schema that holds such a one keeps
 * track of all values that it meets, which costs more than checking them.
 */
export const anyJson = z.unknown().refine(isJson, 'is not a JSON value') as unknown as z.ZodType<Json>;

/** Maps with such values. */
export const anyMap = z.record(z.string(), anyJson);

function isJson(value: unknown): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson);
}
