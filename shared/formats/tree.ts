import type { Graph, GraphEdge } from '../core/graph.ts';
import { LOOKS, makerOf, statesOf, visible } from './words.ts';

/** The graph as an indented tree from one dataset, for a terminal. What was shown before is not unfolded again, so cycles end. */
export function treeOf(graph: Graph, start: string, directions: readonly ('upstream' | 'downstream')[]): string {
  const root = graph.nodes.find((node) => node.id === start || node.names.includes(start))?.id ?? start;
  const lines = [visible(root)];
  for (const direction of directions) {
    if (directions.length > 1) lines.push(direction === 'upstream' ? 'comes from' : 'feeds');
    const before = lines.length;
    branch(graph, root, direction, '', new Set([root]), lines);
    if (lines.length === before) lines.push('└─ (nothing)');
  }
  return `${lines.join('\n')}\n`;
}

function branch(
  graph: Graph,
  id: string,
  direction: 'upstream' | 'downstream',
  indent: string,
  seen: Set<string>,
  lines: string[],
): void {
  const [near, far] = direction === 'upstream' ? (['to', 'from'] as const) : (['from', 'to'] as const);
  const edges = graph.edges.filter((edge) => edge[near] === id);
  const more = graph.nodes.find((node) => node.id === id)?.more;
  const left = more?.[direction] ?? 0;
  edges.forEach((edge, at) => {
    const last = at === edges.length - 1 && left === 0;
    const other = edge[far];
    const again = seen.has(other);
    seen.add(other);
    lines.push(`${indent}${last ? '└─ ' : '├─ '}${visible(other)}  ${about(edge)}${again ? '  (shown above)' : ''}`);
    const inner = indent + (last ? '   ' : '│  ');
    for (const { from, to, direct } of edge.columns ?? [])
      lines.push(`${inner}· ${visible(from)} → ${visible(to)}${direct ? '' : ' (not direct)'}`);
    if (!again) branch(graph, other, direction, inner, seen, lines);
  });
  if (left > 0) lines.push(`${indent}└─ … ${left}${more?.atLeast ? '+' : ''} more`);
}

function about(edge: GraphEdge): string {
  const states = statesOf(edge).map(
    ({ target, outcome }) =>
      `${target} ${LOOKS[outcome].glyph}${outcome === 'registered' ? '' : ` ${LOOKS[outcome].word}`}`,
  );
  const maker = makerOf(edge);
  return `[${states.join(', ')}]${maker === '' ? '' : `  ${visible(maker)}`}`;
}
