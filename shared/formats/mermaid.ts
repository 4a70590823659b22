import type { Graph } from '../core/graph.ts';
import { LOOKS, makerOf, statesOf, visible, worstOf } from './words.ts';

const LINKS: Readonly<Record<keyof typeof LOOKS, string>> = {
  registered: '-->',
  pending: '-.->',
  unknown: '-.->',
  held: '-.->',
  unsupported: '-.->',
  failed: '--x',
  conflict: '-->',
  drifted: '--x',
  withdraw: '-.->',
  unresolved: '-.->',
  update: '==>',
  create: '==>',
  adopt: '==>',
  foreign: '--o',
};

/** The graph as a Mermaid flowchart, for wikis and pull requests. */
export function mermaid(graph: Graph): string {
  const ids = new Map(graph.nodes.map((node, at) => [node.id, `n${at}`]));
  const nodes = graph.nodes.map((node) => {
    const left = [
      node.more && node.more.upstream > 0 ? `${node.more.upstream} more upstream` : '',
      node.more && node.more.downstream > 0 ? `${node.more.downstream} more downstream` : '',
    ].filter((each) => each !== '');
    const more = left.length === 0 ? '' : `<br/>${quoted(left.join(', '))}`;
    return `  ${ids.get(node.id)}["${quoted(node.id)}${more}"]`;
  });
  const edges = graph.edges.map((edge) => {
    const states = statesOf(edge).map(({ target, outcome }) => `${target} ${LOOKS[outcome].word}`);
    const label = [makerOf(edge), states.join(', ')]
      .filter((each) => each !== '')
      .map(quoted)
      .join('<br/>');
    const text = label === '' ? '' : `|"${label}"|`;
    return `  ${ids.get(edge.from)} ${LINKS[worstOf(edge)]}${text} ${ids.get(edge.to)}`;
  });
  const columns = graph.edges.flatMap((edge) =>
    (edge.columns ?? []).map(
      ({ from, to, direct }) =>
        `  %% ${commented(edge.from)} . ${commented(from)} ${direct ? '->' : '~>'} ${commented(edge.to)} . ${commented(to)}`,
    ),
  );
  return `${['flowchart LR', ...nodes, ...edges, ...columns].join('\n')}\n`;
}

/**
 * Any text inside a quoted Mermaid label. Mermaid reads quotes, `#`, `%%{`, markdown and HTML in there, so everything but letters, digits,
 * spaces and punctuation inside a word goes as a character code (Mermaid, Flowcharts: entity codes, read 2026-11).
 */
function quoted(text: string): string {
  return text
    .toWellFormed()
    .split(/\r\n|\r|\n/)
    .map((line) =>
      visible(line).replace(/(?<=[\p{L}\p{N}])[._/-](?=[\p{L}\p{N}])|[^\p{L}\p{N}\p{M} ]/gu, (found, at: number) =>
        /^[._/-]$/.test(found) &&
        at > 0 &&
        /[\p{L}\p{N}]/u.test(line[at - 1] ?? '') &&
        /[\p{L}\p{N}]/u.test(line[at + 1] ?? '')
          ? found
          : `#${found.codePointAt(0)};`,
      ),
    )
    .join('<br/>');
}

/** A comment ends with its line, and must not look like a directive. */
function commented(text: string): string {
  return visible(text).replace(/[{}%]/g, (found) => `#${found.codePointAt(0)};`);
}
