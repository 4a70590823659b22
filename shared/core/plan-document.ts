import { digest } from './digest.ts';
import { by } from './order.ts';

/**
 * What would happen to one edge at one target, or how it stands there:
 *
 * - `failed` the vendor refuses it; nothing is sent until its manifest or the vendor changes
 * - `held` it would change, but waits for a person, or its target's mode does not let it
 * - `withdraw` no manifest declares it any more; it is deleted
 * - `drifted` the vendor shows something else than what was registered; it is corrected
 * - `update` columns or options change
 * - `create` it is registered
 * - `adopt` the vendor shows it already; it is registered, and never deleted
 * - `conflict` shown, but manifests say different things about it
 * - `unresolved` the vendor has no name for it, or its target cannot be used
 * - `unknown` a call may or may not have been carried out
 * - `left-behind` no longer declared, but the vendor cannot delete, so it stays
 * - `foreign` the vendor shows it, and not by our doing; it is not touched
 */
export type PlanVerdict =
  | 'failed'
  | 'held'
  | 'withdraw'
  | 'drifted'
  | 'update'
  | 'create'
  | 'adopt'
  | 'conflict'
  | 'unresolved'
  | 'unknown'
  | 'left-behind'
  | 'foreign';

/** Worst and most final first; the order of a plan's changes within an owner and of its summary. */
export const PLAN_VERDICTS: readonly PlanVerdict[] = [
  'failed',
  'held',
  'withdraw',
  'drifted',
  'update',
  'create',
  'adopt',
  'conflict',
  'unresolved',
  'unknown',
  'left-behind',
  'foreign',
];

/** Verdicts that applying the plan acts on. */
const ACTIONS: ReadonlySet<PlanVerdict> = new Set(['withdraw', 'drifted', 'update', 'create', 'adopt']);

/** `[from column, to column]` */
export type ColumnPair = readonly [string, string];

/** What lets a held change go: send it exactly like this. */
export interface PlanRelease {
  readonly id: string;
  /** Since when it is held (ISO 8601). */
  readonly since: string;
  readonly method: 'POST';
  readonly path: '/reconcile';
  readonly body: { readonly release: string };
}

/** One edge at one target. What is unchanged is only counted. */
export interface PlanChange {
  /** Key of the manifest, e.g. `manifests/orders.yaml`. */
  readonly owner: string;
  /** `dataphin`, `dataarts/finance` */
  readonly target: string;
  /** `namespace/name`, else the vendor's name (`dataphin:odps.1.p.t`). */
  readonly from: string;
  readonly to: string;
  readonly verdict: PlanVerdict;
  readonly reason: string;
  readonly columns?: { readonly add: readonly ColumnPair[]; readonly remove: readonly ColumnPair[] };
  readonly release?: PlanRelease;
  /** True when it was so before, and applying the plan changes nothing about it. */
  readonly standing?: true;
}

/** A manifest, `naming.yaml` or a target (`owner` is its name) that cannot be used; nothing of it changes. */
export interface PlanProblem {
  readonly owner: string;
  readonly path: string;
  readonly message: string;
  readonly line?: number;
}

export type PlanSummary = Readonly<Record<PlanVerdict | 'unchanged', number>>;

/** A plan as a value: ordered, stable, and named by its checksum. */
export interface PlanDocument {
  readonly version: 1;
  /** Of everything below besides `at` and `etaSeconds`: equal checksums, equal plans. */
  readonly checksum: string;
  /** When it was made (ISO 8601). */
  readonly at: string;
  /** Manifests that were looked at. */
  readonly owners: number;
  /** Edges per verdict. */
  readonly summary: PlanSummary;
  /** Vendor calls that applying it takes, per target. */
  readonly calls: Readonly<Record<string, number>>;
  /** How long these calls take at least under the vendors' budgets; absent when no budget limits them. */
  readonly etaSeconds?: number;
  readonly changes: readonly PlanChange[];
  readonly problems: readonly PlanProblem[];
  /** What a deep plan could not read. */
  readonly notes?: readonly string[];
  /** Of each owner that applying the plan would converge, over what it wants, what the ledger knows and what was read. */
  readonly digests: Readonly<Record<string, string>>;
  /** Of each owner that was looked at and is as it should be: it has to be so still when the plan is applied. Not part of an answer. */
  readonly standing?: Readonly<Record<string, string>>;
  /** Present when it is limited to these owners. */
  readonly scope?: readonly string[];
  /** Vendors were asked what they show already; applying it asks them again. */
  readonly deep?: true;
  /** Made for manifests that are not in the bucket: it can be read, not applied. */
  readonly hypothetical?: true;
}

/** Calls a second and a day that an account allows; absent: no limit. */
export interface PlanBudget {
  readonly callsPerSecond?: number;
  readonly callsPerDay?: number;
  /** Of the day's calls (UTC), those that are spent already; none unless given. */
  readonly usedToday?: number;
}

/** Everything that makes a plan, before it is ordered and counted. */
export interface PlanParts {
  readonly at: string;
  readonly owners: number;
  readonly unchanged: number;
  readonly changes: readonly PlanChange[];
  readonly problems: readonly PlanProblem[];
  readonly notes?: readonly string[];
  readonly calls: Readonly<Record<string, number>>;
  readonly budgets: Readonly<Record<string, PlanBudget>>;
  /** Of the owners that applying it would converge. */
  readonly digests: Readonly<Record<string, string>>;
  /** Digest over the owners that are as they should be. */
  readonly settled: string;
  readonly standing?: Readonly<Record<string, string>>;
  readonly scope?: readonly string[];
  readonly deep?: boolean;
  readonly hypothetical?: boolean;
}

/** Orders, counts and names a plan. The same parts in any order give the same document. */
export function planDocument(parts: PlanParts): PlanDocument {
  const changes = sortedChanges(parts.changes);
  const problems = [...parts.problems].sort(by((each) => `${each.owner}\n${each.path}\n${each.message}`));
  const digests = sortedRecord(parts.digests);
  const calls = sortedRecord(parts.calls);
  const scope = parts.scope === undefined ? undefined : [...new Set(parts.scope)].sort();
  const eta = etaSeconds(calls, parts.budgets, Date.parse(parts.at));
  const named = [changes, problems, calls, digests, parts.owners, parts.unchanged, parts.settled, scope ?? null];
  return {
    version: 1,
    checksum: digest(JSON.stringify([...named, parts.deep === true, parts.hypothetical === true])),
    at: parts.at,
    owners: parts.owners,
    summary: summaryOf(changes, parts.unchanged),
    calls,
    ...(eta === undefined ? {} : { etaSeconds: eta }),
    changes,
    problems,
    ...(parts.notes && parts.notes.length > 0 ? { notes: parts.notes } : {}),
    digests,
    ...(parts.standing === undefined ? {} : { standing: parts.standing }),
    ...(scope === undefined ? {} : { scope }),
    ...(parts.deep ? { deep: true } : {}),
    ...(parts.hypothetical ? { hypothetical: true } : {}),
  };
}

/** Whether applying the plan, or a person's release, would change anything at a vendor or in what is held. */
export function isTodo(change: PlanChange): boolean {
  if (ACTIONS.has(change.verdict) || change.verdict === 'held') return true;
  return change.verdict === 'left-behind' && change.standing !== true;
}

/** Was so before, stays so, and nobody has anything to do about it: what a vendor that cannot delete keeps, what others registered. */
export function isPast({ verdict, standing }: PlanChange): boolean {
  return standing === true && (verdict === 'left-behind' || verdict === 'foreign');
}

/** Nothing to do: what is listed, if anything, only says how things stand. */
export function isEmpty(plan: Pick<PlanDocument, 'changes'>): boolean {
  return !plan.changes.some(isTodo);
}

function summaryOf(changes: readonly PlanChange[], unchanged: number): PlanSummary {
  const summary = Object.fromEntries(PLAN_VERDICTS.map((verdict) => [verdict, 0])) as Record<PlanVerdict, number>;
  for (const { verdict } of changes) summary[verdict] += 1;
  return { ...summary, unchanged };
}

const RANK: Readonly<Record<PlanVerdict, string>> = Object.fromEntries(
  PLAN_VERDICTS.map((verdict, at) => [verdict, String(at).padStart(2, '0')]),
) as Record<PlanVerdict, string>;

function sortedChanges(changes: readonly PlanChange[]): PlanChange[] {
  const keyed = changes.map((change) => {
    const { owner, verdict, target, to, from } = change;
    return { change, key: [owner, RANK[verdict], target, to, from, change.reason].join('\u0000') };
  });
  return keyed.sort(by((each) => each.key)).map((each) => each.change);
}

function sortedRecord<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(by(([key]) => key)));
}

const DAY_MS = 86_400_000;

/**
 * How long these calls take at least from `now` (epoch ms) on. Targets work side by side, so the slowest counts. What a day does not allow
 * goes on at the next midnight (UTC).
 */
export function etaSeconds(
  calls: Readonly<Record<string, number>>,
  budgets: Readonly<Record<string, PlanBudget>>,
  now: number,
): number | undefined {
  const times = Object.entries(calls).flatMap(([target, count]) => {
    const { callsPerSecond, callsPerDay, usedToday = 0 } = budgets[target] ?? {};
    if (count === 0 || (callsPerSecond === undefined && callsPerDay === undefined)) return [];
    const seconds = (some: number) => (callsPerSecond === undefined ? 0 : some / callsPerSecond);
    const today = callsPerDay === undefined ? count : Math.max(0, callsPerDay - usedToday);
    if (callsPerDay === undefined || count <= today) return [seconds(count)];
    const later = count - today;
    const fullDays = Math.ceil(later / callsPerDay) - 1;
    const midnight = (Math.floor(now / DAY_MS) + 1) * DAY_MS;
    return [(midnight - now + fullDays * DAY_MS) / 1_000 + seconds(later - fullDays * callsPerDay)];
  });
  return times.length === 0 ? undefined : Math.ceil(Math.max(...times));
}
