import type { Graph } from '../../shared/core/graph.ts';

/** Names that break documents which are put together carelessly. */
export const AWKWARD = [
  '"><script>alert(1)</script>',
  `quo"te's`,
  'line\nbreak',
  'pipe|d {brace} [bracket] (round); %%{init: {}}%%',
  '\u202eright to left\u202c',
  '订单汇总',
  '=HYPERLINK("http://x")',
  'back\\slash \\N &lt; &amp;',
  '1. list `code` **bold** #quot; #35; style fill:#f00;',
  'end',
  'ns://host/a/b.c-d_e',
  '-->',
  ']]> <!-- -->',
] as const;

/** A chain through all of them, a cycle at the end, columns of the same names. */
export function awkwardGraph(): Graph {
  const ids = AWKWARD.map((name) => `maxcompute://cn/${name}`);
  const pairs = ids.map((id, at) => [id, ids[(at + 1) % ids.length] ?? id] as const);
  return {
    nodes: ids.map((id, at) => ({
      id,
      names: [`dataphin:${AWKWARD[at]}`],
      ...(at === 0 ? { more: { upstream: 2, downstream: 0 } } : {}),
    })),
    edges: pairs.map(([from, to], at) => ({
      from,
      to,
      declaredBy: [`manifests/${AWKWARD[at]}.yaml`],
      jobs: at % 2 === 0 ? [`airflow/${AWKWARD[at]}`] : [],
      targets: [
        { target: 'dataphin', state: 'shown', outcome: 'registered', receipt: '@receipt' },
        {
          target: 'dataarts',
          state: 'failed',
          outcome: 'failed',
          failure: { kind: 'rejected', message: AWKWARD[at] ?? '', at: '2026-11-20T00:00:00.000Z' },
        },
      ],
      columns: [{ from: AWKWARD[at] ?? '', to: AWKWARD[(at + 1) % AWKWARD.length] ?? '', direct: at % 3 !== 0 }],
    })),
  };
}
