import type { ServerResponse } from 'node:http';
import type { Answer } from './product.ts';

/** Sends an answer as JSON; a null body as none. Nothing happens when the caller has gone. */
export function send(response: ServerResponse, answer: Answer): void {
  sendText(response, answer.status, answer.headers ?? {}, answer.body === null ? '' : JSON.stringify(answer.body));
}

/** Sends text that claims to be JSON. */
export function sendText(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  text: string,
): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    ...(text === '' ? {} : { 'content-type': 'application/json;charset=utf-8' }),
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
