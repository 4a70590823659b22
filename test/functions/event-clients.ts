import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/** How a client ended: delivered as it understands it, or lost. */
export interface Sent {
  readonly delivered: boolean;
  readonly attempts: number;
  readonly ms: number;
}

interface Attempt {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly hasBody: boolean;
}

/** Undefined: no answer (refused, reset, timed out). */
async function once(url: string, event: object, timeoutMs: number, zipped: boolean): Promise<Attempt | undefined> {
  try {
    const text = JSON.stringify(event);
    const answer = await fetch(url, {
      method: 'POST',
      body: zipped ? gzipSync(text) : text,
      headers: { 'content-type': 'application/json', ...(zipped ? { 'content-encoding': 'gzip' } : {}) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    await answer.arrayBuffer();
    const after = answer.headers.get('retry-after');
    return {
      status: answer.status,
      retryAfterMs: after === null ? undefined : Number(after) * 1_000,
      hasBody: answer.headers.get('content-length') !== null,
    };
  } catch {
    return undefined;
  }
}

async function attempts(
  most: number,
  run: (attempt: number) => Promise<'delivered' | 'lost' | { waitMs: number }>,
): Promise<Sent> {
  const started = Date.now();
  for (let attempt = 1; ; attempt += 1) {
    const result = await run(attempt);
    const ms = Date.now() - started;
    if (result === 'delivered') return { delivered: true, attempts: attempt, ms };
    if (result === 'lost' || attempt > most) return { delivered: false, attempts: attempt, ms };
    await sleep(result.waitMs);
  }
}

const joined = (url: string) => new URL('api/v1/lineage', url).href;
const good = (answer: Attempt) => answer.status >= 200 && answer.status < 300;

function pythonHttp(url: string, event: object): Promise<Sent> {
  return attempts(5, async (attempt) => {
    const answer = await once(joined(url), event, 5_000, attempt % 2 === 0);
    const backoff = attempt === 1 ? 0 : 300 * 2 ** (attempt - 1);
    if (!answer) return { waitMs: backoff };
    if (good(answer)) return 'delivered';
    if ([413, 429, 503].includes(answer.status) && answer.retryAfterMs !== undefined)
      return { waitMs: answer.retryAfterMs };
    return [500, 502, 503, 504].includes(answer.status) ? { waitMs: backoff } : 'lost';
  });
}

/** The clients by their transport's behaviour, as measured and read in their sources (2026-11). */
export const clients: Readonly<
  Record<
    string,
    { readonly retries: boolean; readonly reconnects: boolean; send(url: string, event: object): Promise<Sent> }
  >
> = {
  'python http': {
    retries: true,
    reconnects: true,
    send: pythonHttp,
  },
  'python async_http': {
    retries: true,
    reconnects: true,
    send: (url, event) =>
      attempts(5, async (attempt) => {
        const answer = await once(joined(url), event, 5_000, false);
        if (answer && good(answer)) return 'delivered';
        return !answer || [500, 502, 503, 504].includes(answer.status) ? { waitMs: 300 * 2 ** (attempt - 1) } : 'lost';
      }),
  },
  java: {
    retries: true,
    reconnects: false,
    send: (url, event) =>
      attempts(1, async () => {
        const answer = await once(joined(url), event, 5_000, true);
        // Its handler reads the entity of every answer; one without (204, or no length) ends in a NullPointerException.
        if (!answer?.hasBody || answer.status === 204) return 'lost';
        if (good(answer)) return 'delivered';
        return answer.status === 429 || answer.status === 503 ? { waitMs: answer.retryAfterMs ?? 1_000 } : 'lost';
      }),
  },
  go: {
    retries: false,
    reconnects: false,
    send: (url, event) =>
      attempts(0, async () => {
        const answer = await once(joined(url), event, 5_000, true);
        return answer && (answer.status === 200 || answer.status === 201) ? 'delivered' : 'lost';
      }),
  },
  /** The provider: python's client, a START and a COMPLETE, and ten seconds for each (`execution_timeout`). */
  airflow: {
    retries: true,
    reconnects: true,
    async send(url, event) {
      const started = Date.now();
      const { outputs: _, ...start } = event as { outputs?: unknown };
      const inTime = (each: object) =>
        Promise.race([pythonHttp(url, each), sleep(10_000, { delivered: false, attempts: 0, ms: 10_000 })]);
      const first = await inTime({ ...start, eventType: 'START' });
      const last = await inTime(event);
      const delivered = first.delivered && last.delivered;
      return { delivered, attempts: Math.max(first.attempts, last.attempts), ms: Date.now() - started };
    },
  },
  /** The proxy: one thread, and a buffer on disk that it sends from until it is taken. */
  'fluentd proxy': {
    retries: true,
    reconnects: true,
    send: (url, event) =>
      attempts(30, async () => {
        const answer = await once(joined(url), event, 5_000, false);
        if (answer && good(answer)) return 'delivered';
        return !answer || [408, 429, 500, 502, 503].includes(answer.status) ? { waitMs: 200 } : 'lost';
      }),
  },
  dagster: {
    retries: false,
    reconnects: false,
    send: (url, event) =>
      attempts(0, async () => {
        const answer = await once(joined(url), event, 2_000, false);
        return answer && good(answer) ? 'delivered' : 'lost';
      }),
  },
};
