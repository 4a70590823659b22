import type { Graph } from '../core/graph.ts';
import { LOOKS, makerOf, statesOf, visible, worstOf } from './words.ts';

const STYLES: Readonly<Record<keyof typeof LOOKS, string>> = {
  registered: 'solid',
  pending: 'dashed',
  unknown: 'dotted',
  held: 'dashed',
  unsupported: 'dashed',
  failed: 'bold',
  conflict: 'bold',
  drifted: 'bold',
  withdraw: 'dashed',
  unresolved: 'dotted',
  update: 'dashed',
  create: 'dashed',
  adopt: 'dashed',
  foreign: 'dotted',
};

/** The graph for Graphviz. */
export function dot(graph: Graph): string {
  const lines = ['digraph lineage {', '  rankdir=LR;', '  node [shape=box, style=rounded];'];
  const ids = new Map(graph.nodes.map((node, at) => [node.id, `n${at}`]));
  for (const node of graph.nodes) {
    const more = node.more ? node.more.upstream + node.more.downstream : 0;
    lines.push(`  ${ids.get(node.id)} [label="${quoted(node.id)}${more > 0 ? `\\n${more} more` : ''}"];`);
  }
  for (const edge of graph.edges) {
    const states = statesOf(edge).map(({ target, outcome }) => `${target} ${LOOKS[outcome].word}`);
    const columns = (edge.columns ?? []).map(({ from, to, direct }) => `${from} ${direct ? '->' : '~>'} ${to}`);
    const label = [makerOf(edge), states.join(', '), ...columns]
      .filter((each) => each !== '')
      .map(quoted)
      .join('\\n');
    lines.push(`  ${ids.get(edge.from)} -> ${ids.get(edge.to)} [label="${label}", style=${STYLES[worstOf(edge)]}];`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

/** Any text in a quoted label, where Graphviz reads `\n`, `\N` and HTML entities (Graphviz, The DOT Language and escString, read 2026-11). */
function quoted(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => visible(line).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('&', '&amp;'))
    .join('\\n');
}
