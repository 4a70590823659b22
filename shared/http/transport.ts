/// <reference path="./undici-agent.d.ts" />
import { rootCertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import { Failure, type FailureDetails } from '../core/failure.ts';

/** One HTTP exchange with a vendor. The only home of undici. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The exchange is aborted at this instant (epoch milliseconds). */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /**
   * On a connection that is new or was in use within the last second: for calls that must not be repeated, because one that
   * has been idle for long (or while a function was frozen) may have died, and then nobody knows whether the call arrived.
   */
  readonly freshConnection?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; repeated headers joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Sends once. Throws `Failure`: `unavailable` with `maybeApplied: false` when nothing reached the server
 * (refused, unresolved, TLS), `unknown-outcome` when it may have (reset, timeout, cut answer).
 */
export interface Transport {
  send(request: HttpRequest): Promise<HttpAnswer>;
}

export interface TransportOptions {
  /** Certificates (PEM) to trust besides the public ones: private hosts. */
  readonly caPem?: string;
  /** The longest one exchange may take, in milliseconds. */
  readonly attemptTimeoutMs?: number;
  /** The longest a connection may take to open, TLS included, in milliseconds. */
  readonly connectTimeoutMs?: number;
  /** The clock that deadlines are measured with, epoch milliseconds. */
  readonly now?: () => number;
}

/** `code` of the failure when an answer was cut off. */
export const ANSWER_TOO_LARGE = 'answer-too-large';
/** A larger answer is cut off: it would take more memory than a function has for it. */
const MAX_ANSWER_BYTES = 10 * 1024 * 1024;
/** Servers and gateways keep idle connections for several seconds at least. */
const FRESH_MS = 1_000;

/**
 * The real transport: keep-alive connections, HTTP/1.1, no redirects, answers of at most 10 MiB. An exchange ends at
 * `attemptTimeoutMs` (default 10 s) or at its deadline, whichever is first. `close` lets go of the connections.
 */
export function createTransport(options: TransportOptions = {}): Transport & { close(): Promise<void> } {
  const { attemptTimeoutMs = 10_000, connectTimeoutMs = 5_000, now = Date.now } = options;
  const common = {
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveMaxTimeout: 30_000,
    connect: {
      timeout: connectTimeoutMs,
      ...(options.caPem === undefined ? {} : { ca: [...rootCertificates, options.caPem] }),
    },
  };
  const kept = new Agent(common);
  const openFresh = () => new Agent({ ...common, keepAliveTimeout: FRESH_MS, keepAliveMaxTimeout: FRESH_MS });
  let fresh = openFresh();
  let freshAt = now();
  return {
    send: async (request) => {
      const at = now();
      const waitMs = Math.min(attemptTimeoutMs, request.deadlineMs - at);
      if (request.freshConnection !== true) return exchange(kept, request, waitMs);
      // The agent's own timers stand still while a function is frozen; the clock does not.
      if (Math.abs(at - freshAt) > FRESH_MS) {
        fresh.close().catch(() => {});
        fresh = openFresh();
      }
      freshAt = at;
      try {
        return await exchange(fresh, request, waitMs);
      } finally {
        freshAt = now();
      }
    },
    close: async () => {
      await Promise.all([kept.destroy(), fresh.destroy()]);
    },
  };
}

/** Runs one exchange on the dispatcher; the low-level interface, because only it tells whether a request was ever written. */
function exchange(agent: Agent, request: HttpRequest, waitMs: number): Promise<HttpAnswer> {
  const url = new URL(request.url);
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let over = false;
    let status = 0;
    let headers: Record<string, string> = {};
    const chunks: Buffer[] = [];
    let size = 0;

    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', stop);
      settle();
    };
    const fail = (reason: string, details: FailureDetails = {}) =>
      finish(() =>
        reject(controller === undefined ? neverSent(url, reason, details) : unanswered(url, reason, details)),
      );
    const end = (reason: string, details: FailureDetails = {}) => {
      fail(reason, details);
      controller?.abort(new Error(reason));
    };
    const stop = () => end('the call was cancelled');
    const timer = setTimeout(() => end(`no answer within ${waitMs} ms`), Math.max(0, waitMs));

    if (waitMs <= 0) return fail('no time was left before the deadline');
    if (request.signal?.aborted) return stop();
    request.signal?.addEventListener('abort', stop, { once: true });

    agent.dispatch(
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
      },
      {
        onRequestStart(started) {
          if (over) return started.abort(new Error('given up before it was sent'));
          controller = started;
        },
        onResponseStart(_controller, code, received) {
          if (code < 200) return;
          status = code;
          headers = joined(received);
        },
        onResponseData(_controller, chunk) {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) {
            return end(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`, { code: ANSWER_TOO_LARGE });
          }
          chunks.push(chunk);
        },
        onResponseEnd() {
          finish(() => resolve({ status, headers, body: Buffer.concat(chunks) }));
        },
        onResponseError(_controller, error) {
          const code = codeOf(error);
          if (code === 'UND_ERR_INVALID_ARG') finish(() => reject(unwritable(url, error)));
          else fail(code, { cause: error });
        },
      },
    );
  });
}

function neverSent(url: URL, reason: string, details: FailureDetails): Failure {
  return new Failure(
    'unavailable',
    `Nothing was sent to ${url.host}: ${reason}. Check "endpoint" in the target's secret, the network, DNS and proxy on the way there, and "ca_pem" if the host has a private certificate.`,
    { ...details, maybeApplied: false },
  );
}

function unanswered(url: URL, reason: string, details: FailureDetails): Failure {
  return new Failure('unknown-outcome', `${url.host} was sent the call and gave no whole answer: ${reason}.`, details);
}

/** Trying again would not help: a value has characters that HTTP has no place for. */
function unwritable(url: URL, error: Error): Failure {
  const message = `Nothing was sent to ${url.host}: the call cannot be written as HTTP (${error.message}). Look for blanks, line ends and other characters than ASCII in the target's secret and the manifest's options.`;
  return new Failure('invalid', message, { maybeApplied: false, cause: error });
}

/** The error's code where it has one (ECONNREFUSED, UND_ERR_SOCKET, …): messages differ between systems. */
function codeOf(error: Error & { code?: unknown }): string {
  return typeof error.code === 'string' ? error.code : error.message;
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return result;
}
