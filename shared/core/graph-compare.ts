import type { Outcome } from './edge-outcome.ts';
import type { ColumnPair, ComparedAt, EdgeAtTarget, GraphColumn, GraphEdge } from './graph.ts';

/** What a target itself shows of an edge; `columns` where it tells them. */
export interface ShownEdge {
  readonly columns?: readonly ColumnPair[];
}

/** Outcomes in which the ledger counts on the vendor showing the edge. */
const COUNTED_ON: ReadonlySet<string> = new Set(['registered', 'held', 'conflict', 'unsupported']);

/** How an edge stands at one target, in the ledger and at the vendor. `shown`: undefined when not shown, null when it could not be asked. */
export function comparedAt(
  target: string,
  edge: GraphEdge | undefined,
  shown: ShownEdge | undefined | null,
): ComparedAt {
  // What has no name there cannot be asked for, and does not wait either.
  const here = edge?.targets.filter((each) => each.target === target && each.outcome !== 'unresolved') ?? [];
  const ledger = (here[0]?.outcome as Outcome | undefined) ?? null;
  const known = here.some((each) => COUNTED_ON.has(each.outcome ?? ''));
  const verdict = verdictOf(ledger !== null, known, shown);
  const columns = shown?.columns && known && edge?.columns ? difference(edge.columns, shown.columns) : undefined;
  return {
    target,
    ledger,
    shown: shown === null ? null : shown !== undefined,
    verdict,
    ...(columns === undefined ? {} : { columns }),
  };
}

function verdictOf(declared: boolean, known: boolean, shown: ShownEdge | undefined | null): ComparedAt['verdict'] {
  if (shown === null) return 'unread';
  if (shown !== undefined) return declared ? 'same' : 'extra';
  if (known) return 'missing';
  return declared ? 'waiting' : 'absent';
}

function difference(ledger: readonly GraphColumn[], shown: readonly ColumnPair[]): ComparedAt['columns'] {
  const key = (from: string, to: string) => JSON.stringify([from, to]);
  const [ours, theirs] = [
    new Map(ledger.map(({ from, to }) => [key(from, to), [from, to] as const])),
    new Map(shown.map(([from, to]) => [key(from, to), [from, to] as const])),
  ];
  const without = (all: typeof ours, others: typeof ours) =>
    [...all].filter(([each]) => !others.has(each)).map(([, pair]) => pair);
  return { missing: without(ours, theirs), extra: without(theirs, ours) };
}

/** The edge with what the comparison says: differences become the marks that every format shows. */
export function comparedEdge(edge: GraphEdge, compared: readonly ComparedAt[]): GraphEdge {
  const targets = edge.targets.map((at): EdgeAtTarget => {
    const verdict = compared.find((each) => each.target === at.target);
    const columns = verdict?.columns?.missing.length ?? 0;
    if (verdict?.verdict !== 'missing' && columns === 0) return at;
    const what = columns === 0 ? 'it' : `${columns} of its columns`;
    return {
      ...at,
      outcome: 'drifted',
      advice: `It is registered, but ${at.target} does not show ${what} now. Look who removed it there; the plan (GET /plan) says whether it would be registered again.`,
    };
  });
  for (const { target, verdict } of compared) {
    if (verdict !== 'extra') continue;
    const advice = `${target} shows it, and no manifest declares it there. It is left alone; declare it to have it looked after.`;
    targets.push({ target, state: 'shown', outcome: 'foreign', advice });
  }
  return { ...edge, targets: targets.sort((a, b) => (a.target < b.target ? -1 : 1)), compared };
}
