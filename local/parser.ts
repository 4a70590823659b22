import { Worker } from 'node:worker_threads';
import type { DocumentFormat, ParsedManifest } from '../shared/core/manifest.ts';
import { parse } from '../shared/parse.ts';

/** Above this, reading a document takes long enough to be felt by whoever else is being served. */
const LARGE_BYTES = 128 * 1024;

interface Answer {
  readonly id: number;
  readonly parsed?: ParsedManifest;
  readonly failed?: string;
}

export interface ManifestParser {
  parse(bytes: Uint8Array, format: DocumentFormat): Promise<ParsedManifest>;
  close(): Promise<void>;
}

/** Reads small manifests at once and large ones on a thread of their own, started when the first one comes. */
export function manifestParser(): ManifestParser {
  let worker: Worker | undefined;
  let count = 0;
  const waiting = new Map<number, { resolve(parsed: ParsedManifest): void; reject(error: Error): void }>();

  function start(): Worker {
    const started = new Worker(new URL('./parser-thread.ts', import.meta.url));
    started.unref();
    started.on('message', ({ id, parsed, failed }: Answer) => {
      const waiter = waiting.get(id);
      waiting.delete(id);
      if (parsed) waiter?.resolve(parsed);
      else waiter?.reject(new Error(failed ?? 'no answer'));
    });
    started.on('error', (error) => {
      worker = undefined;
      for (const waiter of waiting.values()) waiter.reject(error instanceof Error ? error : new Error(String(error)));
      waiting.clear();
    });
    return started;
  }

  return {
    async parse(bytes, format) {
      if (bytes.byteLength < LARGE_BYTES) return parse(bytes, format);
      worker ??= start();
      count += 1;
      const id = count;
      const answer = new Promise<ParsedManifest>((resolve, reject) => waiting.set(id, { resolve, reject }));
      worker.postMessage({ id, bytes, format });
      return answer;
    },
    async close() {
      await worker?.terminate();
    },
  };
}
