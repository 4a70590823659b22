import type { Json, JsonObject } from './core/json.ts';

export const REDACTED = '[redacted]';

// Anywhere in a field's name: nothing harmless is called like this.
const SECRET_PART =
  /password|passwd|secret|token|credential|authorization|signature|(?:api|access|private|signing)_?key/i;

/**
 * Whether a field of this name may hold a secret. `key` counts as a word of its own (`key`, `accessKeyId`, `x-api-key`)
 * but not inside one (`monkey`), so what identifies our own things is logged as `owner`, `object`, `unit`.
 */
export function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return SECRET_PART.test(name) || /(?:^|[^a-z0-9])keys?(?:$|[^a-z0-9])/.test(words);
}

/** The same fields with strings, lists and objects under secret-looking names replaced, and secrets in URLs and headers cut out. */
export function redactFields(fields: JsonObject): JsonObject {
  const clean: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fields)) {
    const hide = isSecretName(name) && (typeof value === 'string' || (typeof value === 'object' && value !== null));
    clean[name] = hide ? REDACTED : redactValue(value);
  }
  return clean;
}

/** Text without what follows `Bearer`, `Basic` or a secret-looking `name=` in a query. */
export function redactText(text: string): string {
  return text
    .replace(/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${REDACTED}`)
    .replace(/([?&])([^=&\s?]{1,64})=([^&\s"'<>]+)/g, (all, mark: string, name: string) =>
      isSecretName(name) ? `${mark}${name}=${REDACTED}` : all,
    );
}

function redactValue(value: Json): Json {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map(redactValue);
  return typeof value === 'object' && value !== null ? redactFields(value as JsonObject) : value;
}
