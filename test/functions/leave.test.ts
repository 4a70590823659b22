import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { type Connections, connectionsOf } from '../../local/connections.ts';
import { listen } from '../../local/listen.ts';

interface Serving {
  readonly server: Server;
  readonly connections: Connections;
  readonly port: number;
  /** Paths of what was asked so far. */
  readonly asked: readonly string[];
}

/** A server that answers `/slow` only when it is told to, and all else at once. */
async function serving(answerSlow: Promise<void> = Promise.resolve()): Promise<Serving> {
  const asked: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url ?? '');
    if (request.url === '/slow') await answerSlow;
    response.end(request.url);
  };
  const server = createServer((request, response) =>
    connections.answering(request, response, answer(request, response)),
  );
  const connections = connectionsOf(server);
  const { port } = await listen(server, 0);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, connections, port, asked };
}

/** A client that leaves its side open when the server has ended its own, as those do that do not watch idle connections. */
async function client(port: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += String(chunk);
  });
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return {
    socket,
    send: (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
    /** All that came until the last answer's body. */
    async answer(path: string): Promise<string> {
      while (!heard.endsWith(path)) await once(socket, 'data');
      return heard;
    },
    get heard() {
      return heard;
    },
  };
}

it('answers the next request on each open connection, and says that it is the last one', async () => {
  const { connections, port } = await serving();
  const one = await client(port);
  one.send('/before');
  expect(await one.answer('/before')).toMatch(/connection: keep-alive/i);
  const left = connections.leave(60_000);
  one.send('/next');
  expect(await one.answer('/next')).toMatch(/connection: close/i);
  one.socket.end();
  await left;
});

it('goes on taking connections while one is still answered, and stops when it is', async () => {
  let answerSlow = () => {};
  const { connections, port, server } = await serving(
    new Promise((done) => {
      answerSlow = done;
    }),
  );
  const slow = await client(port);
  slow.send('/slow');
  await once(server, 'request');
  const left = connections.leave(0);
  for (let n = 0; n < 5; n += 1) {
    const late = await client(port);
    late.send('/late');
    expect(await late.answer('/late')).toMatch(/connection: close/i);
    late.socket.end();
  }
  answerSlow();
  expect(await slow.answer('/slow')).toMatch(/connection: close/i);
  slow.socket.end();
  await left;
  const refused = connect(port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});

it('still does what was sent on an idle connection before its client saw that it had ended', async () => {
  const { connections, port, asked } = await serving();
  const one = await client(port);
  one.send('/before');
  await one.answer('/before');
  const ended = once(one.socket, 'end');
  const left = connections.leave(0);
  await ended;
  one.send('/crossed');
  await left;
  expect(asked).toEqual(['/before', '/crossed']);
  expect(one.heard).not.toContain('/crossed');
});

it('ends idle connections in the same way while it goes on', async () => {
  const { port, asked, server, connections } = await serving();
  server.keepAliveTimeout = 1;
  server.keepAliveTimeoutBuffer = 0;
  const one = await client(port);
  one.send('/before');
  await once(one.socket, 'end');
  one.send('/crossed');
  await once(server, 'request');
  expect(asked).toEqual(['/before', '/crossed']);
  await connections.leave(0);
});

it('waits for what is done for a caller who went away', async () => {
  let answerSlow = () => {};
  const { connections, port, server } = await serving(
    new Promise((done) => {
      answerSlow = done;
    }),
  );
  const gone = await client(port);
  gone.send('/slow');
  const [request] = (await once(server, 'request')) as [IncomingMessage];
  gone.socket.destroy();
  await once(request.socket, 'close');
  let ended = false;
  const left = connections.leave(0).then(() => {
    ended = true;
  });
  await once(server, 'close');
  await setImmediate();
  expect(ended).toBe(false);
  answerSlow();
  await left;
});

it('uses a socket that was handed over only if it is one, and of the loopback', async () => {
  const everywhere = createServer().listen(0, '0.0.0.0');
  await once(everywhere, 'listening');
  onTestFinished(() => {
    everywhere.close();
  });
  const { fd } = (everywhere as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const dataDir = await mkdtemp(join(tmpdir(), 'lineage-handed-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const service = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'local/run.ts'], {
    env: { ...process.env, DATA_DIR: dataDir, LISTEN_FDS: '1' },
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  onTestFinished(() => {
    service.kill('SIGKILL');
  });
  const said = text(service.stderr as Readable);
  const [code] = (await once(service, 'exit')) as [number];
  expect([code, await said]).toEqual([1, expect.stringContaining('bound to 0.0.0.0; give one of 127.0.0.1')]);
  const message = expect.stringContaining('LISTEN_FDS says that descriptor 999999 is a listening socket');
  await expect(listen(createServer(), { fd: 999_999 })).rejects.toMatchObject({ kind: 'invalid', message });
});
