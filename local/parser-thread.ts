import { parentPort } from 'node:worker_threads';
import { lines, parse } from '../shared/parse.ts';
import type { Answer, Question } from './parser.ts';

const tell = (answer: Answer): void => parentPort?.postMessage(answer);

parentPort?.on('message', async ({ id, bytes, format, paths }: Question) => {
  try {
    tell({ id, given: paths === undefined ? await parse(bytes, format) : await lines(bytes, format, paths) });
  } catch (thrown) {
    tell({ id, failed: String(thrown) });
  }
});
