import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pMap from 'p-map';
import { Pool } from 'undici';
import { type Benchmark, expectSame, sideBySide } from './bench.ts';
import { startChild } from './child.ts';

const CONNECTIONS = 64;

/** `webhook.ack`: events a second that are on disk before they are acknowledged, beside a server that only stores them. */
export const webhook: Benchmark = async ({ short, progress }) => {
  const events = short ? 500 : 20_000;
  const warmUp = short ? 50 : 3_000;
  const late: number[] = [];
  const rates = await sideBySide(
    {
      ours: () => measure('ours', 'SELECT body FROM message'),
      floor: () => measure('floor', 'SELECT body FROM stored'),
    },
    short ? 1 : 3,
  );
  return [
    {
      name: 'webhook.ack',
      what: `OpenLineage events a second, each durable before its 201, ${CONNECTIONS} connections`,
      value: rates.ours,
      unit: '/s',
      floor: rates.floor,
      ratio: rates.ours / rates.floor,
      must: { atLeast: 0.5 },
    },
    {
      name: 'webhook.p99',
      what: 'slowest of a hundred acknowledgements at half of that rate',
      value: percentile(late, 0.99),
      unit: 'ms',
    },
  ];

  async function measure(mode: 'ours' | 'floor', stored: string): Promise<number> {
    progress(`${events} events, ${mode}`);
    const server = await startChild('webhook-child.ts', mode);
    const { url, folder } = await server.next<{ url: string; folder: string }>();
    const pool = new Pool(url, { connections: CONNECTIONS });
    const post = async (at: number) => {
      const answer = await pool.request({
        method: 'POST',
        path: '/api/v1/lineage',
        headers: { 'content-type': 'application/json' },
        body: eventOf(at),
      });
      await answer.body.dump();
      expectSame('answer', answer.statusCode, 201);
    };
    let sent = warmUp + events;
    let rate: number;
    try {
      await pMap(numbers(0, warmUp), post, { concurrency: CONNECTIONS });
      const started = performance.now();
      await pMap(numbers(warmUp, events), post, { concurrency: CONNECTIONS });
      rate = (events * 1_000) / (performance.now() - started);
      if (mode === 'ours' && late.length === 0) sent += await atHalfRate(rate / 2, sent, post);
    } finally {
      await pool.destroy();
      // As hard as it goes: what was acknowledged must be there all the same.
      server.child.kill('SIGKILL');
      await server.stop();
    }
    const file = new DatabaseSync(join(folder, mode === 'ours' ? 'lineage.db' : 'floor.db'));
    const runs = new Set<string>();
    for (const { body } of file.prepare(stored).all() as { body: string }[]) {
      for (const [id] of body.matchAll(/run-\d+/g)) runs.add(id);
    }
    file.close();
    await rm(folder, { recursive: true, force: true });
    expectSame(`events on disk, ${mode}`, runs.size, sent);
    return rate;
  }

  /** Open loop: sent when they are due, however slowly earlier ones are answered. */
  async function atHalfRate(rate: number, from: number, post: (at: number) => Promise<void>): Promise<number> {
    const count = Math.min(5_000, Math.floor(rate));
    const started = performance.now();
    const sending: Promise<void>[] = [];
    for (let at = 0; at < count; at += 1) {
      const due = started + (at * 1_000) / rate;
      const wait = due - performance.now();
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      sending.push(post(from + at).then(() => void late.push(performance.now() - due)));
    }
    await Promise.all(sending);
    return count;
  }
};

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);

/** About as large as what Airflow sends for a task, without its largest facets. */
function eventOf(at: number): string {
  const dataset = (name: string) => ({
    namespace: 'hive://metastore:9083',
    name,
    facets: {
      schema: {
        _producer: 'https://example.com/bench',
        _schemaURL: 'https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet',
        fields: ['id', 'customer', 'created', 'price'].map((column) => ({ name: column, type: 'string' })),
      },
    },
  });
  return JSON.stringify({
    eventType: 'COMPLETE',
    eventTime: new Date(1_790_000_000_000 + at).toISOString(),
    producer: 'https://example.com/bench',
    schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
    run: { runId: `run-${at}`, facets: {} },
    job: { namespace: 'bench', name: `job_${at % 100}` },
    inputs: [dataset('shop.orders_raw')],
    outputs: [dataset(`shop.orders_${at % 100}`)],
  });
}
