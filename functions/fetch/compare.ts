import { Failure } from '../../shared/core/failure.ts';
import type { ComparedAt, Graph, GraphEdge } from '../../shared/core/graph.ts';
import { comparedAt, comparedEdge } from '../../shared/core/graph-compare.ts';
import { filtered } from '../../shared/core/graph-filter.ts';
import { append } from '../../shared/core/large-lists.ts';
import { by } from '../../shared/core/order.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Directory, directory } from './compare-names.ts';
import { type Asked, ask, type VendorEdge } from './compare-vendor.ts';
import { type LineageQuery, lineage } from './fetch.ts';
import { type Direction, ledgerReader } from './units.ts';

/** The ledger and the vendors side by side: every edge says in `compared` where it is, and where it is missing. */
export interface ComparedGraph extends Graph {
  readonly compare: {
    readonly at: string;
    readonly targets: readonly ComparedTarget[];
  };
  /** The ledger has more edges than were compared. */
  readonly partial?: true;
}

export interface ComparedTarget {
  readonly target: string;
  readonly title: string;
  /** Why it could not be asked, or not to the end; what was not asked is `unread`. */
  readonly reason?: string;
  readonly counts: Readonly<Record<ComparedAt['verdict'], number>>;
}

/**
 * Walks from a dataset through what the ledger and the vendors know together, so that an edge which only one of them has leads on,
 * too. Dataphin is asked table by table, DataArts for its list once. A vendor that cannot be asked is told, and judges nothing.
 */
export async function compare(
  query: LineageQuery & { readonly dataset: string },
  deadlineMs: number,
  services: Services,
): Promise<ComparedGraph> {
  const { deps } = services;
  const { owner: _owner, job: _job, target: _target, outcome: _outcome, to: _to, ...plain } = query;
  const ledger = await lineage(plain, services).catch((thrown: unknown) => {
    if (thrown instanceof Failure && thrown.kind === 'missing') return { nodes: [], edges: [], next: undefined };
    throw thrown;
  });
  const naming = (await deps.naming().catch(() => undefined))?.naming;
  const names = directory(ledger, naming, ledgerReader(deps.ledger));
  const { list } = await deps.targets();
  const vendors = list
    .filter((each) => each.client.register !== undefined)
    .map((target) => ask(target, query.level, deadlineMs));
  const walked = await walk(query, ledger, vendors, names);
  const edges = judged(ledger, walked, vendors, names);
  const ids = new Set([names.idOf(query.dataset), ...edges.flatMap((edge) => [edge.from, edge.to])]);
  if (edges.length === 0 && ledger.nodes.length === 0) {
    throw new Failure('missing', `neither the ledger nor a vendor knows lineage of ${query.dataset.slice(0, 300)}`);
  }
  const more = new Map(ledger.nodes.flatMap((node) => (node.more ? [[node.id, node.more] as const] : [])));
  const graph: ComparedGraph = {
    nodes: [...ids].sort().map((id) => {
      const left = more.get(id);
      return { ...names.nodeOf(id), ...(left === undefined ? {} : { more: left }) };
    }),
    edges,
    compare: {
      at: new Date(deps.now()).toISOString(),
      targets: vendors.map(({ target, reason }) => ({
        target: target.name,
        title: target.vendor.title,
        ...(reason === undefined ? {} : { reason }),
        counts: countsOf(edges, target.name),
      })),
    },
    ...(ledger.next === undefined ? {} : { partial: true as const }),
  };
  return filtered(graph, query, names.idOf(query.dataset));
}

/** What was asked, and what was shown, per target. */
interface Walked {
  /** `direction id` of the tables whose edges a target has told. */
  readonly told: Map<string, Set<string>>;
  readonly shown: Map<string, VendorEdge[]>;
}

async function walk(
  { dataset, direction, depth }: LineageQuery & { readonly dataset: string },
  ledger: Graph,
  vendors: readonly Asked[],
  names: Directory,
): Promise<Walked> {
  const told = new Map(vendors.map(({ target }) => [target.name, new Set<string>()]));
  const shown = new Map(vendors.map(({ target }) => [target.name, [] as VendorEdge[]]));
  await names.learn([dataset]);
  const ways: readonly Direction[] = direction === 'both' ? ['upstream', 'downstream'] : [direction];
  for (const way of ways) {
    const [near, far] = way === 'upstream' ? (['to', 'from'] as const) : (['from', 'to'] as const);
    const seen = new Set([names.idOf(dataset)]);
    let frontier = [...seen];
    for (let step = 0; step < depth && frontier.length > 0; step += 1) {
      const next = new Set<string>();
      for (const vendor of vendors) {
        for (const edge of await tell(vendor, frontier, way, told.get(vendor.target.name), names)) {
          shown.get(vendor.target.name)?.push(edge);
          next.add(names.idOf(edge[far]));
        }
      }
      const here = new Set(frontier.map((id) => names.idOf(id)));
      for (const edge of ledger.edges) if (here.has(names.idOf(edge[near]))) next.add(names.idOf(edge[far]));
      frontier = [...next].filter((id) => !seen.has(id));
      for (const id of frontier) seen.add(id);
    }
  }
  return { told, shown };
}

/** One vendor's edges at these datasets; `told` notes which of them it has answered for. */
async function tell(
  vendor: Asked,
  ids: readonly string[],
  way: Direction,
  told: Set<string> | undefined,
  names: Directory,
): Promise<readonly VendorEdge[]> {
  const asked = ids.flatMap((id) => {
    const own = names.namesAt(id, vendor.target);
    // What has no name there, it cannot show.
    if (own.length === 0) told?.add(`${way} ${id}`);
    return own.map((name) => ({ id, name }));
  });
  const answers = await vendor.edgesAt(
    asked.map(({ name }) => name),
    way,
  );
  const edges: VendorEdge[] = [];
  for (const [at, answer] of answers.entries()) {
    if (answer === undefined) continue;
    told?.add(`${way} ${asked[at]?.id ?? ''}`);
    append(edges, answer);
  }
  await names.learn(edges.flatMap(({ from, to }) => [from, to]));
  return edges;
}

function judged(ledger: Graph, { told, shown }: Walked, vendors: readonly Asked[], names: Directory): GraphEdge[] {
  const keyOf = (from: string, to: string) => JSON.stringify([names.idOf(from), names.idOf(to)]);
  const edges = new Map<string, GraphEdge>();
  for (const edge of ledger.edges) edges.set(keyOf(edge.from, edge.to), edge);
  const at = new Map<string, Map<string, VendorEdge>>();
  for (const { target } of vendors) {
    const here = new Map<string, VendorEdge>();
    at.set(target.name, here);
    for (const edge of shown.get(target.name) ?? []) {
      const key = keyOf(edge.from, edge.to);
      here.set(key, edge);
      const [from = '', to = ''] = JSON.parse(key) as string[];
      if (!edges.has(key)) edges.set(key, { from, to, declaredBy: [], jobs: edge.jobs, targets: [] });
    }
  }
  const answered = new Map(
    [...told].map(([target, all]) => {
      const ids = [...all].map((each) => {
        const [way = '', ...rest] = each.split(' ');
        return `${way} ${names.idOf(rest.join(' '))}`;
      });
      return [target, new Set(ids)];
    }),
  );
  return [...edges]
    .map(([key, edge]) => {
      const [from = '', to = ''] = JSON.parse(key) as string[];
      const compared = vendors.map(({ target }) => {
        const found = at.get(target.name)?.get(key);
        const here = answered.get(target.name);
        const sure = here?.has(`upstream ${to}`) || here?.has(`downstream ${from}`);
        return comparedAt(
          target.name,
          edge.targets.length === 0 ? undefined : edge,
          found ?? (sure ? undefined : null),
        );
      });
      return comparedEdge({ ...edge, from, to }, compared);
    })
    .sort(by((edge) => JSON.stringify([edge.from, edge.to])));
}

const NONE = { same: 0, missing: 0, extra: 0, absent: 0, waiting: 0, unread: 0 };

function countsOf(edges: readonly GraphEdge[], target: string): ComparedTarget['counts'] {
  const counts = { ...NONE };
  for (const { compared = [] } of edges) {
    for (const each of compared) if (each.target === target) counts[each.verdict] += 1;
  }
  return counts;
}
