import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyAcs3 } from '../../shared/signing/acs3.ts';
import { parseForm } from '../../shared/signing/canonical.ts';
import { verifySdkHmac } from '../../shared/signing/sdk-hmac.ts';
import { given, say } from './child.ts';

/**
 * Answers at once, as the vendor would on success, so that the client is what is measured; what arrived is checked
 * afterwards, signature by signature, when `/_seen` is asked.
 */
const { secret } = given<{ readonly secret: string }>();
const DATAPHIN = JSON.stringify({
  RequestId: '75DD06F8-1661-5A6E-B0A6-7E23133BDC60',
  Success: true,
  Code: 'OK',
  HttpStatusCode: 200,
  Message: 'successful',
  Data: true,
});
const NODE = [{ name: 'n', type_name: 'dwi_etl_node', qualified_name: 'manual.0b7e@node.project-workspace-w' }];

interface Seen {
  readonly method: string;
  readonly target: string;
  /** As they came, and the body in pieces: they are put together when somebody asks, because the client shares the machine with this. */
  readonly rawHeaders: IncomingMessage['rawHeaders'];
  readonly chunks: readonly Buffer[];
}
let seen: Seen[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const target = request.url ?? '/';
    if (target === '/_seen') {
      const told = JSON.stringify(count(seen));
      seen = [];
      response.end(told);
      return;
    }
    seen.push({ method: request.method ?? '', target, rawHeaders: request.rawHeaders, chunks });
    const answer = target.startsWith('/v1/') ? JSON.stringify(NODE) : DATAPHIN;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));

/** How many calls came, how many of them carried a right signature, and how many said something different from all others. */
function count(calls: readonly Seen[]): { calls: number; signed: number; distinct: number } {
  const said = new Set<string>();
  let signed = 0;
  for (const { rawHeaders, chunks, ...call } of calls) {
    const headers: Record<string, string> = {};
    for (let at = 0; at < rawHeaders.length; at += 2)
      headers[String(rawHeaders[at]).toLowerCase()] = String(rawHeaders[at + 1]);
    const body = Buffer.concat(chunks);
    const received = { ...call, headers, body };
    const verdict = call.target.startsWith('/v1/')
      ? verifySdkHmac(received, secret, Date.now())
      : verifyAcs3(received, secret, Date.now());
    if (verdict.ok) signed += 1;
    said.add(
      call.target.startsWith('/v1/')
        ? body.toString()
        : JSON.stringify([parseForm(body.toString()), parseForm(call.target.split('?')[1] ?? '')]),
    );
  }
  return { calls: calls.length, signed, distinct: said.size };
}
