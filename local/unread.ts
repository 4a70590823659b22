import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SECURITY_HEADERS } from '../shared/triggers/http.ts';
import { problem } from '../shared/triggers/problem.ts';

/** By node's code for what it could not read; anything else is 400. */
const SAID: ReadonlyMap<string | undefined, readonly [status: number, detail: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'the headers of a request may have 16 KiB together']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'the extensions of a chunk are larger than is read here']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'the request did not come to its end in time']],
]);

/**
 * Answers what never becomes a request with a problem document: no HTTP (400), headers that are too large (431), a request that does not
 * end (408), an `Expect` that nobody here meets (417).
 */
export function answerUnread(server: Server): void {
  /** Of each connection what is not answered yet, in order. */
  const open = new WeakMap<Duplex, Set<ServerResponse>>();
  const broken = new WeakSet<Duplex>();

  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const waiting = open.get(socket) ?? new Set();
    open.set(socket, waiting.add(response));
    response.once('close', () => waiting.delete(response));
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return void socket.destroy();
    // Told again with whatever comes after it.
    if (broken.has(socket)) return;
    broken.add(socket);
    const waiting = [...(open.get(socket) ?? [])];
    const last = waiting.at(-1);
    const itself = waiting.length === 1 && last?.req.complete === false && !last.headersSent;
    if (last === undefined || itself) socket.end(written(error.code));
    // Whoever is still waiting for the answer to something better would take ours for it.
    else if (last.req.complete) last.once('close', () => socket.destroy());
    else socket.destroy();
  });

  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const { status, headers, body = '' } = problem(417, 'Expect: 100-continue is the only expectation met here');
    const length = { 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { ...SECURITY_HEADERS, ...headers, ...length }).end(body);
  });
}

/** A whole answer as it goes over the wire. */
function written(code: string | undefined): string {
  const [status, detail] = SAID.get(code) ?? [400, 'what was sent cannot be read as HTTP'];
  const answer = problem(status, detail);
  const body = String(answer.body);
  const { title } = JSON.parse(body) as { title: string };
  const length = { 'content-length': Buffer.byteLength(body), connection: 'close' };
  const headers = Object.entries({ ...SECURITY_HEADERS, ...answer.headers, ...length });
  return [`HTTP/1.1 ${status} ${title}`, ...headers.map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n');
}
