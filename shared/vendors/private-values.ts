import type { Json, JsonObject } from '../core/json.ts';
import { isSecretName, REDACTED, redactText } from '../redaction.ts';

const MAX_DEPTH = 100;

/** Keys of data, not of doors: what a table is partitioned or identified by is worth showing. */
const DATA_KEY = /\b(?:primary|bucket|partition|foreign|unique|sort) keys?\b|\bkey (?:format|fields)\b/g;
const PRIVATE =
  /passphrase|passcode|pwd|jaas|cookie|(?:account|shared|encryption|master|storage|auth|ssh|license)keys?\b|\bpass$/;

/**
 * A vendor's free-form details, fit to be stored, logged and answered: every value under a name like password, secret, token,
 * key or credential is masked, whatever its type and however deep, and so are credentials inside texts (URLs, connection
 * strings, headers). The rest stays as it is.
 */
export function hidePrivate(value: Json, depth = 0): Json {
  if (typeof value === 'string') return hidePrivateText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return REDACTED;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => hidePrivate(item, depth + 1));
  return hideMembers(value as JsonObject, depth);
}

/** Text without user parts of URLs, `name=value` pairs of private names, authorization headers and private keys. */
export function hidePrivateText(text: string): string {
  return hidePairs(
    redactText(text)
      .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED)
      .replace(/:\/\/[^\s/?#"'<>]*@/g, `://${REDACTED}@`)
      // A password with a slash, which is no valid URL and yet common; a port is not one.
      .replace(/:\/\/[^\s/@?#:]{0,200}:(?!\d+(?:[/?#]|$))[^\s@"'<>]{0,500}@/g, `://${REDACTED}@`)
      .replace(/\b(jdbc:oracle:\w+:)[^@\s:]+@/gi, `$1${REDACTED}@`),
  );
}

/** Whether the value under this name is private; stricter than for log fields, because the names are not ours. */
export function isPrivateName(name: string): boolean {
  const words = decoded(name)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .replace(DATA_KEY, '')
    .trim();
  return isSecretName(words) || isSecretName(words.replaceAll(' ', '_')) || PRIVATE.test(words);
}

function hideMembers(object: JsonObject, depth: number): JsonObject {
  // `{ name: "password", value: "…" }`: the name stands beside its value.
  const label = ['name', 'key', 'property'].find((each) => typeof object[each] === 'string' && 'value' in object);
  const labelled = label !== undefined && isPrivateName(String(object[label]));
  const members = Object.entries(object as Readonly<Record<string, Json | undefined>>);
  return Object.fromEntries(
    members.flatMap(([name, value]) => {
      if (value === undefined) return [];
      const hide = name === label ? false : isPrivateName(name) || (labelled && name === 'value');
      return [[name, hide && value !== null && value !== '' ? REDACTED : hidePrivate(value, depth + 1)]];
    }),
  );
}

const PAIR = /(?<![\w.%-])([\w.%-]+)(?:\\*["'`]?\s{0,20}=\s{0,20}|\\*["'`]\s{0,20}:\s{0,20})/g;
/** Quoted, quoted with escaped quotes (JSON in JSON), or up to the next separator. */
const VALUE = /"(?:\\.|[^"\\])*"?|'(?:\\.|''|[^'\\])*'?|\\+["'][^\\]*(?:\\+["'])?|[^&;\s"']+/y;

/** Looks at every name of a text in turn: what follows a harmless one may hold the next (`url=…?password=…`). */
function hidePairs(text: string): string {
  let clean = '';
  let done = 0;
  PAIR.lastIndex = 0;
  for (let pair = PAIR.exec(text); pair !== null; pair = PAIR.exec(text)) {
    if (!isPrivateName(pair[1] ?? '')) continue;
    VALUE.lastIndex = PAIR.lastIndex;
    const value = VALUE.exec(text);
    if (value === null || value[0].startsWith(REDACTED)) continue;
    clean += text.slice(done, value.index) + REDACTED;
    done = value.index + value[0].length;
    PAIR.lastIndex = done;
  }
  return clean + text.slice(done);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
