import type { Call, CallOptions, Sight, VendorClient } from '../vendor.ts';
import { type BulkReading, type BulkRow, readBulk } from './bulk.ts';
import { lineageInfo, nodeOf, type TableSpec } from './wire.ts';

/**
 * The qualified names of all nodes that look like the call's: same node name, workspace and tables. None at all proves that there is no
 * such node, because only a complete scan gets that far; a list that changes while it is read is `unavailable`.
 */
export async function locateNodes(call: Call, reading: BulkReading, options: CallOptions): Promise<readonly string[]> {
  return alike(call, await readBulk(reading, options));
}

/** One scan answers for all nodes made before it, so many units in a row share it. */
const SCAN_GOOD_MS = 60_000;

/**
 * What a complete scan says of each of these nodes: those that look like it, and the names of all there are.
 */
export function verifyNodes(reading: BulkReading): NonNullable<VendorClient['verify']> {
  let scan: { readonly at: number; readonly rows: Awaited<ReturnType<typeof readBulk>> } | undefined;
  return async (calls, options) => {
    const at = reading.io.now();
    if (scan === undefined || at - scan.at > SCAN_GOOD_MS) {
      scan = { at, rows: await readBulk(reading, { ...options, lane: 'verify' }) };
    }
    const known = scan;
    const all = new Set(known.rows.keys());
    return calls.map((call): Sight => {
      const nodes = alike(call, known.rows);
      return { readable: true, edge: nodes.length > 0, columns: [], nodes, all, at: known.at, others: [] };
    });
  };
}

function alike(call: Call, rows: ReadonlyMap<string, readonly BulkRow[]>): readonly string[] {
  const { workspaceId } = nodeOf(call);
  const wanted = pairsOf(call);
  const name = lineageInfo(call).node_name;
  return [...rows]
    .filter(([, edges]) => {
      const [first] = edges;
      const here =
        first?.workspace_id === undefined || first.workspace_id === null || first.workspace_id === workspaceId;
      const pairs = new Set(edges.map(pairOf));
      return (
        here && first?.node_name === name && pairs.size === wanted.size && [...wanted].every((pair) => pairs.has(pair))
      );
    })
    .map(([qualifiedName]) => qualifiedName);
}

function pairsOf(call: Call): Set<string> {
  const { inputs, outputs } = nodeOf(call);
  const nameOf = (table: TableSpec) => [table.database ?? '', table.schema, table.table];
  return new Set(inputs.flatMap((from) => outputs.map((to) => JSON.stringify([nameOf(from), nameOf(to)]))));
}

function pairOf(row: BulkRow): string {
  return JSON.stringify([
    [row.source_db ?? '', row.source_schema ?? '', row.source_table ?? ''],
    [row.target_db ?? '', row.target_schema ?? '', row.target_table ?? ''],
  ]);
}
