import type { Graph, GraphEdge } from './graph.ts';

/** What edges somebody wants to see; all that is given must fit, target and outcome at one and the same target. */
export interface EdgeFilter {
  /** Owner key, `manifests/orders.yaml`. */
  readonly owner?: string | undefined;
  /** `namespace/name` of a job, or its name alone. */
  readonly job?: string | undefined;
  readonly target?: string | undefined;
  readonly outcome?: string | undefined;
}

export function isFilter({ owner, job, target, outcome }: EdgeFilter): boolean {
  return [owner, job, target, outcome].some((each) => each !== undefined);
}

/** The graph with only the edges that fit, the datasets at their ends, and the dataset that was asked for. */
export function filtered<G extends Graph>(graph: G, filter: EdgeFilter, start?: string): G {
  if (!isFilter(filter)) return graph;
  const edges = graph.edges.filter((edge) => fits(edge, filter));
  const ends = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
  const nodes = graph.nodes.filter(
    ({ id, names }) => ends.has(id) || (start !== undefined && (id === start || names.includes(start))),
  );
  return { ...graph, nodes, edges };
}

function fits(edge: GraphEdge, { owner, job, target, outcome }: EdgeFilter): boolean {
  if (owner !== undefined && !edge.declaredBy.includes(owner)) return false;
  if (job !== undefined && !edge.jobs?.some((each) => each === job || each.endsWith(`/${job}`))) return false;
  if (target === undefined && outcome === undefined) return true;
  return edge.targets.some(
    (each) => (target === undefined || each.target === target) && (outcome === undefined || each.outcome === outcome),
  );
}
