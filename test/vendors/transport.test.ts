import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ANSWER_TOO_LARGE, createTransport, type HttpRequest } from '../../shared/http/transport.ts';
import { CERTIFICATE, PRIVATE_KEY } from './certificate.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((thing) => thing.close()));
});

async function listening(server: net.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () => {
      if (server instanceof http.Server) server.closeAllConnections();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function transport(options = {}) {
  const made = createTransport({ attemptTimeoutMs: 2_000, ...options });
  open.push(made);
  return made;
}

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url,
  headers: {},
  deadlineMs: Date.now() + 5_000,
  ...more,
});

const raw = (onData: (socket: net.Socket) => void) =>
  listening(
    net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => onData(socket));
    }),
  );

describe('transport', () => {
  it('sends method, path, query, headers and body, and reads the answer', async () => {
    const url = await listening(
      http.createServer(async (request, response) => {
        const body = Buffer.concat(await request.toArray()).toString();
        response.writeHead(201, { 'X-One': ['a', 'b'] });
        response.end(JSON.stringify([request.method, request.url, request.headers['host'], body]));
      }),
    );
    const answer = await transport().send(
      get(`${url}/p?q=t*(x)%20y`, { method: 'POST', headers: { host: 'pinned.example' }, body: Buffer.from('héllo') }),
    );
    expect(answer.status).toBe(201);
    expect(answer.headers['x-one']).toBe('a, b');
    expect(JSON.parse(Buffer.from(answer.body).toString())).toEqual([
      'POST',
      '/p?q=t*(x)%20y',
      'pinned.example',
      'héllo',
    ]);
  });

  it('keeps connections alive, and where a doubt would be costly only those in use within the last second', async () => {
    const sockets = new Set<unknown>();
    let requests = 0;
    const url = await listening(
      http.createServer((request, response) => {
        sockets.add(request.socket);
        requests += 1;
        response.end();
      }),
    );
    let nowMs = Date.now();
    const made = transport({ now: () => nowMs });
    const thrice = async (more: Partial<HttpRequest>) => {
      for (let call = 0; call < 3; call += 1) {
        await made.send(get(url, more));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await thrice({});
    expect(sockets.size).toBe(1);
    await thrice({ freshConnection: true });
    expect([sockets.size, requests]).toEqual([2, 6]);
    // As after a freeze: no timer has run, but time has passed.
    nowMs += 1_100;
    await thrice({ freshConnection: true });
    expect([sockets.size, requests]).toEqual([3, 9]);
    nowMs += 1_100;
    await thrice({});
    expect([sockets.size, requests]).toEqual([3, 12]);
  });

  it('follows no redirect', async () => {
    const url = await listening(
      http.createServer(({ url }, response) => {
        if (url === '/x') response.end('there');
        else response.writeHead(302, { location: '/x' }).end();
      }),
    );
    expect((await transport().send(get(url))).status).toBe(302);
  });

  it('skips informational answers', async () => {
    const url = await listening(
      http.createServer((_, response) => {
        response.writeProcessing();
        response.end('ok');
      }),
    );
    expect((await transport().send(get(url))).status).toBe(200);
  });

  const nothingSent = { kind: 'unavailable', maybeApplied: false };
  const maybeSent = { kind: 'unknown-outcome', maybeApplied: true };

  it('knows that a refused connection sent nothing', async () => {
    const url = await listening(net.createServer());
    await open.pop()?.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(transport().send(get(url))).rejects.toMatchObject(nothingSent);
    await expect(transport().send(get(url))).rejects.toThrow(/Nothing was sent.*ECONNREFUSED.*endpoint/);
  });
  it('knows that an unresolved name sent nothing', async () => {
    await expect(transport().send(get('http://no-such-host.invalid/'))).rejects.toMatchObject(nothingSent);
  });
  it('knows that failed TLS sent nothing', async () => {
    const url = await raw((socket) => socket.end('this is not TLS\r\n'));
    await expect(transport().send(get(url.replace('http:', 'https:')))).rejects.toMatchObject(nothingSent);
  });
  it('knows that a connection that never opened sent nothing', async () => {
    const silent = await listening(net.createServer(() => {}));
    const slow = transport({ connectTimeoutMs: 50 });
    await expect(slow.send(get(silent.replace('http:', 'https:')))).rejects.toMatchObject(nothingSent);
    const short = transport({ attemptTimeoutMs: 50 });
    await expect(short.send(get(silent.replace('http:', 'https:')))).rejects.toMatchObject(nothingSent);
  });
  it('sends nothing after the deadline, nor when cancelled before', async () => {
    let connections = 0;
    const url = await listening(
      net.createServer(() => {
        connections += 1;
      }),
    );
    await expect(transport().send(get(url, { deadlineMs: Date.now() - 1 }))).rejects.toMatchObject(nothingSent);
    await expect(transport().send(get(url, { signal: AbortSignal.abort() }))).rejects.toMatchObject(nothingSent);
    expect(connections).toBe(0);
  });

  it('doubts after a reset', async () => {
    const url = await raw((socket) => socket.resetAndDestroy());
    await expect(transport().send(get(url))).rejects.toMatchObject(maybeSent);
  });
  it('doubts after a close without an answer', async () => {
    const url = await raw((socket) => socket.end());
    await expect(transport().send(get(url))).rejects.toMatchObject(maybeSent);
  });
  it('doubts after a cut answer', async () => {
    const url = await raw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":'));
    await expect(transport().send(get(url))).rejects.toMatchObject(maybeSent);
  });
  it('doubts after something that is not HTTP', async () => {
    const url = await raw((socket) => socket.end('hello\r\n\r\n'));
    await expect(transport().send(get(url))).rejects.toMatchObject(maybeSent);
  });
  it('ends a hang at the attempt timeout, before or in the body', async () => {
    const hang = await raw(() => {});
    const half = await raw((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx'));
    for (const url of [hang, half]) {
      const started = Date.now();
      await expect(transport({ attemptTimeoutMs: 80 }).send(get(url))).rejects.toMatchObject(maybeSent);
      expect(Date.now() - started).toBeLessThan(1_000);
    }
  });
  it('ends a hang at the deadline when that is earlier', async () => {
    const url = await raw(() => {});
    const started = Date.now();
    await expect(transport().send(get(url, { deadlineMs: Date.now() + 80 }))).rejects.toThrow(/no answer within/);
    expect(Date.now() - started).toBeLessThan(1_000);
  });
  it('ends when the caller cancels', async () => {
    const cancel = new AbortController();
    const url = await raw(() => cancel.abort());
    await expect(transport().send(get(url, { signal: cancel.signal }))).rejects.toMatchObject(maybeSent);
  });
  it('cuts an answer above 10 MiB', async () => {
    const url = await listening(
      http.createServer((_, response) => {
        response.on('error', () => {});
        response.end(Buffer.alloc(10 * 1024 * 1024 + 1));
      }),
    );
    await expect(transport().send(get(url))).rejects.toMatchObject({ ...maybeSent, code: ANSWER_TOO_LARGE });
    await expect(transport().send(get(url))).rejects.toThrow(/larger than/);
  });
  it('does not try what cannot be written as HTTP', async () => {
    const url = await listening(http.createServer((_, response) => response.end()));
    const sending = transport().send(get(url, { headers: { workspace: 'ws\n1' } }));
    await expect(sending).rejects.toMatchObject({ kind: 'invalid', maybeApplied: false, retryable: false });
  });

  describe('over TLS', () => {
    /** A TLS server that could speak HTTP/2, behind a door that opens after `delayMs`. */
    async function secure(delayMs: number) {
      const versions: string[] = [];
      const server = http2.createSecureServer(
        { key: PRIVATE_KEY, cert: CERTIFICATE, allowHTTP1: true },
        (request, response) => {
          versions.push(request.httpVersion);
          response.end('ok');
        },
      );
      const inner = Number(new URL(await listening(server)).port);
      const door = await listening(
        net.createServer((outside) => {
          outside.on('error', () => {});
          setTimeout(() => {
            const inside = net.connect(inner, '127.0.0.1').on('error', () => {});
            outside.pipe(inside).pipe(outside);
          }, delayMs);
        }),
      );
      return { url: door.replace('http:', 'https:'), versions };
    }

    it('trusts the given certificate besides the public ones, and speaks HTTP/1.1', async () => {
      const { url, versions } = await secure(0);
      expect((await transport({ caPem: CERTIFICATE }).send(get(url))).status).toBe(200);
      await expect(transport().send(get(url))).rejects.toMatchObject(nothingSent);
      await expect(transport().send(get(url))).rejects.toThrow(/SELF_SIGNED.*ca_pem/);
      expect(versions).toEqual(['1.1']);
    });
    it('never sends what it gave up while connecting', async () => {
      const { url, versions } = await secure(200);
      const short = transport({ caPem: CERTIFICATE, attemptTimeoutMs: 60 });
      await expect(short.send(get(url))).rejects.toMatchObject(nothingSent);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(versions).toEqual([]);
    });
  });
});
