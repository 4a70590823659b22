import type { Graph, GraphEdge } from '../core/graph.ts';
import { outcomeAt } from './words.ts';

const HEAD = [
  'from',
  'to',
  'from_column',
  'to_column',
  'direct',
  'target',
  'outcome',
  'receipt',
  'manifests',
  'jobs',
  'registered_at',
  'changed_at',
  'failure',
];

/** The edges as CSV (RFC 4180): a row per edge, target and column pair. Datasets without an edge get a row of their own. */
export function csv(graph: Graph): string {
  const ends = new Set(graph.edges.flatMap((edge) => [edge.from, edge.to]));
  const alone = graph.nodes
    .filter((node) => !ends.has(node.id))
    .map((node) => [node.id, ...HEAD.slice(1).map(() => '')]);
  return [HEAD, ...graph.edges.flatMap(rowsOf), ...alone].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function rowsOf(edge: GraphEdge): string[][] {
  const columns = edge.columns && edge.columns.length > 0 ? edge.columns : [undefined];
  const targets = edge.targets.length > 0 ? edge.targets : [undefined];
  return columns.flatMap((column) =>
    targets.map((at) => [
      edge.from,
      edge.to,
      column?.from ?? '',
      column?.to ?? '',
      column === undefined ? '' : String(column.direct),
      at?.target ?? '',
      at === undefined ? '' : outcomeAt(at),
      at?.receipt ?? '',
      edge.declaredBy.join(' '),
      (edge.jobs ?? []).join(' '),
      at?.registeredAt ?? '',
      at?.changedAt ?? '',
      at?.failure?.message ?? '',
    ]),
  );
}

/**
 * Quoted always. A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection, read 2026-11),
 * which spreadsheets show as text.
 */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return `"${safe.toWellFormed().replaceAll('"', '""')}"`;
}
