import type { Target } from '../../shared/converge/deps.ts';
import { identity } from '../../shared/core/dataset.ts';
import type { Problem } from '../../shared/core/edge.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { Graph, GraphEdge } from '../../shared/core/graph.ts';
import type { Json, JsonObject } from '../../shared/core/json.ts';
import { type Naming, nameDataset } from '../../shared/core/naming.ts';
import type { Answer } from '../../shared/triggers/http.ts';
import { problem } from '../../shared/triggers/problem.ts';
import type { LineageQuery, LineageTable, VendorLineage } from '../../shared/vendors/vendor.ts';
import type { Services } from '../../shared/wiring.ts';

/** The ledger's graph, told by a vendor: nobody declared it, and jobs make it. */
export interface LiveAnswer extends Graph {
  readonly edges: readonly (GraphEdge & { readonly jobs: readonly string[] })[];
  /** What the vendor tells besides, secrets masked. `node` is the id of a node above. */
  readonly details: {
    readonly tables: readonly JsonObject[];
    readonly jobs: readonly JsonObject[];
    /** Ends of edges that name no table of the answer, as the vendor wrote them. */
    readonly unresolved: readonly string[];
  };
}

/** Asks a target for its own lineage, now. Throws `Failure` of the vendor, or `conflict` when it cannot be asked at all. */
export async function liveLineage(
  from: string,
  query: LineageQuery,
  deadlineMs: number,
  services: Services,
): Promise<LiveAnswer> {
  const target = await targetNamed(from, services);
  // Without naming.yaml the vendor's names do.
  const naming = await services.deps.naming().catch(() => undefined);
  const found = await target.client.lineage(query, { deadlineMs });
  return graphOfLive(found, target, naming?.naming, query.level === 'column');
}

async function targetNamed(name: string, services: Services) {
  const target = await targetCalled(name, services);
  const { lineage } = target.client;
  if (lineage !== undefined) return { name: target.name, vendor: target.vendor, client: { lineage } };
  throw new Failure(
    'conflict',
    `${name} shows no lineage of its own; put its credentials into the secret lineage/${name}`,
    {
      code: NOT_CONFIGURED,
    },
  );
}

/** The target of this name, or the only one of this vendor. Throws `Failure` `conflict` when there is none that can be used. */
export async function targetCalled(name: string, services: Services): Promise<Target> {
  const { list, problems } = await services.deps.targets();
  const ofVendor = list.filter((each) => each.vendor.name === name);
  const target = list.find((each) => each.name === name) ?? (ofVendor.length === 1 ? ofVendor[0] : undefined);
  if (target !== undefined) return target;
  const wrong = problems.find((each) => each.target === name)?.message;
  const why = `${name} is not configured; put its credentials into the secret lineage/${name}`;
  throw new Failure('conflict', wrong ?? why, { code: NOT_CONFIGURED });
}

export const NOT_CONFIGURED = 'not-configured';

type Pair = NonNullable<GraphEdge['columns']>[number];

/** The graph of what a vendor answered; datasets that naming.yaml knows go by their identity, as in the ledger. Pure. */
export function graphOfLive(
  found: VendorLineage,
  target: Pick<Target, 'name'> & { readonly vendor: Pick<Target['vendor'], 'name'> },
  naming: Naming | undefined,
  columns: boolean,
): LiveAnswer {
  const vendor = target.vendor.name;
  const ids = found.tables.map((table) => idOf(table, vendor, naming));
  const id = (index: number): string => ids[index] ?? '';
  const names = new Map<string, Set<string>>();
  found.tables.forEach((table, at) => {
    names.set(id(at), (names.get(id(at)) ?? new Set<string>()).add(`${vendor}:${table.name}`));
  });
  const [receipt] = found.receipts;
  const edges = new Map<
    string,
    { edge: VendorLineage['edges'][number]; jobs: Set<string>; columns: Map<string, Pair> }
  >();
  for (const edge of found.edges) {
    const key = JSON.stringify([id(edge.from), id(edge.to)]);
    const known = edges.get(key) ?? { edge, jobs: new Set(), columns: new Map() };
    edges.set(key, known);
    for (const job of edge.jobs) known.jobs.add(job);
    for (const pair of edge.columns) known.columns.set(JSON.stringify([pair.from, pair.to]), { ...pair, direct: true });
  }
  return {
    nodes: [...names].map(([node, known]) => ({ id: node, names: [...known].sort() })).sort(by('id')),
    edges: Array.from(edges.values(), ({ edge, jobs, columns: pairs }) => ({
      from: id(edge.from),
      to: id(edge.to),
      declaredBy: [],
      jobs: [...jobs].sort(),
      targets: [{ target: target.name, state: 'shown' as const, ...(receipt === undefined ? {} : { receipt }) }],
      ...(columns ? { columns: [...pairs.values()].sort(by('to', 'from')) } : {}),
    })).sort(by('from', 'to')),
    details: {
      tables: found.tables.flatMap(({ details }, at) =>
        details === undefined ? [] : [{ node: id(at), ...rest(details) }],
      ),
      jobs: found.jobs.map(({ id: job, details }) => ({ ...details, id: job })),
      unresolved: found.tables.filter(({ block }) => block === undefined).map(({ name }) => name),
    },
  };
}

/** `node` is our word for the node of the graph; the vendor's own node becomes `group`. */
function rest({ node, ...others }: JsonObject): JsonObject {
  return node === undefined ? others : { ...others, group: node };
}

function idOf(table: LineageTable, vendor: string, naming: Naming | undefined): string {
  const named =
    table.block === undefined || naming === undefined
      ? undefined
      : identity(nameDataset({ vendors: { [vendor]: table.block } }, naming));
  return named ?? `${vendor}:${table.name}`;
}

function by<K extends string>(...keys: readonly K[]): (left: Record<K, Json>, right: Record<K, Json>) => number {
  return (left, right) => {
    const [a, b] = [keys.map((key) => left[key]), keys.map((key) => right[key])].map((each) => JSON.stringify(each));
    return (a ?? '') < (b ?? '') ? -1 : a === b ? 0 : 1;
  };
}

/** Failures of the vendor are not the caller's: it was asked well, and could not be answered. */
export function liveProblem(thrown: unknown): Answer {
  if (!(thrown instanceof Failure)) throw thrown;
  const failure = asFailure(thrown);
  if (failure.code === NOT_CONFIGURED) return problem(409, failure.message);
  if (failure.kind === 'missing') return problem(404, failure.message);
  if (!failure.retryable) return problem(502, failure.message);
  const answer = problem(503, failure.message);
  const seconds = Math.max(1, Math.ceil((failure.retryAfterMs ?? 5_000) / 1_000));
  return { ...answer, headers: { ...answer.headers, 'retry-after': String(seconds) } };
}

/** The parameters only a live question takes, as they came. */
export interface LiveParameters {
  readonly dataset?: string | undefined;
  readonly after?: string | undefined;
  readonly job?: string | undefined;
  readonly table?: string | undefined;
}

/** Where a live question starts, or everything that is wrong with it. */
export function liveStart({ dataset, after, job, table }: LiveParameters): {
  readonly start?: LineageQuery['start'];
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  if (dataset !== undefined) problems.push({ path: 'dataset', message: 'give job or table instead' });
  if (after !== undefined) problems.push({ path: 'after', message: 'a live answer has no pages' });
  if (job !== undefined && table !== undefined)
    problems.push({ path: 'table', message: 'give job or table, not both' });
  const start = job !== undefined ? { job } : table !== undefined ? { table } : undefined;
  if (start === undefined) {
    problems.push({
      path: 'job',
      message: 'give job (a job id, deployment id or deployment name) or table (a table id)',
    });
  }
  return problems.length > 0 || start === undefined ? { problems } : { start, problems };
}
