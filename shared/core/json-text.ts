import type { Json, JsonObject } from './json.ts';
import { Marks, type Path } from './position.ts';

/** Something wrong at an offset of a text. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly offset: number;
}

/** What a reader of text hands back. `value` is undefined when the text could not be read to its end. */
export interface Reading {
  readonly value: Json | undefined;
  readonly marks: Marks;
  readonly findings: readonly Finding[];
}

export interface ReadingLimits {
  /** Maps and lists inside each other. */
  readonly depth: number;
  /** Maps, lists and scalars together. */
  readonly nodes: number;
}

class Stop extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/**
 * JSON text (RFC 8259) to a value, with what `JSON.parse` cannot tell: keys that are given twice, and where everything stands.
 * Duplicate keys and `__proto__` are all found; a syntax error, too deep or too many values end the reading.
 */
export function readJson(text: string, limits: ReadingLimits): Reading {
  const marks = new Marks();
  const findings: Finding[] = [];
  const path: (string | number)[] = [];
  let at = 0;
  let nodes = 0;

  function space(): number {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return code;
      at += 1;
    }
  }

  function fail(expected: string): never {
    const found =
      at >= text.length ? 'the end of the text' : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
    throw new Stop(`not valid JSON: expected ${expected}, found ${found}`, at);
  }

  function value(): Json {
    nodes += 1;
    if (nodes > limits.nodes) throw new Stop(`more than ${limits.nodes} values in one document`, at);
    const code = space();
    if (code === 123) return object();
    if (code === 91) return list();
    if (code === 34) return string();
    if (code === 45 || (code >= 48 && code <= 57)) return number();
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    return fail('a value');
  }

  function number(): number {
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(text)?.[0];
    if (found === undefined) return fail('a number');
    const parsed = Number(found);
    if (!Number.isFinite(parsed)) throw new Stop(`the number ${found.slice(0, 40)} is too large`, at);
    at += found.length;
    return parsed;
  }

  function string(): string {
    const start = at;
    let plain = true;
    for (at += 1; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 34) break;
      if (code === 92) {
        plain = false;
        at += 1;
      } else if (!(code >= 32)) fail('a closing quote on the same line (line breaks inside text are written \\n)');
    }
    at += 1;
    if (plain) return text.slice(start + 1, at - 1);
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      throw new Stop('not valid JSON: this text holds an escape that JSON does not know', start);
    }
  }

  function nest(): void {
    if (path.length >= limits.depth) throw new Stop(`nested more than ${limits.depth} levels deep`, at);
    at += 1;
  }

  function list(): Json {
    nest();
    const items: Json[] = [];
    if (space() === 93) {
      at += 1;
      return items;
    }
    for (;;) {
      space();
      marks.set(items, items.length, at);
      path.push(items.length);
      items.push(value());
      path.pop();
      const code = space();
      if (code !== 44 && code !== 93) fail('"," or "]"');
      at += 1;
      if (code === 93) return items;
    }
  }

  function object(): Json {
    nest();
    const members: Record<string, Json> = {};
    if (space() === 125) {
      at += 1;
      return members;
    }
    for (;;) {
      if (space() !== 34) fail('a key in double quotes');
      const keyAt = at;
      const key = string();
      path.push(key);
      if (key === '__proto__') findings.push({ path: [...path], message: reservedKey(key), offset: keyAt });
      else if (Object.hasOwn(members, key))
        findings.push({ path: [...path], message: duplicateKey(key), offset: keyAt });
      if (space() !== 58) fail('":"');
      at += 1;
      const member = value();
      path.pop();
      if (key !== '__proto__') {
        members[key] = member;
        marks.set(members, key, keyAt);
      }
      const code = space();
      if (code !== 44 && code !== 125) fail('"," or "}"');
      at += 1;
      if (code === 125) return members;
    }
  }

  try {
    const root = value();
    space();
    if (at < text.length) fail('the end of the document');
    return { value: root, marks, findings };
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown;
    findings.push({ path: path.slice(0, 10), message: thrown.message, offset: thrown.offset });
    return { value: undefined, marks, findings };
  }
}

/**
 * The same value by `JSON.parse`, several times as fast; undefined when anything may be wrong that only `readJson` can tell.
 * No key is given twice when the text has as many colons outside strings as the value has keys. `bytes` is the text in UTF-8.
 */
export function quickJson(text: string, bytes: Uint8Array, limits: ReadingLimits): Json | undefined {
  const members = countMembers(bytes, limits.depth);
  if (members === undefined) return undefined;
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  let keys = 0;
  let nodes = 0;
  let strange = false;
  const walk = (each: Json): void => {
    nodes += 1;
    if (typeof each === 'string') return;
    if (typeof each === 'number') strange ||= !Number.isFinite(each);
    if (typeof each !== 'object' || each === null) return;
    if (Array.isArray(each)) {
      for (const item of each as readonly Json[]) walk(item);
      return;
    }
    const members = each as JsonObject;
    for (const key in members) {
      keys += 1;
      if (key === '__proto__') strange = true;
      else walk(members[key] as Json);
    }
  };
  walk(value);
  return strange || keys !== members || nodes > limits.nodes ? undefined : value;
}

/** Colons outside strings; undefined when the text is nested deeper than `depth` or ends inside a string. All that counts is ASCII. */
function countMembers(bytes: Uint8Array, depth: number): number | undefined {
  let members = 0;
  let open = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const code = bytes[at] as number;
    if (code === 34) {
      for (at += 1; ; at += 1) {
        const inner = bytes[at];
        if (inner === 34) break;
        if (inner === 92) at += 1;
        else if (inner === undefined) return undefined;
      }
    } else if (code >= 58) {
      if (code === 58) members += 1;
      else if (code === 123 || code === 91) {
        open += 1;
        if (open > depth) return undefined;
      } else if (code === 125 || code === 93) open -= 1;
    }
  }
  return members;
}

export function duplicateKey(key: string): string {
  return `${JSON.stringify(key)} is given twice here; keep one`;
}

export function reservedKey(key: string): string {
  return `${JSON.stringify(key)} cannot be used as a key`;
}
