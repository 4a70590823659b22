import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeUtf8 } from '../core/utf8.ts';
import type { Answer } from './http.ts';
import { problem } from './problem.ts';

const unzip = promisify(gunzip);

/** Above this nothing is inflated, whatever it claims to be. */
export const INFLATED_BYTES = 32 * 1024 * 1024;

export type Inflated = { readonly text: string } | { readonly refused: Answer };

/**
 * A body as text. gzip is recognised by its first two bytes: some clients compress without saying so, and some proxies decode and
 * leave the header.
 */
export async function inflate(body: Uint8Array, encoding: string | undefined): Promise<Inflated> {
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
  let bytes = body;
  if (zipped) {
    try {
      bytes = await unzip(body, { maxOutputLength: INFLATED_BYTES });
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
        return {
          refused: problem(
            413,
            `the body inflates to more than ${INFLATED_BYTES} bytes; send the events one by one, or leave large facets out`,
          ),
        };
      }
      return { refused: problem(400, 'the body begins like gzip but cannot be inflated; it is cut short or damaged') };
    }
  }
  const text = decodeUtf8(bytes);
  return text === undefined ? { refused: problem(400, 'the body is not UTF-8') } : { text };
}
