import type { ComparedAt, EdgeAtTarget, Graph, GraphEdge } from '../core/graph.ts';
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

/** Of graphs in which vendors were compared with the ledger. */
const COMPARED = ['ledger', 'shown', 'verdict'];

/**
 * The edges as CSV (RFC 4180): a row per edge, target and column pair. Datasets without an edge get a row of their own. Where vendors
 * were compared, three columns more say what the ledger knows, whether the vendor shows it, and what that comes to.
 */
export function csv(graph: Graph): string {
  const ends = new Set(graph.edges.flatMap((edge) => [edge.from, edge.to]));
  const head = graph.edges.some((edge) => edge.compared !== undefined) ? [...HEAD, ...COMPARED] : HEAD;
  const alone = graph.nodes
    .filter((node) => !ends.has(node.id))
    .map((node) => [node.id, ...head.slice(1).map(() => '')]);
  return [head, ...graph.edges.flatMap(rowsOf), ...alone].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function rowsOf(edge: GraphEdge): string[][] {
  const columns = edge.columns && edge.columns.length > 0 ? edge.columns : [undefined];
  return columns.flatMap((column) =>
    placesOf(edge).map(({ target, at, compared }) => [
      edge.from,
      edge.to,
      column?.from ?? '',
      column?.to ?? '',
      column === undefined ? '' : String(column.direct),
      target,
      at === undefined ? '' : outcomeAt(at),
      at?.receipt ?? '',
      edge.declaredBy.join(' '),
      (edge.jobs ?? []).join(' '),
      at?.registeredAt ?? '',
      at?.changedAt ?? '',
      at?.failure?.message ?? '',
      ...(edge.compared === undefined
        ? []
        : [compared?.ledger ?? '', compared?.shown?.toString() ?? '', compared?.verdict ?? '']),
    ]),
  );
}

interface Place {
  readonly target: string;
  readonly at?: EdgeAtTarget;
  readonly compared?: ComparedAt;
}

/** What an edge is at each target; where vendors were compared, also at those that do not have it. */
function placesOf({ targets, compared = [] }: GraphEdge): readonly Place[] {
  const places: Place[] = targets.map((at) => {
    const found = compared.find((each) => each.target === at.target);
    return { target: at.target, at, ...(found === undefined ? {} : { compared: found }) };
  });
  for (const each of compared) {
    if (!targets.some((at) => at.target === each.target)) places.push({ target: each.target, compared: each });
  }
  return places.length > 0 ? places : [{ target: '' }];
}

/**
 * Quoted always. A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection, read 2026-11),
 * which spreadsheets show as text.
 */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return `"${safe.toWellFormed().replaceAll('"', '""')}"`;
}
