import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { stub } from '../contract/aws-emulators.ts';

/** One call that a function made, as whoever repeats it needs it. */
export interface MadeCall {
  /** `dynamodb`, `s3`, `sqs`, `secretsmanager` or `vendor`. */
  readonly service: string;
  /** Name of the SDK's command, e.g. `GetItem`; of a vendor call its method. */
  readonly operation: string;
  /** Input of the command; of a vendor call `{ path, headers, body }`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Passes requests on, AWS's by the service in their signature, and remembers what they asked. */
export async function recorder(behind: Readonly<Record<string, string>>) {
  const calls: MadeCall[] = [];
  const emulator = await stub((request, response) => {
    pass(request, response).catch((thrown: unknown) => {
      response.statusCode = 500;
      response.end(String(thrown));
    });
  });

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    const body = await buffer(request);
    const authorization = request.headers.authorization ?? '';
    const service = /Credential=[^/]+\/\d+\/[^/]+\/(\w+)\//.exec(authorization)?.[1] ?? 'vendor';
    const { hostname, port } = new URL(behind[service] ?? '');
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { method, url: path, headers } = request;
      forward({ hostname, port, method, path, headers }, resolve).on('error', reject).end(body);
    });
    const bytes = await buffer(answer);
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.end(bytes);
    calls.push({ service, ...asked(service, request, body), startedMs, endedMs: performance.now() });
  }

  return { ...emulator, calls };
}

function asked(service: string, request: IncomingMessage, body: Buffer): Pick<MadeCall, 'operation' | 'input'> {
  if (service === 's3') return askedOfS3(request, body);
  if (service !== 'vendor') {
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    return { operation, input: JSON.parse(body.toString('utf8')) as Record<string, unknown> };
  }
  const { method = 'GET', url: path, headers } = request;
  return { operation: method, input: { path, headers, body: body.toString('utf8') } };
}

function askedOfS3(request: IncomingMessage, body: Buffer): Pick<MadeCall, 'operation' | 'input'> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://s3');
  const [, Bucket = '', ...rest] = pathname.split('/');
  const Key = decodeURIComponent(rest.join('/'));
  if (Key === '') return { operation: 'ListObjectsV2', input: { Bucket, Prefix: searchParams.get('prefix') ?? '' } };
  const operation = { GET: 'GetObject', HEAD: 'HeadObject', PUT: 'PutObject', DELETE: 'DeleteObject' }[
    request.method ?? ''
  ];
  if (operation === undefined) throw new Error(`no S3 operation: ${request.method}`);
  return { operation, input: { Bucket, Key, ...(operation === 'PutObject' ? { Body: body.toString('utf8') } : {}) } };
}

/** Calls that were under way together stay together. */
export function inWaves(calls: readonly MadeCall[]): readonly (readonly MadeCall[])[] {
  const waves: MadeCall[][] = [];
  let ends = Number.NEGATIVE_INFINITY;
  for (const call of [...calls].sort((a, b) => a.startedMs - b.startedMs)) {
    const wave = waves.at(-1);
    if (wave === undefined || call.startedMs >= ends) {
      waves.push([call]);
      ends = call.endedMs;
    } else {
      wave.push(call);
      ends = Math.min(ends, call.endedMs);
    }
  }
  return waves;
}
