import type { Answer } from './http.ts';

/** What pages of other sites may do: nothing, unless `CORS_ORIGINS` names their origin. */
export interface Cors {
  readonly origins: readonly string[];
}

/** Of an answer's headers, those that say how to go on. */
const SHOWN = 'etag, location, retry-after';

/** How long a browser may remember what it was allowed, in seconds. */
const REMEMBERED_S = '600';

/**
 * Headers for an answer to a page of another site; none for one that is not named. Cookies are never used here, so credentials are
 * not allowed.
 */
export function corsHeaders(origin: string | undefined, { origins }: Cors): Readonly<Record<string, string>> {
  if (origins.length === 0) return {};
  if (origin === undefined || !origins.includes(origin)) return { vary: 'origin' };
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': SHOWN, vary: 'origin' };
}

/** The answer to a browser that asks first; undefined when the page's origin is not named. */
export function preflight(
  headers: Readonly<Record<string, string>>,
  methods: readonly string[],
  cors: Cors,
): Answer | undefined {
  const { origin } = headers;
  if (origin === undefined || !cors.origins.includes(origin) || methods.length === 0) return undefined;
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': 'authorization, content-type, if-match, if-none-match',
      'access-control-max-age': REMEMBERED_S,
    },
    body: '',
  };
}
