import { describe, expect, test } from 'vitest';
import { type LineageQuery, lineage } from '../../functions/fetch/fetch.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { graphLedger, type Pair, table } from '../functions/graph-ledger.ts';
import type { Open } from './opened.ts';

/** A ledger, and what its store says that reading it has cost since the last look. */
export interface MeteredLedger {
  readonly ledger: Ledger;
  spent?(): unknown;
}

const DEPTH = 5;
const ASK = { dataset: 'ns/start', depth: DEPTH, level: 'table', limit: 1_000 } as const;
const DIRECTIONS = ['upstream', 'downstream', 'both'] as const;

const at = (name: string) => table(`s.${name}`, `ns/${name}`);
const edge = (from: string, to: string, vendor = 'dataphin'): Pair => ({ from: [at(from)], to: [at(to)], vendor });

/** What is asked for: five steps each way, two wide, at two vendors, and one step more. */
function* asked(): Generator<Pair> {
  for (const vendor of ['dataphin', 'dataarts']) {
    for (let step = 0; step <= DEPTH; step += 1) {
      for (const side of ['l', 'r']) {
        const [up, down] = [`up${step}${side}`, `down${step}${side}`];
        yield edge(up, step === 0 ? 'start' : `up${step - 1}${side}`, vendor);
        yield edge(step === 0 ? 'start' : `down${step - 1}${side}`, down, vendor);
      }
    }
  }
}

/** What is around it: other readers of its sources, other sources of what it feeds, and graphs of their own. */
function* around(edges: number): Generator<Pair> {
  for (let at = 0; at < edges; at += 3) {
    yield edge(`up${(at / 3) % DEPTH}l`, `reader${at}`);
    yield edge(`source${at}`, `down${(at / 3) % DEPTH}r`);
    yield edge(`other${at}`, `other${at + 1}`);
  }
}

/** A question's cost depends on its answer, whatever the size of the graph around it. */
export function graphSuite(name: string, open: Open<MeteredLedger>): void {
  describe(`${name} answers by the edges returned`, () => {
    test('makes exactly the same reads in a graph of ten times the edges, at depth 5, both ways', async () => {
      const costs: unknown[][] = [];
      for (const edges of [30, 48 * 10 + 30]) {
        const opened = await open();
        const { ledger, spent } = opened.subject;
        const { services, reads } = await graphLedger([...asked(), ...around(edges)], ledger);
        const cost: unknown[] = [];
        for (const direction of DIRECTIONS) {
          Object.assign(reads, { finds: 0, rows: 0 });
          spent?.();
          const graph = await lineage({ ...ASK, direction } satisfies LineageQuery, services);
          expect(graph.edges).toHaveLength(direction === 'both' ? 4 * DEPTH : 2 * DEPTH);
          expect(reads.finds + reads.rows).toBeLessThan(12 * graph.edges.length);
          cost.push([direction, { ...reads }, spent?.()]);
        }
        costs.push(cost);
        await opened.close();
      }
      expect(costs[1]).toEqual(costs[0]);
    });
  });
}
