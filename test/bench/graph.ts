import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LineageQuery, lineage } from '../../functions/fetch/fetch.ts';
import { sqliteLedger } from '../../shared/ledger/sqlite.ts';
import { openSqliteFile } from '../../shared/ledger/sqlite-file.ts';
import { graphLedger, type Pair, table } from '../functions/graph-ledger.ts';
import { type Benchmark, expectSame, type Figure, median } from './bench.ts';

/** Each table feeds this many others. */
const WIDTH = 4;
const COLUMNS = ['id', 'customer', 'created', 'price', 'currency'];

interface Asked {
  readonly edges: number;
  readonly reads: number;
  readonly oursMs: number;
  readonly floorMs: number;
}

/** `graph.query`: five steps both ways around a dataset, beside reading exactly the rows that the answer is made of. */
export const graphs: Benchmark = async ({ short, progress }) => {
  const sizes = short ? [1_000, 2_000] : [100_000, 1_000_000];
  const asked: Asked[] = [];
  for (const size of sizes) {
    progress(`a graph of ${size.toLocaleString('en-US')} edges`);
    asked.push(await ask(size, short ? { warmUp: 1, times: 5 } : { warmUp: 100, times: 200 }));
  }
  const [small, large] = asked;
  if (small === undefined || large === undefined) throw new Error('nothing asked');
  expectSame('edges in the answers', large.edges, small.edges);
  expectSame('reads in both graphs', large.reads, small.reads);
  const figure: Figure = {
    name: 'graph.query',
    what: `${large.edges} edges around a dataset of ${sizes[1]?.toLocaleString('en-US')}, depth 5 both ways; ${large.reads} reads in either graph`,
    value: large.oursMs,
    unit: 'ms',
    floor: large.floorMs,
    ratio: large.oursMs / large.floorMs,
    must: { atMost: 3 },
  };
  return [figure];
};

async function ask(size: number, { warmUp, times }: { warmUp: number; times: number }): Promise<Asked> {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-bench-'));
  const file = openSqliteFile(join(folder, 'lineage.db'));
  try {
    // What is loaded here need not survive a power cut.
    file.database.exec('PRAGMA synchronous = OFF');
    const sqlite = sqliteLedger(file);
    const { services, reads } = await graphLedger(edges(size), sqlite);
    const query: LineageQuery = {
      dataset: `dataphin:t${size / WIDTH / 2}`,
      direction: 'both',
      depth: 5,
      level: 'column',
      limit: 1_000,
    };
    Object.assign(reads, { finds: 0, rows: 0 });
    const answer = await lineage(query, services);
    const counted = reads.finds + reads.rows;
    const ids = new Map(
      answer.edges.map((edge) => [`unit/dataphin|${edge.from}|${edge.to}`.replaceAll('dataphin:', ''), edge]),
    );
    const keys = [...ids.keys()];
    expectSame('rows of the answer', (await sqlite.getMany(keys)).size, keys.length);
    const ours: number[] = [];
    const floor: number[] = [];
    for (let at = -warmUp; at < times; at += 1) {
      const start = performance.now();
      const again = await lineage(query, services);
      const middle = performance.now();
      const rows = await sqlite.getMany(keys);
      const end = performance.now();
      if (at >= 0) {
        ours.push(middle - start);
        floor.push(end - middle);
      }
      expectSame('edges', again.edges.length, answer.edges.length);
      expectSame('rows', rows.size, keys.length);
    }
    return { edges: answer.edges.length, reads: counted, oursMs: median(ours), floorMs: median(floor) };
  } finally {
    file.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function* edges(size: number): Generator<Pair> {
  const columns = COLUMNS.map((column) => ({ from: { table: 0, column }, to: { table: 0, column }, direct: true }));
  const tables = size / WIDTH;
  for (let at = 0; at < tables; at += 1) {
    for (let step = 1; step <= WIDTH; step += 1) {
      yield { from: [table(`t${at}`)], to: [table(`t${(at + step) % tables}`)], columns };
    }
  }
}
