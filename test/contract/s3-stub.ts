import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Emulator, stub } from './aws-emulators.ts';

/**
 * S3's answers about objects, as its API reference gives them, for one versioned bucket: deletes leave markers,
 * a HEAD never has a body, listings are in UTF-8 order and encode keys when asked to. Any other bucket does not exist. What
 * it does not know it refuses with 501.
 */
export interface S3Stub extends Emulator {
  /** Every request so far: `GET a.yaml`, `LIST prefix`. */
  readonly requests: string[];
  /** Set: every request is answered with this error. HEADs get its status alone. */
  refuse: { readonly status: number; readonly code: string } | undefined;
}

interface Version {
  readonly id: string;
  readonly bytes: Buffer | undefined;
}

export async function startS3Stub(bucket: string): Promise<S3Stub> {
  const versions = new Map<string, Version[]>();
  const requests: string[] = [];
  const state: { refuse: S3Stub['refuse'] } = { refuse: undefined };
  const current = (key: string) => versions.get(key)?.at(-1);

  const emulator = await stub((request, response) => {
    handle(request, response).catch((thrown: unknown) => {
      response.statusCode = 500;
      response.end(String(thrown));
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://s3');
    const [, named = '', ...rest] = url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    const method = request.method ?? '';
    const body = await buffer(request);
    requests.push(key === '' ? `LIST ${url.searchParams.get('prefix')}` : `${method} ${key}`);
    const fail = (status: number, code: string) => sendError(response, method, status, code);
    if (state.refuse) return fail(state.refuse.status, state.refuse.code);
    if (named !== bucket) return fail(404, 'NoSuchBucket');
    if (key === '' && method === 'GET') return list(url.searchParams, response);
    if (key === '') return fail(501, 'NotImplemented');
    if (Buffer.byteLength(key) > 1_024) return fail(400, 'KeyTooLongError');
    const found = current(key);
    if (method === 'PUT') {
      if (request.headers['content-type'] === undefined) return fail(400, 'InvalidRequest');
      response.setHeader('etag', add(key, body));
      response.end();
    } else if (method === 'DELETE') {
      add(key, undefined);
      response.statusCode = 204;
      response.end();
    } else if (method === 'GET' || method === 'HEAD') {
      if (found !== undefined) response.setHeader('x-amz-version-id', found.id);
      if (found?.bytes === undefined) {
        if (found !== undefined) response.setHeader('x-amz-delete-marker', 'true');
        return fail(404, 'NoSuchKey');
      }
      response.setHeader('etag', etagOf(found.bytes));
      response.setHeader('content-length', found.bytes.length);
      response.end(method === 'HEAD' ? undefined : found.bytes);
    } else {
      fail(501, 'NotImplemented');
    }
  }

  function add(key: string, bytes: Buffer | undefined): string {
    versions.set(key, [...(versions.get(key) ?? []), { id: randomUUID(), bytes }]);
    return etagOf(bytes ?? Buffer.of());
  }

  function list(query: URLSearchParams, response: ServerResponse): void {
    if (query.get('list-type') !== '2') {
      sendError(response, 'GET', 501, 'NotImplemented');
      return;
    }
    const prefix = query.get('prefix') ?? '';
    const after = Buffer.from(query.get('start-after') ?? '');
    const limit = Number(query.get('max-keys') ?? 1_000);
    const encoded = query.get('encoding-type') === 'url';
    const keys = [...versions.keys()]
      .filter((key) => key.startsWith(prefix) && current(key)?.bytes !== undefined)
      .filter((key) => Buffer.compare(Buffer.from(key), after) > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const contents = keys.slice(0, limit).map((key) => {
      const bytes = current(key)?.bytes ?? Buffer.of();
      const name = encoded ? encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+') : xml(key);
      return `<Contents><Key>${name}</Key><ETag>${xml(etagOf(bytes))}</ETag><Size>${bytes.length}</Size></Contents>`;
    });
    response.setHeader('content-type', 'application/xml');
    response.end(
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name>` +
        `${encoded ? '<EncodingType>url</EncodingType>' : ''}<IsTruncated>${keys.length > limit}</IsTruncated>` +
        `${contents.join('')}</ListBucketResult>`,
    );
  }

  return {
    ...emulator,
    requests,
    get refuse() {
      return state.refuse;
    },
    set refuse(refusal) {
      state.refuse = refusal;
    },
  };
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function sendError(response: ServerResponse, method: string, status: number, code: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/xml');
  response.setHeader('x-amz-request-id', 'R1');
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}, says S3</Message></Error>`;
  response.end(method === 'HEAD' ? undefined : body);
}

function xml(text: string): string {
  // XML 1.0 has no way to write these; what a parser makes of them is anybody's guess.
  const speakable = text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
  return speakable.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
