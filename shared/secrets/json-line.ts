/**
 * The 1-based line at which text stops being JSON; undefined when it is JSON. For messages about documents whose content
 * must not be quoted, which is what the built-in parser's message does.
 */
export function brokenJsonLine(text: string): number | undefined {
  const end = skipValue(text, 0);
  if (end.ok && skipSpace(text, end.at) === text.length) return undefined;
  const at = end.ok ? skipSpace(text, end.at) : end.at;
  return text.slice(0, at).split('\n').length;
}

/** `at`: the first character behind what was read, or the one that is wrong. */
interface Skipped {
  readonly ok: boolean;
  readonly at: number;
}

// RFC 8259, sections 6, 7 and 3.
const SCALAR =
  /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;

function skipValue(text: string, from: number): Skipped {
  const at = skipSpace(text, from);
  if (text[at] === '{') return skipMembers(text, at + 1, '}', skipMember);
  if (text[at] === '[') return skipMembers(text, at + 1, ']', skipValue);
  return skipToken(text, at, SCALAR);
}

function skipMembers(text: string, from: number, close: string, skip: typeof skipValue): Skipped {
  let at = skipSpace(text, from);
  if (text[at] === close) return { ok: true, at: at + 1 };
  for (;;) {
    const member = skip(text, at);
    if (!member.ok) return member;
    at = skipSpace(text, member.at);
    if (text[at] === close) return { ok: true, at: at + 1 };
    if (text[at] !== ',') return { ok: false, at };
    at = skipSpace(text, at + 1);
  }
}

function skipMember(text: string, from: number): Skipped {
  const name = skipToken(text, skipSpace(text, from), STRING);
  if (!name.ok) return name;
  const colon = skipSpace(text, name.at);
  return text[colon] === ':' ? skipValue(text, colon + 1) : { ok: false, at: colon };
}

function skipToken(text: string, at: number, token: RegExp): Skipped {
  token.lastIndex = at;
  return token.test(text) ? { ok: true, at: token.lastIndex } : { ok: false, at };
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}
