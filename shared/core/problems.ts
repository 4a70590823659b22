import type * as z from 'zod';
import type { ParsedDocument } from './document.ts';
import type { Problem } from './edge.ts';
import { formatPath, type Path } from './position.ts';
import { didYouMean } from './suggest.ts';

/** Problems of one document that are listed; beyond, only that there are more. */
export const MAX_PROBLEMS = 1_000;

type Issue = z.core.$ZodIssue;

/** Something wrong at a path of a value, before lines are known. */
export interface Remark {
  readonly path: Path;
  readonly message: string;
}

/** Problems beyond those that are handed over: so many, and unless `complete` perhaps more. */
interface Beyond {
  readonly unsaid: number;
  readonly complete: boolean;
}

/** Puts lines to remarks, adds the document's own problems, and lists all in the order in which they stand in it. */
export function problemsOf(
  document: ParsedDocument,
  remarks: readonly Remark[],
  { unsaid, complete }: Beyond = { unsaid: 0, complete: true },
): readonly Problem[] {
  const problems = [...document.problems];
  for (const { path, message } of remarks) {
    const line = document.position(path);
    problems.push({ path: formatPath(path), message, ...(line === undefined ? {} : { line }) });
  }
  problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (problems.length <= MAX_PROBLEMS) return problems;
  const more = problems.length - MAX_PROBLEMS + unsaid;
  const message = `and ${complete ? '' : 'at least '}${more} more ${more === 1 ? 'problem' : 'problems'}; correct these first`;
  return [...problems.slice(0, MAX_PROBLEMS), { path: '', message }];
}

/** What a schema finds wrong in a value, in plain words. */
export function schemaRemarks(schema: z.ZodType, value: unknown): readonly Remark[] {
  const result = schema.safeParse(value);
  if (result.success) return [];
  const remarks: Remark[] = [];
  for (const issue of result.error.issues) explain(issue, [], { schema, value, remarks });
  return remarks;
}

interface Context {
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly remarks: Remark[];
}

function explain(issue: Issue, prefix: Path, context: Context): void {
  const path: Path = [...prefix, ...(issue.path as (string | number)[])];
  const { found, missing } = lookUp(context.value, path);
  const say = (message: string, at: Path = path): void => {
    context.remarks.push({ path: at, message: missing ? `is missing: ${message}` : message });
  };
  // A schema's own words win over ours; zod's defaults all begin like this.
  const own = /^(Invalid|Unrecognized|Too (big|small))/.test(issue.message) ? undefined : issue.message;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(context.schema, path);
    for (const key of issue.keys) say(`unknown key ${quoted(key)}${hint(key, known, context)}`, [...path, key]);
  } else if (issue.code === 'invalid_union') {
    const fitting = issue.errors.find((branch) => !branch.some(ofOtherType));
    if (fitting !== undefined && !missing) for (const inner of fitting) explain(inner, path, context);
    else
      say(
        own ??
          mismatch(
            issue.errors.flatMap((branch) => branch.flatMap(expectedTypes)),
            found,
            missing,
          ),
      );
  } else if (issue.code === 'invalid_type') {
    say(own ?? mismatch([WORDS[issue.expected] ?? issue.expected], found, missing));
  } else if (issue.code === 'invalid_value') {
    const allowed = issue.values.map((one) => (typeof one === 'string' ? one : String(one)));
    const choice = allowed.length === 1 ? `expected ${allowed[0]}` : `expected one of ${allowed.join(', ')}`;
    const near = typeof found === 'string' ? hint(found, allowed, context) : '';
    say(own ?? (missing ? choice : `${choice}; found ${shown(found)}${near}`));
  } else if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    say(issue.issues[0]?.message ?? issue.message);
  } else if (issue.code === 'too_small' && own === undefined && issue.minimum === 1) {
    say('must not be empty');
  } else {
    say(issue.message);
  }
}

/** Suggestions are for people who slipped, not for documents that are wrong all over. */
function hint(text: string, candidates: Iterable<string>, context: Context): string {
  return context.remarks.length < 50 ? didYouMean(text, candidates) : '';
}

function ofOtherType(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(ofOtherType));
  return issue.code === 'invalid_type';
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'null',
};

function expectedTypes(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_union') return issue.errors.flatMap((branch) => branch.flatMap(expectedTypes));
  if (issue.code !== 'invalid_type' || issue.path.length > 0) return [];
  return [WORDS[issue.expected] ?? issue.expected];
}

function mismatch(expected: readonly string[], found: unknown, missing: boolean): string {
  const words = [...new Set(expected)];
  const last = words.pop() ?? 'something else';
  const wanted = `expected ${words.length === 0 ? last : `${words.join(', ')} or ${last}`}`;
  if (missing) return wanted;
  const scalar = typeof found === 'number' || typeof found === 'boolean';
  const quotes = scalar && expected.includes('text') ? '; put it in quotes' : '';
  return `${wanted}, found ${shown(found)}${quotes}`;
}

/** A value as it may stand in a message: short, and never a whole document. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `the text ${quoted(value)}` : String(value);
}

function lookUp(root: unknown, path: Path): { found: unknown; missing: boolean } {
  let found = root;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step))
      return { found: undefined, missing: true };
    found = (found as Record<string | number, unknown>)[step];
  }
  return { found, missing: false };
}

/** Text in quotes, cut to a length that suits a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

type Inner = { readonly _zod: { readonly def: Record<string, unknown> & { readonly type: string } } };

/** The keys that a schema knows at a path; none where it allows any. */
function knownKeys(schema: z.ZodType, path: Path): readonly string[] {
  let options: Inner[] = unwrapped(schema as unknown as Inner);
  for (const step of path) {
    options = options.flatMap(({ _zod: { def } }) => {
      const next =
        def.type === 'object'
          ? (def['shape'] as Record<string, Inner>)[String(step)]
          : def.type === 'record'
            ? (def['valueType'] as Inner)
            : def.type === 'array'
              ? (def['element'] as Inner)
              : undefined;
      return next === undefined ? [] : unwrapped(next);
    });
  }
  return options.flatMap(({ _zod: { def } }) => (def.type === 'object' ? Object.keys(def['shape'] as object) : []));
}

function unwrapped(schema: Inner): Inner[] {
  const def = schema._zod.def;
  if (def.type === 'union') return (def['options'] as Inner[]).flatMap(unwrapped);
  return 'innerType' in def ? unwrapped(def['innerType'] as Inner) : [schema];
}
