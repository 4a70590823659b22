import type { Json, JsonObject } from './json.ts';

/** `near` with what only `far` says; maps inside are merged key by key, lists and scalars are not mixed. */
export function mergedOver(far: JsonObject | undefined, near: JsonObject | undefined): JsonObject {
  if (far === undefined) return near ?? {};
  if (near === undefined) return far;
  const merged: Record<string, Json> = { ...far };
  for (const [key, value] of Object.entries(near)) {
    const other = merged[key];
    merged[key] = isMap(other) && isMap(value) ? mergedOver(other, value) : value;
  }
  return merged;
}

function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
