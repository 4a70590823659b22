import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { type Answer, findRoute, type HttpEntry, SECURITY_HEADERS } from '../shared/triggers/http.ts';
import { problem, requestTooLarge, unserved } from '../shared/triggers/problem.ts';
import type { Services } from '../shared/wiring.ts';
import { admission, type Place } from './admission.ts';
import { connectionsOf } from './connections.ts';
import { invocation } from './invocation.ts';
import { type ListenAt, listen } from './listen.ts';
import { answerUnread } from './unread.ts';

/** What a function URL takes at the most, in bytes. */
const MAX_BODY_BYTES = 6 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

export interface Host {
  readonly url: string;
  /**
   * Stops without losing a request, see `Connections.leave`. `pauseMs`: how long connections without a request are left open first, for
   * what their callers are about to send; default 0.
   */
  close(pauseMs?: number): Promise<void>;
}

/** One host in front of all HTTP functions: method and path say which. Loopback only. `at`: a port (0: any free one), or a socket handed over. */
export async function startHost(
  entries: Readonly<Record<string, { readonly kind: string }>>,
  services: Services,
  at: ListenAt,
): Promise<Host> {
  const functions = Object.entries(entries)
    .filter((each): each is [string, HttpEntry] => each[1].kind === 'http')
    .map(([name, entry]) => ({ name, entry, handler: entry.open(services) }));

  // A missing Host is answered by `guard`, in our own words.
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    const handled = handle(request, response).catch((thrown: unknown) => {
      services.log.error('request failed', { reason: String(thrown) });
      response.destroy();
    });
    connections.answering(request, response, handled);
  });
  const connections = connectionsOf(server);
  const admitted = admission(
    services.settings.admission,
    (count) => services.log.warn('requests were turned away to come again', { count }),
    () => performance.now(),
  );
  server.requestTimeout = TIMEOUT_MS;
  answerUnread(server);
  const { url, port } = await listen(server, at);
  const { cors, publicHosts } = services.settings;
  const refuse = guard({ port, friends: cors.origins, publicHosts });

  /** Before anything is looked at: whoever there is no room for costs next to nothing. */
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const place = admitted.enter(request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write');
    if (!place) return admitted.turnAway(response);
    try {
      await serve(request, response, place);
    } finally {
      place.leave();
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
    const refused = refuse(request);
    if (refused) return send(response, refused.status, refused.headers ?? {}, refused.body ?? '');
    // HEAD is GET without the body.
    if (request.method === 'HEAD') request.method = 'GET';
    // A browser asks whether a page of another site may; the function that would have to do it answers.
    const asked = request.method === 'OPTIONS' ? request.headers['access-control-request-method'] : undefined;
    const method = asked ?? request.method ?? 'GET';
    const [path] = target(request);
    const headers = headersOf(request);
    const picked = pick(method, path, headers);
    if ('allowed' in picked) {
      const answer = unserved(request.method ?? '', path, picked.allowed);
      return send(response, answer.status, answer.headers ?? {}, answer.body ?? '');
    }
    const { name, entry, handler } = picked;
    const maxBytes = entry.options.maxBodyBytes ?? MAX_BODY_BYTES;
    const body = await readBody(request, maxBytes, place);
    if (body === 'no room' || (body !== 'too large' && !(await place.begin()))) return admitted.turnAway(response);
    if (body === 'too large') {
      const { matched } = findRoute(entry, method, path);
      const answer =
        entry.options.refuse?.({ status: 413, path, headers }) ?? requestTooLarge(maxBytes, matched?.route);
      response.once('finish', () => request.destroy());
      return send(response, answer.status, { ...answer.headers, connection: 'close' }, answer.body ?? '');
    }
    const event = toEvent(request, headers, body);
    const answer = await handler(event, invocation(name, TIMEOUT_MS, event.requestContext.requestId));
    const bytes = Buffer.from(answer.body ?? '', answer.isBase64Encoded ? 'base64' : 'utf8');
    send(response, answer.statusCode ?? 200, (answer.headers ?? {}) as Record<string, string>, bytes);
  }

  /** The function that has the route, or refuses it in a format of its own; else the methods that all of them know for the path; else any function, for its 404. */
  function pick(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): (typeof functions)[number] | { readonly allowed: readonly string[] } {
    const methods = new Set<string>();
    for (const each of functions) {
      const { matched, allowed } = findRoute(each.entry, method, path);
      if (matched) return each;
      for (const one of allowed) methods.add(one);
    }
    const status = methods.size === 0 ? 404 : 405;
    const own = functions.find(({ entry }) => entry.options.refuse?.({ status, path, headers }) !== undefined);
    const [first] = functions;
    if (!first) throw new Error('no HTTP functions');
    return own ?? (methods.size === 0 ? first : { allowed: [...methods].sort() });
  }

  return {
    url,
    close: (pauseMs = 0) => connections.leave(pauseMs),
  };
}

interface Guarded {
  readonly port: number;
  /** Origins whose pages may do anything here. */
  readonly friends: readonly string[];
  /** A proxy on this machine may hand requests on under the names that callers know. */
  readonly publicHosts: readonly string[];
}

/** Browsers must not reach a service without keys through somebody's page: no foreign host name, no foreign origin. */
function guard({ port, friends, publicHosts }: Guarded): (request: IncomingMessage) => Answer | undefined {
  const ours = ['127.0.0.1', 'localhost', '[::1]'].flatMap((name) => [name, `${name}:${port}`]);
  const hosts = new Set([...ours, ...publicHosts]);
  const origins = new Set(ours.map((name) => `http://${name}`));
  return ({ method, headers }) => {
    if (headers.host === undefined) return problem(400, 'a request names its Host');
    if (!hosts.has((headers.host ?? '').toLowerCase()))
      return problem(421, 'this service answers on 127.0.0.1 and localhost only');
    const { origin } = headers;
    if (method === 'GET' || method === 'HEAD' || (origin !== undefined && friends.includes(origin))) return undefined;
    const foreign = origin !== undefined && !origins.has(origin);
    return foreign || headers['sec-fetch-site'] === 'cross-site'
      ? problem(403, 'requests from other sites may not change anything here')
      : undefined;
  };
}

function readBody(request: IncomingMessage, maxBytes: number, place: Place): Promise<Buffer | 'too large' | 'no room'> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve('too large');
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > maxBytes) {
        request.pause();
        resolve('too large');
      } else if (place.grow(chunk.byteLength)) chunks.push(chunk);
      else {
        // What still comes is thrown away.
        request.removeAllListeners('data');
        chunks.length = 0;
        resolve('no room');
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new Error('the caller went away before its request was complete'));
    });
  });
}

/** Path and query as they came, parted at the first `?`: the query may hold more of them. */
function target({ url = '/' }: IncomingMessage): readonly [path: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return headers;
}

/** A request as a function URL hands it over (payload format 2.0). */
function toEvent(request: IncomingMessage, headers: Record<string, string>, body: Buffer): APIGatewayProxyEventV2 {
  const [rawPath, rawQueryString] = target(request);
  const requestId = randomUUID();
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString,
    headers,
    ...carried(body),
    requestContext: {
      accountId: 'anonymous',
      apiId: 'local',
      domainName: headers['host'] ?? '',
      domainPrefix: 'local',
      http: {
        method: request.method ?? 'GET',
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId,
      routeKey: '$default',
      stage: '$default',
      time: new Date().toISOString(),
      timeEpoch: Date.now(),
    },
  };
}

/** Text as it is, anything else in base64, as a function URL does. */
function carried(body: Buffer): { readonly body: string; readonly isBase64Encoded: boolean } {
  return isUtf8(body)
    ? { body: body.toString('utf8'), isBase64Encoded: false }
    : { body: body.toString('base64'), isBase64Encoded: true };
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  // Of an answer that has no body it would be the length of the one that was not sent (RFC 9110, 8.6, read 2026-11).
  const length = status === 204 || status === 304 ? {} : { 'content-length': String(bytes.byteLength) };
  response.writeHead(status, { ...SECURITY_HEADERS, ...headers, ...length });
  // An empty body would be a write of its own.
  if (bytes.byteLength === 0) response.end();
  else response.end(bytes);
}
