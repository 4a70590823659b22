import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * What systemd does for a socket unit and its service with `Restart=always`: opens the socket, hands it to the service as descriptor 3
 * with `LISTEN_FDS` and `LISTEN_PID`, and starts the service anew whenever it has ended. It never accepts a connection itself, because it
 * waits for its child without returning to the event loop. Prints the port.
 */
const server = createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  const { port } = server.address() as { port: number };
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  writeSync(1, `${port}\n`);
  // The shell becomes the service, and keeps its pid.
  const command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
  const service = [process.execPath, '--disable-warning=ExperimentalWarning', 'local/run.ts'];
  for (;;) spawnSync('/bin/sh', ['-c', command, 'sh', ...service], { stdio: ['ignore', 'ignore', 2, fd] });
});
