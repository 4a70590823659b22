import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import type { LineageEdge, LineageQuery, LineageTable, VendorLineage } from '../vendor.ts';
import { lineageRows, type Read, unlessUnknown } from './read-answer.ts';

type Way = 'upstream' | 'downstream';

const text = z.string().nullish();
const end = {
  InputTableGuid: text,
  InputTableName: text,
  OutputTableGuid: text,
  OutputTableName: text,
  NodeId: z.union([z.string(), z.number()]).nullish(),
};
const tables = z.lazy(() => z.looseObject({ TableLineageList: z.array(z.looseObject(end)).nullish() }));
const columns = z.lazy(() =>
  z.looseObject({
    TableColumnLineageList: z
      .array(
        z.looseObject({
          ...end,
          InputColumnGuid: text,
          InputColumnName: text,
          OutputColumnGuid: text,
          OutputColumnName: text,
        }),
      )
      .nullish(),
  }),
);

/** Reads per question at most: a table is one, with its columns two. What lies beyond is told in `unread`. */
const READS = 200;

/**
 * What Dataphin shows around a table, given by its GUID: GetTableLineages of each table on the way, and GetTableColumnLineages when columns are
 * asked for (Alibaba Dataphin, SDK 2023-06-30, since v5.4.2; no paging). Whose lineage it is cannot be told. Throws `Failure`.
 */
export async function readLineage(query: LineageQuery, read: Read): Promise<VendorLineage> {
  const { start, direction, depth, level } = query;
  if (!('table' in start)) {
    throw new Failure('invalid', 'Dataphin tells the lineage of tables; give a dataset with a GUID, not a job.');
  }
  const found = collector();
  const unread = new Set<string>();
  let reads = 0;
  found.tableAt(start.table, undefined);
  for (const way of direction === 'both' ? (['upstream', 'downstream'] as const) : [direction]) {
    const seen = new Set([start.table]);
    let frontier = [start.table];
    for (let step = 0; step < depth && frontier.length > 0; step += 1) {
      const next = new Set<string>();
      for (const guid of frontier) {
        if (reads >= READS) {
          unread.add(guid);
          continue;
        }
        reads += level === 'column' ? 2 : 1;
        for (const other of await around(guid, way, level, read, found)) if (!seen.has(other)) next.add(other);
      }
      for (const other of next) seen.add(other);
      frontier = [...next];
    }
  }
  return found.answer(unread);
}

/** Adds a table's edges of one side; gives the GUIDs at their other ends. */
async function around(
  guid: string,
  way: Way,
  level: LineageQuery['level'],
  read: Read,
  found: ReturnType<typeof collector>,
): Promise<readonly string[]> {
  // Both flags are given, because the two reads differ in their defaults; without the third, unregistered assets may be left out.
  const filter = { NeedUpstream: way === 'upstream', NeedDownstream: way === 'downstream', NeedNotExistObject: true };
  const ask = async <T>(operation: string, schema: z.ZodType<T>): Promise<T> => {
    const body = await read(operation, [['TableGuid', guid]], ['FilterQuery', filter]);
    if (body.RequestId) found.receipts.add(body.RequestId);
    return lineageRows(schema, body);
  };
  try {
    const others = new Set<string>();
    for (const row of (await ask('GetTableLineages', tables)).TableLineageList ?? []) {
      found.edge(row);
      const other = way === 'upstream' ? row.InputTableGuid : row.OutputTableGuid;
      if (other) others.add(other);
    }
    if (level === 'column' && others.size > 0) {
      for (const row of (await ask('GetTableColumnLineages', columns)).TableColumnLineageList ?? []) {
        const pair = [
          columnOf(row.InputTableGuid, row.InputColumnGuid, row.InputColumnName),
          columnOf(row.OutputTableGuid, row.OutputColumnGuid, row.OutputColumnName),
        ] as const;
        const [from, to] = pair;
        if (from !== undefined && to !== undefined) found.edge(row).columns.push({ from, to });
      }
    }
    return [...others];
  } catch (thrown) {
    return unlessUnknown(thrown, []);
  }
}

interface Row {
  readonly InputTableGuid?: string | null | undefined;
  readonly InputTableName?: string | null | undefined;
  readonly OutputTableGuid?: string | null | undefined;
  readonly OutputTableName?: string | null | undefined;
  readonly NodeId?: string | number | null | undefined;
}

function collector() {
  const places = new Map<string, number>();
  const found: LineageTable[] = [];
  const edges = new Map<
    string,
    { from: number; to: number; jobs: Set<string>; columns: { from: string; to: string }[] }
  >();
  const receipts = new Set<string>();
  const tableAt = (guid: string | null | undefined, name: string | null | undefined): number => {
    const key = guid || name || '(unnamed)';
    const known = places.get(key);
    if (known !== undefined) return known;
    const block: JsonObject | undefined = guid ? { guid } : undefined;
    found.push({ name: key, ...(block === undefined ? {} : { block }) });
    places.set(key, found.length - 1);
    return found.length - 1;
  };
  return {
    receipts,
    tableAt,
    edge(row: Row) {
      const from = tableAt(row.InputTableGuid, row.InputTableName);
      const to = tableAt(row.OutputTableGuid, row.OutputTableName);
      const key = `${from} ${to}`;
      const edge = edges.get(key) ?? { from, to, jobs: new Set<string>(), columns: [] };
      edges.set(key, edge);
      if (row.NodeId !== undefined && row.NodeId !== null) edge.jobs.add(String(row.NodeId));
      return edge;
    },
    answer(unread: ReadonlySet<string>): VendorLineage {
      const list = Array.from(edges.values(), ({ jobs, columns: pairs, ...edge }): LineageEdge => {
        const unique = new Map(pairs.map((pair) => [JSON.stringify([pair.from, pair.to]), pair]));
        return { ...edge, jobs: [...jobs], columns: [...unique.values()] };
      });
      const left = [...unread].flatMap((guid) => places.get(guid) ?? []);
      const rest = left.length === 0 ? {} : { unread: left };
      return { tables: found, edges: list, jobs: [], receipts: [...receipts], ...rest };
    },
  };
}

/** A column's GUID is its table's GUID, a dot and its name. */
function columnOf(
  table: string | null | undefined,
  guid: string | null | undefined,
  name: string | null | undefined,
): string | undefined {
  if (table && guid?.startsWith(`${table}.`) && guid.length > table.length + 1) return guid.slice(table.length + 1);
  return name || undefined;
}
