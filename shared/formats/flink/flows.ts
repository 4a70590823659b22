import { canonicalJson, type JsonObject } from '../../core/json.ts';
import type { LineageEdge, LineageTable, VendorLineage } from '../../vendors/vendor.ts';

/** One table feeds another; `from` and `to` are `flink` blocks of a manifest. */
export interface Flow {
  readonly from: JsonObject;
  readonly to: JsonObject;
  readonly columns: readonly (readonly [from: string, to: string])[];
}

/** What one job makes flow, and everything of it that is not told on. Names are Flink's. */
export interface Flows {
  readonly flows: readonly Flow[];
  /** Temporary tables that were passed through: a → tmp → b became a → b. */
  readonly contracted: readonly string[];
  /** Temporary tables that were left out: nothing comes before or after them, or the setting says so. */
  readonly dropped: readonly string[];
  /** Ends of edges that name no table; their edges are left out. */
  readonly unnamed: readonly string[];
}

/** What becomes of tables that exist only while a job runs. */
export type Temporary = 'contract' | 'drop' | 'keep';

/** Column pairs beyond this are not composed: the table edge stays, its columns do not. */
const MAX_COMPOSED = 100_000;

/**
 * The flows of one job out of what Flink answered for it; what only other jobs make is theirs, even between the same tables: an
 * edge's columns are those that each of its jobs makes. Column pairs through temporary tables are composed: a.x → tmp.y and
 * tmp.y → b.z give a.x → b.z. Pure; same answer, same result.
 */
export function flowsOf(answer: VendorLineage, job: string, temporary: Temporary): Flows {
  const edges = answer.edges.filter((edge) => edge.jobs.length === 0 || edge.jobs.includes(job));
  const named = (table: LineageTable | undefined) => typeof table?.block?.['table'] === 'string';
  const passing = (at: number) => temporary !== 'keep' && answer.tables[at]?.temporary === true;
  const nameOf = (at: number) => answer.tables[at]?.name ?? '';
  const usable = (at: number) => passing(at) || named(answer.tables[at]);
  const unnamed = new Set(edges.flatMap(({ from, to }) => [from, to].filter((at) => !usable(at)).map(nameOf)));
  const known = edges.filter(({ from, to }) => usable(from) && usable(to));
  const direct = known.filter(({ from, to }) => !passing(from) && !passing(to));
  const through = temporary === 'contract' ? composed(known, passing) : { flows: [], passed: new Set<number>() };
  const flows = new Map<
    string,
    { from: JsonObject; to: JsonObject; columns: Map<string, readonly [string, string]> }
  >();
  for (const { from, to, columns } of [...direct, ...through.flows]) {
    const [source, target] = [answer.tables[from]?.block, answer.tables[to]?.block];
    if (source === undefined || target === undefined) continue;
    const key = flowKey({ from: source, to: target });
    const flow = flows.get(key) ?? { from: source, to: target, columns: new Map() };
    flows.set(key, flow);
    for (const pair of columns) flow.columns.set(JSON.stringify([pair.to, pair.from]), [pair.from, pair.to]);
  }
  const temporaries = new Set(known.flatMap(({ from, to }) => [from, to].filter(passing)));
  return {
    flows: [...flows.values()].map(({ from, to, columns }) => ({ from, to, columns: [...columns.values()] })),
    contracted: [...through.passed].map(nameOf).sort(),
    dropped: [...temporaries]
      .filter((at) => !through.passed.has(at))
      .map(nameOf)
      .sort(),
    unnamed: [...unnamed].sort(),
  };
}

/** Identity of the pair of tables. */
export function flowKey({ from, to }: Pick<Flow, 'from' | 'to'>): string {
  return canonicalJson([from, to]);
}

type Hop = Pick<LineageEdge, 'from' | 'to' | 'columns'>;

/** Paths from table to table that lead through temporary ones only, and the temporary ones on them. */
function composed(edges: readonly Hop[], passing: (at: number) => boolean) {
  const out = Map.groupBy(edges, ({ from }) => from);
  const back = Map.groupBy(edges, ({ to }) => to);
  const reached = closure(out, 'to');
  const leading = closure(back, 'from');
  const passed = new Set([...reached].filter((at) => leading.has(at)));
  const sources = new Set(edges.filter(({ from, to }) => !passing(from) && passed.has(to)).map(({ from }) => from));
  const flows = [...sources].flatMap((source) => flowsFrom(source, out, passed, passing));
  return { flows, passed };

  /** Temporary tables that have a real one at the end of some path. */
  function closure(hops: ReadonlyMap<number, readonly Hop[]>, side: 'from' | 'to'): Set<number> {
    const found = new Set<number>();
    const open = [...hops.keys()].filter((at) => !passing(at));
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const hop of hops.get(at) ?? []) {
        const next = hop[side];
        if (!passing(next) || found.has(next)) continue;
        found.add(next);
        open.push(next);
      }
    }
    return found;
  }
}

/** Everything that a table feeds through temporary ones, its columns followed hop by hop; loops end where nothing new is found. */
function flowsFrom(
  source: number,
  out: ReadonlyMap<number, readonly Hop[]>,
  passed: ReadonlySet<number>,
  passing: (at: number) => boolean,
): Hop[] {
  const tables = new Set<number>([source]);
  const ends = new Set<number>();
  const tableQueue = [source];
  for (let at = tableQueue.pop(); at !== undefined; at = tableQueue.pop()) {
    for (const { to } of out.get(at) ?? []) {
      if (passing(to) && passed.has(to) && !tables.has(to)) {
        tables.add(to);
        tableQueue.push(to);
      } else if (!passing(to) && at !== source) ends.add(to);
    }
  }
  const columns = new Map<number, Map<string, { from: string; to: string }>>();
  const seen = new Set<string>();
  const queue: { readonly at: number; readonly column: string; readonly origin: string }[] = [];
  for (const hop of out.get(source) ?? []) {
    if (!passing(hop.to)) continue;
    for (const { from, to } of hop.columns) queue.push({ at: hop.to, column: to, origin: from });
  }
  for (let next = queue.pop(); next !== undefined && seen.size < MAX_COMPOSED; next = queue.pop()) {
    const { at, column, origin } = next;
    const key = JSON.stringify([at, column, origin]);
    if (seen.has(key)) continue;
    seen.add(key);
    for (const hop of out.get(at) ?? []) {
      for (const { from, to } of hop.columns) {
        if (from !== column) continue;
        if (passing(hop.to)) queue.push({ at: hop.to, column: to, origin });
        else {
          const pairs = columns.get(hop.to) ?? new Map<string, { from: string; to: string }>();
          columns.set(hop.to, pairs.set(JSON.stringify([origin, to]), { from: origin, to }));
        }
      }
    }
  }
  const complete = seen.size < MAX_COMPOSED;
  return [...ends].map((to) => ({
    from: source,
    to,
    columns: complete ? [...(columns.get(to)?.values() ?? [])] : [],
  }));
}
