import { connect, type Socket } from 'node:net';

/** Requests that become due by the clock, whether or not the ones before have been answered. */
export interface Phase {
  readonly port: number;
  /** Requests that become due per second; 0: the next one as soon as a connection is free. */
  readonly rate: number;
  readonly seconds: number;
  /** Kept alive, one request at a time on each: nothing is pipelined. */
  readonly connections: number;
  /** Number of the first event; they count up from it. */
  readonly from: number;
  /** Event `n` is of job `n % jobs`. */
  readonly jobs: number;
}

export interface Outcome {
  /** How many the clock asked for. */
  readonly due: number;
  readonly sent: number;
  /** Due when every connection was waiting for an answer: never sent, now or later. */
  readonly notOffered: number;
  /** Answers by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** Connections that ended before their answer. */
  readonly cut: number;
  /** 503 without a Retry-After in whole seconds. */
  readonly withoutWait: number;
  /** Numbers of the events that were answered 201, and of some that were answered 503. */
  readonly taken: readonly number[];
  /** Of these, a second, while the clock ran. */
  readonly takenASecond: number;
  /** From when it was due to its answer, in ms, by status: the middle, and the slowest but one of a hundred. */
  readonly ms: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;
}

const NUMBER_DIGITS = 9;
const TICK_MS = 1;
/** After the last request the answers have this long to come. */
const DRAIN_MS = 10_000;

const fields = ['id', 'customer', 'created', 'price'].map((name) => ({ name, type: 'string', description: 'as sold' }));
const NUMBER = '#'.repeat(NUMBER_DIGITS);
const JOB = '@'.repeat(NUMBER_DIGITS);

/** What event `n` says; its source is its own. */
export const sourceOf = (n: number) => `ods.s${digits(n)}`;
export const jobName = (job: number) => `j${digits(job)}`;
export const runIdOf = (job: number) => `run-${digits(job)}`;

const digits = (n: number) => String(n).padStart(NUMBER_DIGITS, '0');

/** One request with room for its numbers: written once for each connection, and replaced in place from then on. */
function rendered(port: number): { readonly bytes: Buffer; readonly numbers: number[]; readonly jobs: number[] } {
  const source = {
    namespace: 'hive://m',
    name: `ods.s${NUMBER}`,
    facets: { schema: { _producer: 'https://example.com/flood', fields } },
  };
  const body = JSON.stringify({
    eventType: 'RUNNING',
    eventTime: `2026-09-21T14:13:20.${NUMBER}Z`,
    run: { runId: `run-${JOB}` },
    job: { namespace: 'flood', name: `j${JOB}` },
    producer: 'https://example.com/flood',
    schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
    inputs: [source],
  });
  const head = [
    'POST /api/v1/lineage HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'User-Agent: openlineage-flood',
    'Accept: application/json',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ].join('\r\n');
  const text = `${head}\r\n\r\n${body}`;
  const all = (mark: string) => [...text.matchAll(new RegExp(mark, 'g'))].map((match) => match.index);
  return { bytes: Buffer.from(text, 'latin1'), numbers: all(NUMBER), jobs: all(JOB) };
}

interface Connection {
  socket: Socket;
  readonly bytes: Buffer;
  /** The event that waits for its answer; -1: none does. */
  waiting: number;
  dueAt: number;
  rest: string;
}

/**
 * Floods one service; the process that runs it does nothing else. Every connection has been accepted, and answered once, before the clock
 * starts.
 */
export function flood(phase: Phase): Promise<Outcome> {
  const { port, rate, seconds, connections, from, jobs } = phase;
  const template = rendered(port);
  const free: Connection[] = [];
  const taken: number[] = [];
  const answers: Record<string, number> = {};
  const times: Record<string, number[]> = {};
  let [due, sent, notOffered, cut, withoutWait, inFlight, takenASecond] = [0, 0, 0, 0, 0, 0, 0];
  let running = false;
  let over = false;
  let finish = () => {};

  function open(bytes: Buffer): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const connection: Connection = { socket, bytes, waiting: -1, dueAt: 0, rest: '' };
    // Not by reading: thousands that connect at once would take the pages' room.
    socket.on('connect', () =>
      socket.write(`POST /nothing HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 0\r\n\r\n`),
    );
    socket.on('data', (chunk: Buffer) => read(connection, chunk));
    // What happened is told by `close`.
    socket.on('error', () => {});
    socket.on('close', () => {
      if (connection.waiting >= 0) {
        cut += 1;
        inFlight -= 1;
        connection.waiting = -1;
      }
      if (!over) setTimeout(open, 50, bytes);
      settled();
    });
  }

  function ready(connection: Connection): void {
    if (rate === 0 && running && !over) send(connection, performance.now());
    else free.push(connection);
  }

  function send(connection: Connection, dueAt: number): void {
    const n = from + sent;
    sent += 1;
    inFlight += 1;
    connection.waiting = n;
    connection.dueAt = dueAt;
    for (const at of template.numbers) connection.bytes.write(digits(n), at, 'latin1');
    for (const at of template.jobs) connection.bytes.write(digits(n % jobs), at, 'latin1');
    connection.socket.write(connection.bytes);
  }

  function read(connection: Connection, chunk: Buffer): void {
    const text = connection.rest + chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    const head = end < 0 ? '' : text.slice(0, end);
    const length = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (end < 0 || text.length < end + 4 + length) {
      connection.rest = text;
      return;
    }
    connection.rest = '';
    if (connection.waiting < 0) {
      ready(connection);
      return;
    }
    const status = head.slice(9, 12);
    answers[status] = (answers[status] ?? 0) + 1;
    const took = times[status] ?? [];
    times[status] = took;
    took.push(performance.now() - connection.dueAt);
    if (status === '201') taken.push(connection.waiting);
    else if (status === '503') {
      if (!/\nretry-after: \d+(\r|$)/i.test(head)) withoutWait += 1;
    }
    connection.waiting = -1;
    inFlight -= 1;
    ready(connection);
    settled();
  }

  function settled(): void {
    if (over && inFlight === 0) finish();
  }

  for (let count = 0; count < connections; count += 1) open(Buffer.from(template.bytes));
  return new Promise((resolve) => {
    const opened = setInterval(() => {
      if (free.length < connections) return;
      clearInterval(opened);
      run(resolve);
    }, TICK_MS);
  });

  function run(resolve: (outcome: Outcome) => void): void {
    const started = performance.now();
    running = true;
    finish = () => {
      finish = () => {};
      const ms = Object.fromEntries(Object.entries(times).map(([status, all]) => [status, percentiles(all)]));
      for (const { socket } of free) socket.destroy();
      resolve({ due: rate === 0 ? sent : due, sent, notOffered, answers, cut, withoutWait, taken, takenASecond, ms });
    };
    if (rate === 0) for (const each of free.splice(0)) send(each, started);
    const timer = setInterval(() => {
      const elapsed = Math.min(performance.now() - started, seconds * 1_000);
      const target = Math.floor((elapsed * rate) / 1_000);
      for (; due < target; due += 1) {
        let next = free.shift();
        while (next?.socket.destroyed) next = free.shift();
        if (next) send(next, started + (due * 1_000) / rate);
        else notOffered += 1;
      }
      if (elapsed < seconds * 1_000) return;
      clearInterval(timer);
      over = true;
      takenASecond = Math.round((taken.length * 1_000) / (performance.now() - started));
      setTimeout(() => finish(), DRAIN_MS).unref();
      settled();
    }, TICK_MS);
  }
}

function percentiles(all: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...all].sort((left, right) => left - right);
  const at = (share: number) => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99) };
}

// As a child process: one phase after the other, as it is told.
process.on('message', (phase: Phase) => {
  void flood(phase).then((outcome) => process.send?.(outcome));
});
