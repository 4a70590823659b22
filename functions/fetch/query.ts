import * as z from 'zod';
import type { Problem } from '../../shared/core/edge.ts';
import { MARKS } from '../../shared/core/edge-outcome.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Request } from '../../shared/triggers/http.ts';

export const FORMATS = ['json', 'html', 'svg', 'mermaid', 'dot', 'openlineage', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

const MAX_DEPTH = 50;
const MAX_LIMIT = 1_000;

/** A parameter that is a count, 1 to `most`. */
export const count = (name: string, most: number, standard: number) => upTo(name, most).default(standard);

function upTo(name: string, most: number) {
  const message = `${name} is a whole number from 1 to ${most}`;
  return z.coerce.number(message).int(message).min(1).max(most);
}

const text = z.lazy(() => z.string().trim().min(1).max(2_000).optional());

const parameters = z.lazy(() =>
  z.strictObject({
    dataset: z.string().min(1).max(2_000).optional(),
    /** The other end of a path. */
    to: z.string().min(1).max(2_000).optional(),
    /** Part of a name. */
    q: text,
    direction: z.enum(['upstream', 'downstream', 'both']).default('both'),
    depth: upTo('depth', MAX_DEPTH).optional(),
    level: z.enum(['table', 'column']).optional(),
    /** The ledger, a target that is asked live, all of them side by side, or the plan. */
    from: z
      .string()
      .regex(
        /^(ledger|compare|plan|(flink|dataphin|dataarts)(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?)$/,
        'from is ledger, compare, plan, or a target: flink, dataphin, dataarts, dataarts/<account> …',
      )
      .default('ledger'),
    job: text,
    owner: text,
    target: text,
    outcome: z.enum(MARKS as [string, ...string[]]).optional(),
    table: text,
    namespace: z.string().min(1).max(500).optional(),
    temporary: z.enum(['true', 'false']).optional(),
    format: z.enum(FORMATS).optional(),
    after: z.string().max(2_000).optional(),
    limit: upTo('limit', MAX_LIMIT).optional(),
    /** Of a signed link. */
    expires: z.string().max(20).optional(),
    signature: z.string().max(200).optional(),
  }),
);

/** Pictures show a little at a time; whoever wants more asks for it. */
const DEFAULTS: Readonly<Record<'picture' | 'data', { depth: number; limit: number; level: 'table' | 'column' }>> = {
  picture: { depth: 2, limit: 300, level: 'column' },
  data: { depth: 5, limit: MAX_LIMIT, level: 'table' },
};

export type Asked = Omit<z.output<typeof parameters>, 'format' | 'depth' | 'limit' | 'level'> & {
  readonly format: Format;
  readonly depth: number;
  readonly limit: number;
  readonly level: 'table' | 'column';
};

/**
 * The question a request asks, with defaults filled in, or everything that is wrong with it. Throws `Failure` `not-acceptable` when
 * nothing is, but no format is one that `Accept` takes.
 */
export function readQuery(
  request: Pick<Request, 'query' | 'headers'>,
): { asked: Asked } | { problems: readonly Problem[] } {
  const parsed = parameters.safeParse(Object.fromEntries(request.query), { jitless: true });
  if (!parsed.success) return { problems: problemsOf(parsed.error) };
  const value = parsed.data;
  const problems: Problem[] = [];
  if (value.to !== undefined && value.dataset === undefined) {
    problems.push({ path: 'dataset', message: 'give the dataset where the path to `to` begins' });
  }
  if (value.q !== undefined && value.dataset !== undefined) {
    problems.push({ path: 'q', message: 'goes without dataset; it finds datasets by a part of their name' });
  }
  const flink = value.from.startsWith('flink');
  if (!flink) {
    for (const path of ['table', 'namespace', 'temporary'] as const) {
      if (value[path] !== undefined) problems.push({ path, message: 'goes with from=flink only' });
    }
  }
  if (!flink && value.from !== 'ledger' && value.from !== 'plan') {
    for (const path of ['to', 'q'] as const) {
      if (value[path] !== undefined) problems.push({ path, message: 'goes with from=ledger only' });
    }
    // DataArts alone has a list of everything.
    if (value.dataset === undefined && !value.from.startsWith('dataarts')) {
      problems.push({ path: 'dataset', message: `give a dataset: ${value.from} is asked around one` });
    }
  }
  if (problems.length > 0) return { problems };
  const { format = accepted(request.headers['accept']) } = value;
  if (format === undefined) {
    const message = `lineage is not shown as what Accept names; accept one of ${[...TYPES.keys()].join(', ')}, or ask with format`;
    throw new Failure('invalid', message, { code: 'not-acceptable' });
  }
  const standard = DEFAULTS[format === 'html' || format === 'svg' ? 'picture' : 'data'];
  // The round trip needs columns.
  const level = value.level ?? (format === 'openlineage' ? 'column' : standard.level);
  const { depth = standard.depth, limit = standard.limit } = value;
  return { asked: { ...value, format, level, depth, limit } };
}

export function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
}

/** What clients ask for them as; whoever takes any of several gets the first. */
const TYPES: ReadonlyMap<string, Format> = new Map([
  ['application/json', 'json'],
  ['text/html', 'html'],
  ['application/xhtml+xml', 'html'],
  ['image/svg+xml', 'svg'],
  ['text/csv', 'csv'],
  ['text/vnd.mermaid', 'mermaid'],
  ['text/vnd.graphviz', 'dot'],
  ['application/vnd.openlineage+json', 'openlineage'],
]);

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json',
  html: 'text/html; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  mermaid: 'text/vnd.mermaid; charset=utf-8',
  dot: 'text/vnd.graphviz; charset=utf-8',
  openlineage: 'application/json',
};

/**
 * The format an Accept header likes best; nothing given means JSON, nothing that it takes means undefined. Of the ranges that a type is
 * in, the narrowest counts, so that `q=0` takes out what a wider one lets in (RFC 9110, 12.5.1, read 2026-11).
 */
export function accepted(header: string | undefined): Format | undefined {
  const ranges = (header ?? '').split(',').flatMap((part, at) => {
    const [range = '', ...rest] = part.split(';').map((each) => each.trim().toLowerCase());
    const weight = rest.find((each) => each.startsWith('q='))?.slice(2);
    return range === '' ? [] : [{ range, weight: weight === undefined ? 1 : Number(weight) || 0, at }];
  });
  if (ranges.length === 0) return 'json';
  const liked = [...TYPES].flatMap(([type, format]) => {
    const wider = [type, `${type.split('/', 1)[0]}/*`, '*/*'];
    const [narrowest] = wider.flatMap((each) => ranges.find(({ range }) => range === each) ?? []);
    return narrowest && narrowest.weight > 0 ? [{ ...narrowest, format }] : [];
  });
  liked.sort((a, b) => b.weight - a.weight || a.at - b.at);
  return liked[0]?.format;
}
