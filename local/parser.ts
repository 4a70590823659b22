import { Worker } from 'node:worker_threads';
import type { DocumentFormat } from '../shared/core/manifest.ts';
import { type Lines, lines, type Parse, parse } from '../shared/parse.ts';

/** Above this, reading a document takes long enough to be felt by whoever else is being served. */
const LARGE_BYTES = 128 * 1024;

/** What the thread is asked: to read a manifest or, with `paths`, to find their lines in it. */
export interface Question {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly format: DocumentFormat;
  readonly paths?: readonly string[];
}

/** `given` is what `Parse` or `Lines` gives. */
export interface Answer {
  readonly id: number;
  readonly given?: unknown;
  readonly failed?: string;
}

export interface ManifestParser {
  readonly parse: Parse;
  readonly lines: Lines;
  close(): Promise<void>;
}

/** Reads small manifests at once and large ones on a thread of their own, started when the first one comes. */
export function manifestParser(): ManifestParser {
  let worker: Worker | undefined;
  let count = 0;
  const waiting = new Map<number, { resolve(given: unknown): void; reject(error: Error): void }>();

  function start(): Worker {
    const started = new Worker(new URL('./parser-thread.ts', import.meta.url));
    started.unref();
    started.on('message', ({ id, given, failed }: Answer) => {
      const waiter = waiting.get(id);
      waiting.delete(id);
      if (given !== undefined) waiter?.resolve(given);
      else waiter?.reject(new Error(failed ?? 'no answer'));
    });
    started.on('error', (error) => {
      worker = undefined;
      for (const waiter of waiting.values()) waiter.reject(error instanceof Error ? error : new Error(String(error)));
      waiting.clear();
    });
    return started;
  }

  async function ask<Given>(question: Omit<Question, 'id'>): Promise<Given> {
    worker ??= start();
    count += 1;
    const id = count;
    const answer = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
    worker.postMessage({ id, ...question } satisfies Question);
    return (await answer) as Given;
  }

  return {
    parse: (bytes, format) => (bytes.byteLength < LARGE_BYTES ? parse(bytes, format) : ask({ bytes, format })),
    lines: (bytes, format, paths) =>
      bytes.byteLength < LARGE_BYTES ? lines(bytes, format, paths) : ask({ bytes, format, paths }),
    async close() {
      await worker?.terminate();
    },
  };
}
