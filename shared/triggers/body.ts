import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { saidInflated } from '../core/gzip.ts';
import { decodeUtf8 } from '../core/utf8.ts';
import type { Answer } from './http.ts';
import { problem } from './problem.ts';

const unzip = promisify(gunzip);

/** Above this nothing is inflated, whatever it claims to be. */
export const INFLATED_BYTES = 32 * 1024 * 1024;

/** What deflate makes of a byte at the most (zlib, technical details, read 2026-11: 1032:1). */
const MOST_PER_BYTE = 1_032;

/** What node takes. All in one chunk, it need not be copied together. */
const SMALLEST_CHUNK = 64;

export type Inflated = { readonly text: string } | { readonly refused: Answer } | 'no room';

/** Where room is taken for what a body inflates to, before it does; false when there is none. */
export interface Room {
  inflate(bytes: number): boolean;
}

/**
 * A body as text, inflated in room that it has taken before. gzip is recognised by its first two bytes: some clients compress without saying
 * so, and some proxies decode and leave the header.
 */
export async function inflate(body: Uint8Array, encoding: string | undefined, room: Room): Promise<Inflated> {
  const zipped = body[0] === 0x1f && body[1] === 0x8b;
  const named = (encoding ?? '').trim().toLowerCase();
  if (!zipped && !['', 'identity', 'gzip', 'x-gzip'].includes(named)) {
    return { refused: problem(415, `content-encoding ${named.slice(0, 40)} is not read here; send gzip or nothing`) };
  }
  // A gateway that took the zipped bytes for text has left U+FFFD where 8b was: what was there is lost.
  if (body[0] === 0x1f && body[1] === 0xef && body[2] === 0xbf && body[3] === 0xbd) {
    const detail =
      'the body was gzip once, but something in between has read it as text and destroyed it; let the client send without compression, or the gateway pass binary bodies on';
    return { refused: problem(400, detail) };
  }
  const inflated = zipped ? await unzipped(body, room) : body;
  if (inflated === 'no room' || 'refused' in inflated) return inflated;
  const text = decodeUtf8(inflated);
  return text === undefined ? { refused: problem(400, 'the body is not UTF-8') } : { text };
}

/** In as much room as it says that it needs, and only if that was not true in as much as it can need at all. */
async function unzipped(
  body: Uint8Array,
  room: Room,
): Promise<Uint8Array | Exclude<Inflated, { readonly text: string }>> {
  const most = Math.min(INFLATED_BYTES, MOST_PER_BYTE * body.byteLength);
  for (const bytes of new Set([Math.min(saidInflated(body), most), most])) {
    if (!room.inflate(bytes)) return 'no room';
    try {
      const inflated = await unzip(body, { maxOutputLength: bytes, chunkSize: Math.max(SMALLEST_CHUNK, bytes + 1) });
      room.inflate(inflated.byteLength);
      return inflated;
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') continue;
      return { refused: problem(400, 'the body begins like gzip but cannot be inflated; it is cut short or damaged') };
    }
  }
  return {
    refused: problem(
      413,
      `the body inflates to more than ${INFLATED_BYTES} bytes; send the events one by one, or leave large facets out`,
    ),
  };
}
