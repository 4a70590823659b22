import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startHost } from '../../local/host.ts';
import { functionUrl, json } from '../../shared/triggers/http.ts';
import { hardened } from '../hardening/machine.ts';

/** A host whose `/slow` waits until it is let go, and whose `/echo` gives back how much it was sent. */
async function host() {
  let go = () => {};
  const gone = new Promise<void>((done) => {
    go = done;
  });
  const handle = async () => {
    await gone;
    return json(200, 'slow');
  };
  const echo = async ({ body }: { readonly body: Uint8Array }) => json(200, body.byteLength);
  const entry = functionUrl(
    [
      { method: 'GET', path: '/slow', handle },
      { method: 'POST', path: '/echo', handle: echo },
    ],
    { url: 'public' },
  );
  const { services } = await hardened();
  const started = await startHost({ entry }, services, 0);
  onTestFinished(() => {
    go();
    return started.close();
  });
  return { go, name: new URL(started.url).host };
}

/** What comes back on a connection of its own, until the other side ends it. */
async function said(name: string, ...parts: readonly (string | (() => void))[]): Promise<string> {
  const [hostname = '', port = ''] = name.split(':');
  const socket: Socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  for (const part of parts) {
    if (typeof part === 'string') socket.write(part);
    else part();
    await sleep(50);
  }
  await closed;
  return text;
}

function problemIn(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const headers = Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.toLowerCase().split(': ', 2)),
  );
  return { line: head.split('\r\n')[0], headers, body: JSON.parse(body) as unknown };
}

const LARGE = `x-large: ${'x'.repeat(20_000)}\r\n`;
test.each([
  ['no HTTP at all', 400, () => 'NONSENSE\r\n\r\n'],
  ['a header that is none', 400, (name: string) => `GET /slow HTTP/1.1\r\nHost: ${name}\r\nno header\r\n\r\n`],
  ['no Host', 400, () => 'GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['headers that are too large', 431, (name: string) => `GET /slow HTTP/1.1\r\nHost: ${name}\r\n${LARGE}\r\n`],
  [
    'an expectation that nobody meets',
    417,
    (name: string) => `POST /echo HTTP/1.1\r\nHost: ${name}\r\nExpect: tea\r\nConnection: close\r\n\r\n`,
  ],
  [
    'a chunk whose length is none, in a body that is being read',
    400,
    (name: string) => `POST /echo HTTP/1.1\r\nHost: ${name}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
  ],
])('%s is answered with a problem document', async (_, status, request) => {
  const { name } = await host();
  const answer = problemIn(await said(name, request(name)));
  expect(answer.line).toMatch(new RegExp(`^HTTP/1.1 ${status} \\w`));
  expect(answer.body).toMatchObject({ status, detail: expect.stringMatching(/\w/), errors: [] });
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    connection: 'close',
  });
});

test('whoever waits for the answer to a good request gets that, and not the one to what came behind it', async () => {
  const { name, go } = await host();
  const good = `GET /slow HTTP/1.1\r\nHost: ${name}\r\n\r\n`;
  const text = await said(name, good, 'NONSENSE\r\n\r\n', 'MORE\r\n\r\n', go);
  expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(text).toMatch(/"slow"\n$/);
});

test('what comes behind an answer is answered', async () => {
  const { name, go } = await host();
  go();
  const text = await said(name, `GET /slow HTTP/1.1\r\nHost: ${name}\r\n\r\n`, 'NONSENSE\r\n\r\n');
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
});

test('a body that breaks off behind another request ends the connection, and nobody is told a wrong thing', async () => {
  const { name } = await host();
  const first = `GET /slow HTTP/1.1\r\nHost: ${name}\r\n\r\n`;
  const second = `POST /echo HTTP/1.1\r\nHost: ${name}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  expect(await said(name, first, second, 'zz\r\n')).toBe('');
});
