import { columnsOf, covers, wish } from '../core/claims.ts';
import type { Drift } from '../core/drift.ts';
import { EDGE, has, NONE } from '../core/mask.ts';
import type { UnitState } from '../core/unit-state.ts';
import type { Target } from './deps.ts';
import { labelOf } from './status.ts';

/** An edge that the vendor does not show as the ledger believes. */
export interface Drifted {
  readonly id: string;
  readonly target: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly owners: readonly string[];
  /** `vanished`: it is not there; `columns`: some of its columns are not there; `returned`: columns are there again that we took away. */
  readonly kind: 'vanished' | 'columns' | 'returned';
  readonly columns: readonly (readonly [from: string, to: string])[];
  readonly reason: string;
}

/** Lineage that is not ours: reported, never touched. */
export interface ForeignLineage {
  readonly target: string;
  readonly from: string;
  readonly to: string;
  /** Of an edge of ours; absent when the whole edge is somebody else's. */
  readonly columns?: readonly (readonly [from: string, to: string])[];
}

export interface Verified {
  /** Edges compared with what the vendor shows. */
  readonly checked: number;
  readonly drifted: readonly Drifted[];
  readonly foreign: readonly ForeignLineage[];
  /** How many of the drifted the ledger now believes; their owners converge next. */
  readonly healed: number;
  /** What could not be compared, and why: by target. */
  readonly unreadable: readonly { readonly target: string; readonly edges: number; readonly reason: string }[];
  /** Edges that were not reached, because time or the budget for reading was up, and when it can go on (epoch ms). */
  readonly left: number;
  readonly resumeAt?: number;
}

/** What is to be told of a drift; undefined when the vendor shows all that is wanted. */
export function driftedOf(state: UnitState, drift: Drift): Drifted | undefined {
  const { returned, lost } = drift;
  const missing = drift.missing | drift.unshown;
  const { mask: wanted } = wish(state);
  const left = state.nodes.filter((node) => !lost.includes(node));
  const uncovered = lost.length > 0 && wanted !== NONE && !left.some((node) => covers(node.mask, wanted));
  if (missing === NONE && returned === NONE && !uncovered) return undefined;
  const vanished = has(missing, EDGE) || uncovered;
  const kind = vanished ? 'vanished' : missing === NONE ? 'returned' : 'columns';
  const columns = columnsOf(state, kind === 'returned' ? returned : missing).map(
    ({ from, to }) => [from.column, to.column] as const,
  );
  const reason = {
    vanished:
      lost.length > 0
        ? `${lost.map((node) => node.receipt).join(', ')} is not in the vendor's list any more`
        : 'the vendor does not show it',
    columns: `the vendor does not show ${columns.length} of its columns`,
    returned: `${columns.length} column(s) that were withdrawn are shown again`,
  }[kind];
  return {
    id: state.id,
    target: state.target,
    from: state.from.map((table) => labelOf(table, state.vendor)),
    to: state.to.map((table) => labelOf(table, state.vendor)),
    owners: Object.keys(state.claims).sort(),
    kind,
    columns,
    reason,
  };
}

const MOST_LISTED = 1_000;

export type Findings = ReturnType<typeof findings>;

/** Gathers what a verification finds. */
export function findings() {
  const drifted: Drifted[] = [];
  const foreign: ForeignLineage[] = [];
  const reasons = new Map<string, { target: string; edges: number; reason: string }>();
  let left = 0;
  let resumeAt: number | undefined;
  let checked = 0;
  let healed = 0;
  return {
    checked: () => {
      checked += 1;
    },
    healed: () => {
      healed += 1;
    },
    drifted: (each: Drifted) => void drifted.push(each),
    foreign: (target: Target, state: UnitState, drift: Drift) => {
      if (drift.foreign.length === 0 || foreign.length >= MOST_LISTED) return;
      const columns = drift.foreign.map(({ from, to }) => [from.column, to.column] as const);
      const ends = { from: state.from[0]?.name ?? '', to: state.to[0]?.name ?? '' };
      foreign.push({ target: target.name, ...ends, columns });
    },
    other: (each: ForeignLineage) => {
      if (foreign.length < MOST_LISTED) foreign.push(each);
    },
    cannot: (target: string, reason: string, edges: number) => {
      const key = `${target} ${reason}`;
      const known = reasons.get(key);
      if (known) known.edges += edges;
      else reasons.set(key, { target, edges, reason });
    },
    /** No more can be read before that time. */
    stop: (at: number) => {
      resumeAt = Math.min(resumeAt ?? at, at);
    },
    stopped: () => resumeAt !== undefined,
    skipped: (edges: number) => {
      left += edges;
    },
    result: (): Verified => ({
      checked,
      drifted,
      foreign,
      healed,
      unreadable: [...reasons.values()],
      left,
      ...(resumeAt === undefined ? {} : { resumeAt }),
    }),
  };
}
