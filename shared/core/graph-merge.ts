import type { Graph, GraphEdge, GraphNode } from './graph.ts';
import { by } from './order.ts';
import { groupNames } from './same-names.ts';

/** Two answers as one graph; datasets that share a name are one, and of what both tell the second counts. */
export function mergedGraph(first: Graph, second: Graph): Graph {
  const all = [...first.nodes, ...second.nodes];
  const identities = new Set(all.filter((node) => !node.names.includes(node.id)).map((node) => node.id));
  const ids = new Set(all.map((node) => node.id));
  const groups = groupNames(
    all.map((node) => [node.id, ...node.names]),
    (name) => identities.has(name),
    (name) => ids.has(name),
  );
  const nodes = new Map<string, GraphNode>();
  for (const node of all) {
    const id = groups.idOf(node.id);
    nodes.set(id, { ...node, id, names: groups.othersOf(id) });
  }
  const edges = new Map<string, GraphEdge>();
  for (const edge of [...first.edges, ...second.edges]) {
    const [from, to] = [groups.idOf(edge.from), groups.idOf(edge.to)];
    edges.set(JSON.stringify([from, to]), { ...edge, from, to });
  }
  return {
    nodes: [...nodes.values()].sort(by((node) => node.id)),
    edges: [...edges].sort(by(([key]) => key)).map(([, edge]) => edge),
  };
}

/**
 * The part of a graph nearest to a dataset (or to its first ones), with at most so many datasets; where it ends, `more` counts what was
 * left out, too.
 */
export function nearest(graph: Graph, focus: string | undefined, most: number): Graph {
  if (graph.nodes.length <= most) return graph;
  const beside = new Map<string, string[]>();
  for (const { from, to } of graph.edges) {
    beside.set(from, [...(beside.get(from) ?? []), to]);
    beside.set(to, [...(beside.get(to) ?? []), from]);
  }
  const kept = new Set<string>();
  const starts = [...(focus === undefined ? [] : [focus]), ...graph.nodes.map((node) => node.id)];
  for (const start of starts) {
    if (kept.size >= most) break;
    const seen = new Set([start]);
    for (const id of seen) {
      if (kept.size >= most) break;
      kept.add(id);
      for (const next of beside.get(id) ?? []) seen.add(next);
    }
  }
  const left = new Map<string, { upstream: number; downstream: number }>();
  const count = (id: string) => {
    const known = left.get(id) ?? { upstream: 0, downstream: 0 };
    left.set(id, known);
    return known;
  };
  for (const { from, to } of graph.edges) {
    if (kept.has(from) && !kept.has(to)) count(from).downstream += 1;
    if (kept.has(to) && !kept.has(from)) count(to).upstream += 1;
  }
  return {
    nodes: graph.nodes
      .filter((node) => kept.has(node.id))
      .map((node) => {
        const more = left.get(node.id);
        if (more === undefined) return node;
        const { upstream = 0, downstream = 0, ...rest } = node.more ?? {};
        return {
          ...node,
          more: { ...rest, upstream: upstream + more.upstream, downstream: downstream + more.downstream },
        };
      }),
    edges: graph.edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
  };
}
