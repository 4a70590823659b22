import type { EdgeAtTarget, Mark } from './edge-outcome.ts';
import type { Graph, GraphEdge, GraphNode } from './graph.ts';
import { by } from './order.ts';
import type { ColumnPair, PlanChange, PlanVerdict } from './plan-document.ts';

const MARK: Readonly<Record<PlanVerdict, Mark>> = {
  failed: 'failed',
  held: 'held',
  withdraw: 'withdraw',
  drifted: 'drifted',
  update: 'update',
  create: 'create',
  adopt: 'adopt',
  conflict: 'conflict',
  unresolved: 'unresolved',
  unknown: 'unknown',
  'left-behind': 'unsupported',
  foreign: 'foreign',
};

/** A plan's changes in the graph that stands: each is its edge's mark at its target, with the reason beside it. Pure. */
export function planGraph(changes: readonly PlanChange[], standing: Graph): Graph {
  const nodes = new Map<string, GraphNode>(standing.nodes.map((node) => [node.id, node]));
  const ids = new Map(
    standing.nodes.flatMap((node) => [node.id, ...node.names].map((name) => [name, node.id] as const)),
  );
  const edges = new Map(standing.edges.map((edge) => [JSON.stringify([edge.from, edge.to]), edge]));
  for (const change of changes) {
    const [from, to] = [change.from, change.to].map((name) => {
      const id = ids.get(name) ?? ids.get(`${change.target.split('/')[0]}:${name}`) ?? name;
      if (!nodes.has(id)) nodes.set(id, { id, names: [] });
      return id;
    });
    if (from === undefined || to === undefined) continue;
    const key = JSON.stringify([from, to]);
    const edge = edges.get(key) ?? { from, to, declaredBy: [], targets: [] };
    edges.set(key, changed(edge, change));
  }
  return {
    nodes: [...nodes.values()].sort(by((node) => node.id)),
    edges: [...edges].sort(by(([key]) => key)).map(([, edge]) => edge),
  };
}

function changed(edge: GraphEdge, { owner, target, verdict, reason, columns, release }: PlanChange): GraphEdge {
  const known = edge.targets.find((at) => at.target === target);
  const told = [
    reason,
    columnsText('Columns added', columns?.add),
    columnsText('Columns removed', columns?.remove),
    release === undefined ? '' : `To let it go: POST ${release.path} ${JSON.stringify(release.body)}`,
  ];
  const at: EdgeAtTarget = {
    ...(known ?? { target, state: 'pending' }),
    outcome: MARK[verdict],
    advice: told.filter((text) => text !== '').join('. '),
  };
  const targets = [...edge.targets.filter((each) => each !== known), at].sort(by((each) => each.target));
  return { ...edge, declaredBy: [...new Set([...edge.declaredBy, owner])].sort(), targets };
}

const NAMED = 10;

function columnsText(what: string, pairs: readonly ColumnPair[] = []): string {
  if (pairs.length === 0) return '';
  const named = pairs.slice(0, NAMED).map(([from, to]) => `${from} → ${to}`);
  return `${what}: ${named.join(', ')}${pairs.length > NAMED ? ` and ${pairs.length - NAMED} more` : ''}`;
}
