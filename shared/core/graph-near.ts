import type { Graph } from './graph.ts';

/** The part of a graph within so many edges of some datasets. Cycles end. */
export function nearGraph<G extends Graph>(
  graph: G,
  starts: readonly string[],
  direction: 'upstream' | 'downstream' | 'both',
  depth: number,
): G {
  const near = new Set<string>();
  const kept = new Set<G['edges'][number]>();
  for (const way of direction === 'both' ? (['upstream', 'downstream'] as const) : [direction]) {
    const [here, there] = way === 'upstream' ? (['to', 'from'] as const) : (['from', 'to'] as const);
    const beside = Map.groupBy(graph.edges, (edge) => edge[here]);
    const seen = new Set(starts);
    let frontier = [...starts];
    for (let step = 0; step < depth && frontier.length > 0; step += 1) {
      const edges = frontier.flatMap((id) => beside.get(id) ?? []);
      frontier = [];
      for (const edge of edges) {
        kept.add(edge);
        if (seen.has(edge[there])) continue;
        seen.add(edge[there]);
        frontier.push(edge[there]);
      }
    }
    for (const id of seen) near.add(id);
  }
  return {
    ...graph,
    nodes: graph.nodes.filter((node) => near.has(node.id)),
    edges: graph.edges.filter((edge) => kept.has(edge)),
  };
}
