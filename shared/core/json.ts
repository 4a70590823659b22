/** Any JSON value; readonly, because desired state is never changed in place. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** JSON text with object keys sorted at every level, so that equal values give equal text (and equal hashes). */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonicalJson).join(',')}]`;
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] as Json)}`);
  return `{${members.join(',')}}`;
}

/** Whether lists and objects stand inside each other more than so many times: to write such a value again may exhaust the stack. */
export function deeperThan(value: Json, levels: number): boolean {
  let layer: readonly Json[] = [value];
  for (let level = 0; layer.length > 0; level += 1) {
    const inner: Json[] = [];
    for (const each of layer) {
      if (typeof each !== 'object' || each === null) continue;
      if (level === levels) return true;
      for (const one of Object.values(each)) if (typeof one === 'object' && one !== null) inner.push(one as Json);
    }
    layer = inner;
  }
  return false;
}
