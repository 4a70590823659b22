import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { Services } from '../wiring.ts';
import { admit, type Caller, type Scope, TRUSTED } from './access.ts';
import { corsHeaders, preflight } from './cors.ts';
import { invocationLog } from './invocation-log.ts';
import { problem, problemOf, requestTooLarge, unserved } from './problem.ts';
import { told } from './told.ts';
import { bodyOf, fitting, headersOf, REQUEST_BYTES } from './url-payload.ts';

/** A request as verbs see it, whatever carried it here. */
export interface Request {
  readonly method: string;
  /** Decoded path parameters; `{path+}` keeps its slashes. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly caller: Caller;
  /** Where it came from, as the platform says. */
  readonly address?: string;
  /** When the answer has to be on its way (epoch ms). */
  readonly deadlineMs: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Route {
  readonly method: string;
  /** e.g. `/manifests/{path+}`; `{name}` is one segment, `{name+}` the rest. */
  readonly path: string;
  /** What a key must allow where one is needed; without it no key opens the route. `signed`: the route verifies by itself. */
  readonly scope?: Scope | 'signed';
  /** What to do instead when a request is larger than it may be. */
  readonly instead?: string;
  handle(request: Request, services: Services): Promise<Answer>;
}

export type HttpHandler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

export interface HttpEntry {
  readonly kind: 'http';
  readonly routes: readonly Route[];
  readonly options: HttpOptions;
  open(services: Services): HttpHandler;
}

export interface HttpOptions {
  /** Who the platform lets in: callers that AWS has authenticated (default), or everybody. */
  readonly url?: 'iam' | 'public';
  /** Doubled and trailing slashes in paths do not count. */
  readonly tidy?: boolean;
  /** What the local host reads of a body at most, in bytes; default what a function URL takes. */
  readonly maxBodyBytes?: number;
  /** Where others' formats are spoken: what is said in them instead of a problem document; undefined: nothing, it is no such request. */
  readonly refuse?: (refused: Refused) => Answer | undefined;
}

/** A request that reaches no route: there is none (404), or none with its method (405), or it is too large (413). */
export interface Refused extends Pick<Request, 'headers'> {
  readonly status: 404 | 405 | 413;
  /** As it came, undecoded. */
  readonly path: string;
}

/** Every answer carries these; they cost nothing and close what browsers leave open. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  // Browsers heed it over https alone.
  'strict-transport-security': 'max-age=31536000',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** How long before the platform's timeout an HTTP answer is sent; work that is left goes on from the queue. */
const ANSWER_MARGIN_MS = 5_000;
const ANSWER_WITHIN_MS = 25_000;

/** A function behind a function URL (payload 2.0): picks the route, decodes, and turns failures into problem documents. */
export function functionUrl(routes: readonly Route[], options: HttpOptions = {}): HttpEntry {
  return {
    kind: 'http',
    routes,
    options,
    open: (services) =>
      told(
        services,
        middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
          .use(invocationLog(services))
          .use(failuresAsProblems(services))
          .after(async (request) => {
            const answer = request.response;
            if (!answer) return;
            const cors = corsHeaders(headersOf(request.event)['origin'], services.settings.cors);
            answer.headers = { ...SECURITY_HEADERS, ...cors, ...answer.headers };
            request.response = await withinLimit(answer, request.event);
          })
          .handler((event, context) =>
            answerTo(event, context, { routes, options }, services),
          ) as unknown as HttpHandler,
      ),
  };
}

function failuresAsProblems(
  services: Services,
): middy.MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  return {
    onError: (request) => {
      const answer = problemOf(request.error);
      if (answer.status === 500) services.deps.metrics?.add('UnexpectedErrors', 1);
      if (answer.status >= 500) {
        services.log.error('request failed', { path: request.event.rawPath, reason: request.error?.message ?? '' });
      }
      const encoded = encode(answer);
      const cors = corsHeaders(headersOf(request.event)['origin'], services.settings.cors);
      request.response = { ...encoded, headers: { ...SECURITY_HEADERS, ...cors, ...encoded.headers } };
    },
  };
}

async function withinLimit(
  answer: APIGatewayProxyStructuredResultV2,
  event: APIGatewayProxyEventV2,
): Promise<APIGatewayProxyStructuredResultV2> {
  const fits = await fitting(answer, headersOf(event)['accept-encoding']);
  if (fits) return fits;
  const detail =
    'the answer is larger than a function URL carries (6 MB); ask for less of it (limit and after, depth), accept gzip, or read the object from the bucket';
  const encoded = encode(problem(413, detail));
  return { ...encoded, headers: { ...SECURITY_HEADERS, ...encoded.headers } };
}

const NO_QUERY = new URLSearchParams();

async function answerTo(
  event: APIGatewayProxyEventV2,
  context: Context,
  entry: Pick<HttpEntry, 'routes' | 'options'>,
  services: Services,
): Promise<APIGatewayProxyStructuredResultV2> {
  const method = event.requestContext.http.method;
  const path = event.rawPath;
  const headers = headersOf(event);
  const { matched, allowed } = findRoute(entry, method, path);
  if (!matched) {
    const asked = method === 'OPTIONS' ? preflight(headers, allowed, services.settings.cors) : undefined;
    const refused = entry.options.refuse?.({ status: allowed.length > 0 ? 405 : 404, path, headers });
    return encode(asked ?? refused ?? unserved(method, path, allowed));
  }
  const { scope } = matched.route;
  const address = event.requestContext.http.sourceIp;
  const access =
    scope === 'signed'
      ? { caller: TRUSTED }
      : await admit(headers['authorization'], scope, entry.options.url ?? 'iam', services, address);
  if ('refused' in access) return encode(access.refused);
  const body = bodyOf(event);
  if (services.settings.aws && (entry.options.url ?? 'iam') === 'iam' && body.byteLength > REQUEST_BYTES) {
    return encode(requestTooLarge(REQUEST_BYTES, matched.route));
  }
  const left = context.getRemainingTimeInMillis() - ANSWER_MARGIN_MS;
  const answer = await matched.route.handle(
    {
      method,
      params: matched.params,
      query: event.rawQueryString === '' ? NO_QUERY : new URLSearchParams(event.rawQueryString),
      headers,
      body,
      caller: access.caller,
      ...(address === undefined ? {} : { address }),
      deadlineMs: services.deps.now() + Math.min(left, ANSWER_WITHIN_MS),
    },
    services,
  );
  return encode(answer);
}

interface Match {
  readonly route: Route;
  readonly params: Record<string, string>;
}

/** The route of a request, or the methods that its path would allow. */
export function findRoute(
  { routes, options }: Pick<HttpEntry, 'routes' | 'options'>,
  method: string,
  rawPath: string,
): { readonly matched?: Match; readonly allowed: readonly string[] } {
  const allowed: string[] = [];
  const path = options.tidy ? rawPath.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '') : rawPath;
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (!params) continue;
    if (route.method === method) return { matched: { route, params }, allowed };
    allowed.push(route.method);
  }
  return { allowed };
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  if (!pattern.includes('{')) return pattern === path ? {} : undefined;
  const wanted = pattern.split('/');
  const given = path.split('/');
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const name = /^\{(\w+)(\+?)\}$/.exec(part);
    const value = name?.[2] === '+' ? given.slice(index).join('/') : given[index];
    if (value === undefined || (name && value === '')) return undefined;
    if (!name && value !== part) return undefined;
    if (!name) continue;
    const decoded = decode(value);
    if (decoded === undefined) return undefined;
    params[name[1] as string] = decoded;
    if (name[2] === '+') return params;
  }
  return wanted.length === given.length ? params : undefined;
}

function decode(text: string): string | undefined {
  try {
    return text.split('/').map(decodeURIComponent).join('/');
  } catch {
    return undefined;
  }
}

function encode(answer: Answer): APIGatewayProxyStructuredResultV2 {
  const { status, headers, body } = answer;
  const bytes = typeof body === 'object';
  return {
    statusCode: status,
    headers: { ...headers },
    body: bytes ? Buffer.from(body).toString('base64') : (body ?? ''),
    isBase64Encoded: bytes,
  };
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}
