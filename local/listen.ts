import type { Server } from 'node:http';
import { Failure } from '../shared/core/failure.ts';

/** A port of 127.0.0.1 (0: any free one), or the descriptor of a socket that somebody else opened and keeps. */
export type ListenAt = number | { readonly fd: number };

/** How many connections may wait in the kernel for the next process; the kernel has its own maximum (`net.core.somaxconn`). */
const BACKLOG = 4_096;

const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * Lets the server accept connections, of this machine only. A descriptor's address is looked at before anything is accepted from it.
 * Throws `Failure` `conflict` when the port is taken, `invalid` when the descriptor is no listening socket of the loopback.
 */
export async function listen(server: Server, at: ListenAt): Promise<{ readonly url: string; readonly port: number }> {
  const options = typeof at === 'number' ? { port: at, host: '127.0.0.1' } : { fd: at.fd, backlog: BACKLOG };
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => fail(explained(error, at)));
    server.listen(options, () => {
      const wrong = typeof at === 'number' ? undefined : notLoopback(server);
      if (wrong === undefined) return done();
      server.close();
      fail(new Failure('invalid', wrong));
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens nowhere');
  return {
    url: `http://${address.family === 'IPv6' ? '[::1]' : '127.0.0.1'}:${address.port}`,
    port: address.port,
  };
}

function notLoopback(server: Server): string | undefined {
  const address = server.address();
  const bound = typeof address === 'string' ? address : address?.address;
  if (bound !== undefined && LOOPBACK.has(bound)) return undefined;
  return `The socket that was handed over is bound to ${bound}; give one of 127.0.0.1 or [::1], as in ListenStream=127.0.0.1:3000.`;
}

function explained(error: NodeJS.ErrnoException, at: ListenAt): Error {
  if (typeof at !== 'number')
    return new Failure(
      'invalid',
      `LISTEN_FDS says that descriptor ${at.fd} is a listening socket, but it cannot be used (${error.code}). Start node itself, not npm, which hands none on.`,
    );
  const taken = `Port ${at} is in use. Stop that process, or set PORT (0 is any free one).`;
  return error.code === 'EADDRINUSE' ? new Failure('conflict', taken) : error;
}
