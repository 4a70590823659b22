import { canonicalJson, type Json, type JsonObject } from '../../core/json.ts';
import { MAX_ENTRIES, MAX_PAIRS, MAX_SIDE } from '../../core/manifest-schema.ts';
import { type Flow, flowKey } from './flows.ts';

/** What a deployment declares: who makes it flow, and what flows. Pairs of tables are distinct. */
export interface Declared {
  readonly job: { readonly namespace: string; readonly name: string };
  readonly flows: readonly Flow[];
}

/** Flows of several jobs as one list, each pair of tables once, with the union of its columns; sorted. */
export function united(...lists: readonly (readonly Flow[])[]): readonly Flow[] {
  const flows = new Map<string, { flow: Flow; columns: Map<string, readonly [string, string]> }>();
  for (const flow of lists.flat()) {
    const key = flowKey(flow);
    const known = flows.get(key) ?? { flow, columns: new Map() };
    flows.set(key, known);
    for (const [from, to] of flow.columns) known.columns.set(JSON.stringify([to, from]), [from, to]);
  }
  return [...flows].sort(byKey).map(([, { flow, columns }]) => ({
    from: flow.from,
    to: flow.to,
    columns: [...columns].sort(byKey).map(([, pair]) => pair),
  }));
}

/** Whether something that was declared is not among these flows any more. */
export function lacks(flows: readonly Flow[], before: readonly Flow[]): boolean {
  const now = new Map(flows.map((flow) => [flowKey(flow), new Set(flow.columns.map((pair) => JSON.stringify(pair)))]));
  return before.some((flow) => {
    const columns = now.get(flowKey(flow));
    return columns === undefined || flow.columns.some((pair) => !columns.has(JSON.stringify(pair)));
  });
}

/**
 * A manifest of what a deployment declares; the same flows always give the same text. Datasets carry Flink's names only: what
 * other vendors call them is for naming.yaml to say. `undefined` when it is larger than a manifest may be.
 */
export function manifestText({ job, flows }: Declared): string | undefined {
  const pairs = flows.reduce((sum, flow) => sum + flow.columns.length, 0);
  if (pairs > MAX_PAIRS || flows.length > MAX_PAIRS) return undefined;
  const alias = aliases(flows);
  const entries: JsonObject[] = [];
  for (const group of Map.groupBy(flows, (flow) => canonicalJson(flow.to)).values()) {
    for (let at = 0; at < group.length; at += MAX_SIDE) entries.push(entry(group.slice(at, at + MAX_SIDE), alias));
  }
  if (entries.length > MAX_ENTRIES) return undefined;
  const datasets = Object.fromEntries(
    [...alias]
      .map(([key, name]) => [name, { flink: JSON.parse(key) as JsonObject }] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return `${JSON.stringify({ version: 1, job, datasets, lineage: entries }, null, 1)}\n`;
}

function entry(flows: readonly Flow[], alias: ReadonlyMap<string, string>): JsonObject {
  const name = (block: JsonObject) => alias.get(canonicalJson(block)) ?? '';
  const to = name(flows[0]?.to ?? {});
  const columns = new Map<string, { readonly dataset: string; readonly column: string }[]>();
  for (const flow of flows) {
    for (const [source, target] of flow.columns) {
      const sources = columns.get(target) ?? [];
      columns.set(target, sources);
      sources.push({ dataset: name(flow.from), column: source });
    }
  }
  // The long forms throughout: names of columns may hold dots.
  const list: Json[] = [...columns].sort(byKey).map(([column, from]) => ({ from, to: { dataset: to, column } }));
  return { from: flows.map((flow) => name(flow.from)), to, ...(list.length === 0 ? {} : { columns: list }) };
}

/** Names that a manifest refuses as aliases. */
const RESERVED = /^(constructor|prototype)$/;

/** Readable aliases, one per table, by its canonical block. */
function aliases(flows: readonly Flow[]): ReadonlyMap<string, string> {
  const keys = [...new Set(flows.flatMap(({ from, to }) => [canonicalJson(from), canonicalJson(to)]))].sort();
  const taken = new Set<string>();
  return new Map(
    keys.map((key) => {
      const { catalog, database, table } = JSON.parse(key) as Record<string, string | undefined>;
      const text = [catalog, database, table].filter((part) => part !== undefined).join('_');
      const plain = text.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 200);
      const base = /^[A-Za-z]/.test(plain) && !RESERVED.test(plain) ? plain : `t_${plain}`;
      let name = base;
      for (let more = 2; taken.has(name); more += 1) name = `${base}_${more}`;
      taken.add(name);
      return [key, name];
    }),
  );
}

/** What a manifest written by `manifestText` declares; `undefined` for anything else. */
export function readManifest(text: string): Declared | undefined {
  try {
    const { job, datasets, lineage } = JSON.parse(text) as {
      job: Declared['job'];
      datasets: Record<string, { flink: JsonObject }>;
      lineage: {
        from: string[];
        to: string;
        columns?: { from: { dataset: string; column: string }[]; to: { column: string } }[];
      }[];
    };
    const block = (alias: string): JsonObject => {
      const found = datasets[alias]?.flink;
      if (found === undefined) throw new Error('not ours');
      return found;
    };
    const flows = lineage.flatMap(({ from, to, columns = [] }) =>
      from.map((source): Flow => {
        const pairs = columns.flatMap((each) =>
          each.from.filter(({ dataset }) => dataset === source).map(({ column }) => [column, each.to.column] as const),
        );
        return { from: block(source), to: block(to), columns: pairs };
      }),
    );
    return { job, flows: united(flows) };
  } catch {
    return undefined;
  }
}

function byKey(left: readonly [string, unknown], right: readonly [string, unknown]): number {
  return left[0] < right[0] ? -1 : left[0] > right[0] ? 1 : 0;
}
