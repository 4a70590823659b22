import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Connections {
  /** Tells of a request that is being answered. */
  answering(request: IncomingMessage, response: ServerResponse, handled: Promise<void>): void;
  /**
   * Ends everything, so that no request is lost in between. While others still come and are served, each connection is told to end: with
   * its next answer (`Connection: close`), or after `pauseMs` without a request. Only then no more are accepted; those that came
   * meanwhile are answered, too.
   */
  leave(pauseMs: number): Promise<void>;
}

/**
 * How long a connection is still read after we have said that we are leaving it, in ms: longer than clients use one unchecked that do not
 * watch it while it is idle.
 */
const LINGER_MS = 2_500;
/** How long a request that came before we began to leave may take; none that came after it is waited for as long. */
const ANSWER_MS = 20_000;
/** How long what was accepted last may take to come and be answered. */
const LAST_MS = 2_000;

/** Follows a server's connections. No connection is closed that a request may be under way on. */
export function connectionsOf(server: Server): Connections {
  /** Every open connection, and how many of its requests are being answered. */
  const open = new Map<Socket, number>();
  /** Those that we send no more on. */
  const left = new WeakSet<Socket>();
  /** Being answered, also where the caller went away meanwhile: what it sent is stored all the same. */
  const running = new Map<ServerResponse, Promise<void>>();
  let leaving = false;

  server.on('connection', (socket: Socket) => {
    open.set(socket, 0);
    socket.once('close', () => open.delete(socket));
  });
  // Before whoever answers, and may do so at once.
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (leaving) tellLast(response);
  });
  // Idle for `keepAliveTimeout`.
  server.on('timeout', sayGoodbye);

  /** The caller sees that we send no more. What it sent before it saw that is still read, and done, though nobody hears of it. */
  function sayGoodbye(socket: Socket): void {
    if (left.has(socket) || socket.destroyed) return;
    left.add(socket);
    socket.end();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  const busy = (socket: Socket) => (open.get(socket) ?? 0) > 0;

  /** Waits until all are closed, and closes those that are not in time. */
  async function closed(sockets: readonly Socket[], withinMs: number): Promise<void> {
    await within(withinMs, sockets.map(gone));
    for (const socket of sockets) socket.destroy();
  }

  return {
    answering({ socket }, response, handled) {
      open.set(socket, (open.get(socket) ?? 0) + 1);
      running.set(response, handled);
      void handled.then(() => {
        running.delete(response);
        const count = open.get(socket);
        if (count !== undefined) open.set(socket, count - 1);
        if (busy(socket)) return;
        if (left.has(socket)) socket.destroySoon();
        // Answered just before we began to leave, without being told.
        else if (leaving) sayGoodbye(socket);
      });
    },
    async leave(pauseMs) {
      leaving = true;
      for (const response of running.keys()) tellLast(response);
      const before = [...open.keys()];
      await within(pauseMs, before.map(gone));
      for (const socket of before) if (!busy(socket)) sayGoodbye(socket);
      await closed(before, ANSWER_MS);
      // Not `server.close()`, which cuts off whoever has just got an answer to the request before.
      const stopped = new Promise<void>((done) => {
        NetServer.prototype.close.call(server, () => done());
      });
      await closed([...open.keys()], LAST_MS);
      await stopped;
      await within(LAST_MS, [...running.values()]);
      // It stopped listening already; this ends its timer.
      server.close();
    },
  };
}

function tellLast(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

function gone(socket: Socket): Promise<unknown> | undefined {
  return socket.closed ? undefined : new Promise((done) => socket.once('close', done));
}

async function within(ms: number, all: readonly unknown[]): Promise<void> {
  const late = new AbortController();
  await Promise.race([Promise.all(all), sleep(ms, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
}
