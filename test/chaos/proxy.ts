import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Emulator, stub } from '../contract/aws-emulators.ts';

/** What becomes of a request: an answer in its place, the connection cut, later, or twice. */
export type Fate =
  | 'pass'
  | 'cut'
  | 'twice'
  | { readonly afterMs: number }
  | { readonly status: number; readonly body: string }
  /** Passed on, and what comes back is changed. */
  | { readonly change: (body: string) => string };

/** Between a function and a service of AWS: decides the fate of each request, by its operation. */
export async function chaosProxy(
  behind: string,
  fate: (operation: string, count: number) => Fate,
): Promise<Emulator & { readonly met: Record<string, number> }> {
  const met: Record<string, number> = {};
  let count = 0;
  const emulator = await stub((request, response) => {
    pass(request, response).catch((thrown: unknown) => response.destroy(thrown as Error));
  });

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const operation =
      String(request.headers['x-amz-target'] ?? request.method)
        .split('.')
        .at(-1) ?? '';
    count += 1;
    const decided = fate(operation, count);
    const kind = typeof decided === 'string' ? decided : (Object.keys(decided)[0] ?? '');
    met[kind] = (met[kind] ?? 0) + 1;
    if (decided === 'cut') {
      response.destroy();
      return;
    }
    if (typeof decided === 'object' && 'status' in decided) {
      response.statusCode = decided.status;
      response.setHeader('content-type', 'application/x-amz-json-1.0');
      response.end(decided.body);
      return;
    }
    if (typeof decided === 'object' && 'afterMs' in decided) await sleep(decided.afterMs);
    if (decided === 'twice') await sent(request, body);
    const answer = await sent(request, body);
    const changed =
      typeof decided === 'object' && 'change' in decided
        ? Buffer.from(decided.change(answer.bytes.toString('utf8')))
        : answer.bytes;
    const headers = { ...answer.headers };
    if (changed !== answer.bytes) {
      delete headers['content-length'];
      delete headers['x-amz-crc32'];
    }
    response.writeHead(answer.status, headers);
    response.end(changed);
  }

  async function sent({ method, url: path, headers }: IncomingMessage, body: Buffer) {
    const { hostname, port } = new URL(behind);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      forward({ hostname, port, method, path, headers }, resolve).on('error', reject).end(body);
    });
    return { status: answer.statusCode ?? 500, headers: answer.headers, bytes: await buffer(answer) };
  }

  return { ...emulator, met };
}

export const THROTTLED = {
  status: 400,
  body: JSON.stringify({
    __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
    message: 'slow down',
  }),
} as const;
export const UNAVAILABLE = { status: 503, body: JSON.stringify({ __type: 'ServiceUnavailable' }) } as const;
