import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type CallLog, callLog } from './calls.ts';
import { type FaultQueue, faultQueue } from './faults.ts';
import { throttle } from './limits.ts';
import type { Answer, Arrived, Json, Product } from './product.ts';
import { sandboxAnswer } from './sandbox.ts';
import { send } from './send.ts';
import { strike } from './strike.ts';

/** What a running server adds to a product: the calls it has seen and the faults that wait. */
export interface Bench {
  readonly product: Product;
  readonly calls: CallLog;
  readonly faults: FaultQueue;
}

export interface Running {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves a product on 127.0.0.1: the sandbox under `/_sandbox`, the vendor's surface everywhere else. */
export async function serve(product: Product, port: number, now: () => number): Promise<Running> {
  const bench: Bench = { product, calls: callLog(), faults: faultQueue() };
  const tooMany = throttle();
  const timers = new Set<NodeJS.Timeout>();

  function later(delayMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      try {
        work();
      } catch (error) {
        report(error);
      }
    }, delayMs);
    timers.add(timer);
  }

  function vendorCall(request: IncomingMessage, response: ServerResponse, body: Buffer | 'too-large'): void {
    const arrived = arrivedFrom(request, body === 'too-large' ? Buffer.alloc(0) : body, now());
    const answer = (operation: string, decoded: Json, given: Answer) => {
      record(arrived, operation, given.outcome, decoded);
      send(response, given);
    };
    if (body === 'too-large') {
      const tooLarge = product.tooLarge(arrived);
      answer('unknown', null, { ...tooLarge, headers: { ...tooLarge.headers, connection: 'close' } });
      return;
    }
    const admission = product.admit(arrived);
    if ('refusal' in admission) {
      answer(admission.operation, null, admission.refusal);
      return;
    }
    const { operation, request: decoded, perform } = admission;
    const aside = admission.aside === true;
    if (!aside && tooMany(product.limits.current(), arrived.at)) {
      answer(operation, decoded, product.fault('throttle', arrived));
      return;
    }
    const fault = bench.faults.take(operation, aside);
    if (fault === undefined) {
      answer(operation, decoded, perform());
      return;
    }
    record(arrived, operation, fault.kind, decoded);
    strike(fault, { response, perform, vendorAnswer: (kind) => product.fault(kind, arrived), later });
  }

  function record(arrived: Arrived, operation: string, outcome: string, request: Json): void {
    bench.calls.add({ at: new Date(arrived.at).toISOString(), operation, outcome, request }, arrived.body.length);
  }

  function report(error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`The ${product.name} simulator failed: ${message}\n`);
  }

  const server = createServer((request, response) => {
    const sandbox = isSandbox(request.url ?? '/');
    readBody(request, product.bodyLimit)
      .then((body) => {
        if (body === 'gone') return;
        if (!sandbox) {
          vendorCall(request, response, body);
          return;
        }
        const arrived = arrivedFrom(request, body === 'too-large' ? Buffer.alloc(0) : body, now());
        send(response, sandboxAnswer(bench, arrived, body === 'too-large'));
      })
      .catch((error: unknown) => {
        report(error);
        if (response.headersSent) response.destroy();
        else send(response, { status: 500, body: { message: 'The simulator failed; see its log.' }, outcome: 'bug' });
      });
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      product.close();
      reject(error);
    });
    server.listen(port, '127.0.0.1', () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        for (const timer of timers) clearTimeout(timer);
        server.close(() => {
          product.close();
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function isSandbox(url: string): boolean {
  return /^\/_sandbox(?:[/?]|$)/.test(url);
}

function arrivedFrom(request: IncomingMessage, body: Buffer, at: number): Arrived {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? '' : url.slice(mark + 1),
    headers: request.headers,
    body,
    at,
  };
}

/** The whole body; `too-large` as soon as it exceeds the limit (the rest is thrown away), `gone` when the caller leaves. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too-large' | 'gone'> {
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        chunks = [];
        resolve('too-large');
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', () => resolve('gone'));
    request.on('close', () => resolve('gone'));
  });
}
