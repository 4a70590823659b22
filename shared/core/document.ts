import { Alias, Composer, type Document, isMap, isScalar, isSeq, Lexer, Parser, Scalar } from 'yaml';
import type { Problem } from './edge.ts';
import type { Json } from './json.ts';
import { duplicateKey, type Finding, quickJson, type Reading, readJson, reservedKey } from './json-text.ts';
import { formatPath, lineAt, lineStarts, Marks, type Path } from './position.ts';
import { decodeUtf8, firstBadLine } from './utf8.ts';

export type DocumentFormat = 'yaml' | 'json';

/** Largest document, in bytes. */
export const MAX_BYTES: Readonly<Record<DocumentFormat, number>> = { yaml: 2 * 1024 * 1024, json: 5 * 1024 * 1024 };
/** Maps and lists inside each other. */
export const MAX_DEPTH = 64;
/** Values in one document; a manifest within its other limits stays far below. */
export const MAX_NODES = 1_000_000;
/** Values that all YAML aliases of a document may stand for together. */
export const MAX_ALIAS_NODES = 100_000;

const MAX_SYNTAX_PROBLEMS = 100;
const LIMITS = { depth: MAX_DEPTH, nodes: MAX_NODES };

/** What a text says. `value` is undefined when it cannot be read at all; `problems` may be there with a value too. */
export interface ParsedDocument {
  readonly value: Json | undefined;
  /** The 1-based line of the deepest step of `path` that exists; undefined without a value. */
  position(path: Path): number | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Reads YAML 1.2 (core schema, one document) or JSON from UTF-8 bytes; a byte order mark is tolerated. Duplicate keys, custom
 * tags, merge keys, keys that are not text and `__proto__` are problems; size, depth and aliases are bounded before they cost
 * time. Never throws.
 */
export function parseDocument(bytes: Uint8Array, format: DocumentFormat): ParsedDocument {
  if (bytes.byteLength > MAX_BYTES[format]) return unreadable(tooLarge(bytes.byteLength, format));
  const text = decodeUtf8(bytes);
  if (text === undefined) return unreadable('the document is not UTF-8 text; save it as UTF-8', firstBadLine(bytes));
  if (text.trim() === '') return unreadable('the document is empty', 1);
  const quick = format === 'json' ? quickJson(text, bytes, LIMITS) : undefined;
  let marked = quick === undefined ? (format === 'json' ? readJson(text, LIMITS) : readYaml(text)) : undefined;
  const { value, findings }: Pick<Reading, 'value' | 'findings'> = marked ?? { value: quick, findings: [] };
  let starts: readonly number[] | undefined;
  const line = (offset: number): number => {
    starts ??= lineStarts(text);
    return lineAt(starts, offset);
  };
  const rootOffset = text.search(/\S/);
  return {
    value,
    position: (path) => {
      if (value === undefined) return undefined;
      // Most documents have no problem to point at: only those that do are read again for it.
      marked ??= readJson(text, LIMITS);
      return line(marked.marks.locate(marked.value, path, rootOffset));
    },
    problems: findings.map((found) => ({
      path: formatPath(found.path),
      message: found.message,
      line: line(found.offset),
    })),
  };
}

function unreadable(message: string, line?: number): ParsedDocument {
  const problem: Problem = line === undefined ? { path: '', message } : { path: '', message, line };
  return { value: undefined, position: () => undefined, problems: [problem] };
}

/** Says that a document has too many bytes, and how to split it. */
export function tooLarge(size: number, format: DocumentFormat): string {
  const mib = (count: number): string => `${(count / 1_048_576).toFixed(1)} MiB`;
  const json = format === 'yaml' ? `, or write it as JSON (limit ${mib(MAX_BYTES.json)})` : '';
  return `the document has ${size} bytes (${mib(size)}); the limit is ${mib(MAX_BYTES[format])}. Split it into several documents, each with its own entries${json}`;
}

/** Lexes, parses and composes step by step, so that hopeless documents end early: deep ones would exhaust the stack. */
function readYaml(text: string): Reading {
  const marks = new Marks();
  const stop = (message: string, offset: number): Reading => ({
    value: undefined,
    marks,
    findings: [{ path: [], message, offset }],
  });
  const parser = new Parser();
  const tokens: Parameters<Composer['next']>[0][] = [];
  let documents = 0;
  let errors = 0;
  let offset = 0;
  const take = (token: (typeof tokens)[number]): void => {
    if (token.type === 'document') documents += 1;
    if (token.type === 'error') errors += 1;
    tokens.push(token);
  };
  for (const source of new Lexer().lex(text)) {
    offset = parser.offset;
    for (const token of parser.next(source)) take(token);
    if (parser.stack.length > 2 * MAX_DEPTH) return stop(`nested more than ${MAX_DEPTH} levels deep`, offset);
    if (documents > 1 || errors > MAX_SYNTAX_PROBLEMS) break;
  }
  if (documents < 2) for (const token of parser.end()) take(token);
  if (documents > 1)
    return stop('several YAML documents in one file; write one file per document (only one "---")', offset);

  // The library compares every key with every other one; `yamlValue` finds duplicates in linear time.
  const options = { version: '1.2', schema: 'core', uniqueKeys: false, merge: false, prettyErrors: false } as const;
  const document = [...new Composer(options).compose(tokens, true, text.length)][0];
  if (document === undefined) return stop('the document is empty', 0);
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    return stop(`YAML ${document.directives.yaml.version} is asked for; only YAML 1.2 is read`, 0);
  }
  if (document.errors.length === 0) return yamlValue(document as Document, marks);
  const findings = document.errors
    .slice(0, MAX_SYNTAX_PROBLEMS)
    .map((error): Finding => ({ path: [], message: `not valid YAML: ${error.message}`, offset: error.pos[0] }));
  return { value: undefined, marks, findings };
}

interface Built {
  readonly value: Json;
  /** Values in it, itself included. */
  readonly nodes: number;
  /** Maps and lists inside each other in it. */
  readonly height: number;
}

class Stop extends Error {}

const TAGS: ReadonlySet<string> = new Set([
  '!',
  ...['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
]);

/** The composed nodes as a JSON value. Aliases share the value of their anchor, and are counted as if they were copies. */
function yamlValue(document: Document, marks: Marks): Reading {
  const findings: Finding[] = [];
  const anchors = new Map<string, Built>();
  const path: (string | number)[] = [];
  let aliasNodes = 0;
  let nodes = 0;
  let here = 0;
  const report = (message: string): void => {
    findings.push({ path: [...path], message, offset: here });
  };
  const offsetOf = (node: unknown): number => (node as { range?: [number, number, number] } | null)?.range?.[0] ?? here;

  function alias(node: Alias): Built {
    const target = anchors.get(node.source);
    if (target === undefined) {
      report(`the alias *${node.source} has no anchor &${node.source} before it`);
      return { value: null, nodes: 1, height: 0 };
    }
    aliasNodes += target.nodes;
    nodes += target.nodes;
    if (aliasNodes > MAX_ALIAS_NODES)
      throw new Stop(`aliases stand for more than ${MAX_ALIAS_NODES} values; write fewer`);
    return target;
  }

  function scalar(value: unknown): Built {
    if (typeof value === 'number' && !Number.isFinite(value)) report(`${value} is not a value that JSON has`);
    // Long text counts as several values: through an alias it is written out again each time.
    const weight = typeof value === 'string' ? 1 + Math.floor(value.length / 100) : 1;
    return { value: value as Json, nodes: weight, height: 0 };
  }

  function key(node: unknown): string | undefined {
    here = offsetOf(node);
    if (!isScalar(node) || typeof node.value !== 'string') {
      const example = isScalar(node) ? `; put it in quotes: "${String(node.source ?? node.value)}"` : '';
      report(`a key must be text${example}`);
      return undefined;
    }
    if (node.tag !== undefined && !TAGS.has(node.tag)) report(customTag(node.tag));
    if (node.anchor !== undefined) anchors.set(node.anchor, { value: node.value, nodes: 1, height: 0 });
    if (node.value === '<<' && node.type === Scalar.PLAIN) {
      report('merge keys (<<) are not read; use `defaults`, or write the keys out');
      return undefined;
    }
    if (node.value !== '__proto__') return node.value;
    path.push(node.value);
    report(reservedKey(node.value));
    path.pop();
    return undefined;
  }

  function build(node: unknown): Built {
    here = offsetOf(node);
    nodes += 1;
    if (nodes > MAX_NODES) throw new Stop(`more than ${MAX_NODES} values in one document`);
    if (node instanceof Alias) return checked(alias(node));
    const tag = (node as { tag?: string } | null)?.tag;
    if (tag !== undefined && !TAGS.has(tag)) report(customTag(tag));
    const built = isMap(node) || isSeq(node) ? collection(node) : scalar((node as Scalar | null)?.value ?? null);
    const anchor = (node as { anchor?: string } | null)?.anchor;
    if (anchor !== undefined) anchors.set(anchor, built);
    return built;
  }

  function checked(built: Built): Built {
    if (path.length + built.height > MAX_DEPTH) throw new Stop(`nested more than ${MAX_DEPTH} levels deep`);
    return built;
  }

  function collection(node: { items: readonly unknown[] }): Built {
    checked({ value: null, nodes: 0, height: 1 });
    const list: Json[] = [];
    const map: Record<string, Json> = {};
    const value = isSeq(node) ? list : map;
    let count = 1;
    let height = 0;
    for (const [index, item] of node.items.entries()) {
      const pair = item as { key: unknown; value: unknown };
      const step = isSeq(node) ? index : key(pair.key);
      if (step === undefined) continue;
      const offset = isSeq(node) ? offsetOf(item) : here;
      path.push(step);
      if (typeof step === 'string' && Object.hasOwn(map, step)) report(duplicateKey(step));
      marks.set(value, step, offset);
      const child = build(isSeq(node) ? item : pair.value);
      path.pop();
      if (typeof step === 'string') map[step] = child.value;
      else list.push(child.value);
      count += child.nodes;
      height = Math.max(height, child.height);
    }
    return { value, nodes: count, height: height + 1 };
  }

  try {
    return { value: build(document.contents).value, marks, findings };
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown;
    findings.push({ path: path.slice(0, 10), message: thrown.message, offset: here });
    return { value: undefined, marks, findings };
  }
}

function customTag(tag: string): string {
  return `the tag ${tag} is not read; only plain YAML values are`;
}
