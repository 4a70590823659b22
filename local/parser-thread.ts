import { parentPort } from 'node:worker_threads';
import type { DocumentFormat } from '../shared/core/manifest.ts';
import { parse } from '../shared/parse.ts';

parentPort?.on('message', async ({ id, bytes, format }: { id: number; bytes: Uint8Array; format: DocumentFormat }) => {
  try {
    parentPort?.postMessage({ id, parsed: await parse(bytes, format) });
  } catch (thrown) {
    parentPort?.postMessage({ id, failed: String(thrown) });
  }
});
