import { wish } from '../core/claims.ts';
import type { Problem } from '../core/edge.ts';
import { answerOf, type VendorAnswer } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { smallest } from '../core/large-lists.ts';
import { has, positions, without } from '../core/mask.ts';
import { statusKey } from '../core/owner-key.ts';
import { refusedReason, withdrawalRefused } from '../core/refusal.ts';
import { adopted } from '../core/transition.ts';
import type { UnitState, UnitTable } from '../core/unit-state.ts';
import type { Manifests } from '../manifests/manifests.ts';
import { conflictOf } from './conflicts.ts';
import type { UnresolvedEdge } from './desired.ts';
import { writeJson } from './stored-json.ts';
import type { UnitResult } from './unit.ts';

export type EdgeOutcome =
  | 'registered'
  | 'unchanged'
  | 'deleted'
  | 'held'
  | 'unsupported'
  | 'unresolved'
  | 'conflict'
  | 'pending'
  | 'unknown'
  | 'failed';

export interface EdgeStatus {
  readonly target: string;
  readonly from: string;
  readonly to: string;
  readonly outcome: EdgeOutcome;
  readonly reason?: string;
  readonly receipt?: string;
  /** Of an unknown edge: from when on nothing can come of its call any more (ISO 8601), and only a person can tell. */
  readonly since?: string;
  /** What the vendor answered, where that is why. */
  readonly answer?: VendorAnswer;
}

export type OwnerStatus =
  /** Every target shows what the manifest says. */
  | 'converged'
  /** Work is left and goes on by itself. */
  | 'pending'
  /** A person has to release withdrawals. */
  | 'held'
  /** Settled, but some edges have no name at a vendor. */
  | 'incomplete'
  /** Settled, but a vendor refuses or cannot tell about some edges. */
  | 'failed'
  /** The manifest cannot be used; nothing was changed. */
  | 'invalid'
  /** The manifest is gone, and so is its lineage, as far as the vendors allow. */
  | 'withdrawn';

/** The answer beside a manifest: `status/<key>.json`. */
export interface StatusDocument {
  readonly owner: string;
  readonly at: string;
  readonly state: OwnerStatus;
  /** Its graph as a page, where `WEB_URL` says where pages are. */
  readonly page?: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly problems?: readonly Problem[];
  /** What waits for a person, since when (ISO 8601), and the request that releases it. */
  readonly held?: JsonObject;
  readonly edges: readonly EdgeStatus[];
  /** Keys of the documents that hold the edges beyond the first thousand. */
  readonly parts?: readonly string[];
}

/** Worst first: people read the top of the list. */
const ORDER: readonly EdgeOutcome[] = [
  'failed',
  'unknown',
  'held',
  'conflict',
  'unresolved',
  'pending',
  'unsupported',
  'deleted',
  'registered',
  'unchanged',
];

const EDGES_PER_DOCUMENT = 1_000;

/** An edge's end as people know it: its OpenLineage identity, else the vendor's name. */
export function labelOf(table: UnitTable, vendor: string): string {
  return table.dataset ?? `${vendor}:${table.name}`;
}

/** One unit's result as edges: a pair each. */
export function edgesOf(
  result: UnitResult,
  context: { since: number; withdrawn: boolean; hint: string },
): EdgeStatus[] {
  const { state } = result;
  if (state === undefined) return [];
  const { outcome, reason } = outcomeOf(result, state, context);
  const receipt = receiptOf(state);
  const since = outcome === 'unknown' && !result.open ? unknownSince(state) : undefined;
  const answer = BAD.has(outcome) ? answerBehind(result, state) : undefined;
  const rest = {
    ...(reason === undefined ? {} : { reason }),
    ...(receipt === undefined ? {} : { receipt }),
    ...(since === undefined ? {} : { since }),
    ...(answer === undefined ? {} : { answer }),
  };
  return state.from.flatMap((from) =>
    state.to.map((to) => ({
      target: result.target,
      from: labelOf(from, state.vendor),
      to: labelOf(to, state.vendor),
      outcome,
      ...rest,
    })),
  );
}

const BAD: ReadonlySet<EdgeOutcome> = new Set(['failed', 'pending', 'unknown']);

/** The vendor's answer that an edge is not settled for. */
function answerBehind({ open }: UnitResult, state: UnitState): VendorAnswer | undefined {
  const now = open?.failure && answerOf(open.failure);
  return now ?? state.refusal?.answer ?? state.lastFailure?.answer;
}

function outcomeOf(
  result: UnitResult,
  state: UnitState,
  context: { since: number; withdrawn: boolean; hint: string },
): { outcome: EdgeOutcome; reason?: string } {
  if (result.open) {
    const { failure, reason } = result.open;
    if (state.uncertain.length > 0 && currentNode(state) === undefined) {
      return {
        outcome: 'unknown',
        reason:
          result.open.until === undefined || result.open.waiting || failure
            ? `${reason}; ${unknownReason(state)}`
            : waitingReason(state, result.open.until),
      };
    }
    if (result.open.waiting) {
      const last = state.refusal?.message ?? state.lastFailure?.message;
      return { outcome: 'pending', reason: last === undefined ? reason : `${reason}. The last answer was: ${last}` };
    }
    const failed = state.refusal !== undefined || (failure !== undefined && !failure.retryable);
    return { outcome: failed ? 'failed' : 'pending', reason };
  }
  const others = Object.keys(state.claims);
  if (context.withdrawn && others.length > 0 && !withdrawalRefused(state)) {
    return { outcome: 'unchanged', reason: `withdrawn here; still declared by ${others.slice(0, 3).join(', ')}` };
  }
  switch (result.done?.verdict) {
    case 'shown': {
      if (result.done.reason !== undefined) return { outcome: 'held', reason: result.done.reason };
      const conflict = conflictOf(state);
      if (conflict !== undefined) return { outcome: 'conflict', reason: conflict };
      const standing = adopted(state)
        ? 'adopted: it was there before, so it is never deleted'
        : leftovers(state, context.hint);
      const said = [standing, result.done.unread].filter((each) => each !== undefined);
      const reason = said.length === 0 ? undefined : said.join('; ');
      const outcome = (state.changedAt ?? 0) >= context.since ? 'registered' : 'unchanged';
      return reason === undefined ? { outcome } : { outcome, reason };
    }
    case 'gone':
      return { outcome: 'deleted', ...(result.done.unread === undefined ? {} : { reason: result.done.unread }) };
    case 'left-behind':
      if (state.nodes.length === 0 && state.uncertain.length > 0)
        return { outcome: 'unknown', reason: unknownReason(state) };
      return { outcome: 'unsupported', reason: result.done.reason ?? context.hint };
    case 'unknown':
      return { outcome: 'unknown', reason: unknownReason(state) };
    default:
      return { outcome: 'failed', reason: refusedReason(state) };
  }
}

/** What a vendor that cannot delete still shows besides what is wanted: name by name, so that nobody removes the wrong one. */
function leftovers(state: UnitState, hint: string): string | undefined {
  const current = currentNode(state);
  if (current === undefined) return undefined;
  const superseded = state.nodes.filter((node) => node !== current).map((node) => node.receipt);
  const extra = positions(without(current.mask, wish(state).mask)).length;
  const said: string[] = [];
  if (superseded.length > 0) said.push(`superseded and still there: ${superseded.join(', ')}; keep ${current.receipt}`);
  if (extra > 0)
    said.push(
      extra === 1
        ? '1 column edge that is no longer declared stays'
        : `${extra} column edges that are no longer declared stay`,
    );
  return said.length === 0 ? undefined : `${said.join('. ')}. ${hint}`;
}

/** The newest node that shows all that is wanted. */
function currentNode(state: UnitState): UnitState['nodes'][number] | undefined {
  const { mask } = wish(state);
  return state.nodes.findLast((node) => has(node.mask, mask));
}

function waitingReason(state: UnitState, until: number): string {
  const when = new Date(until).toISOString();
  return `no trustworthy answer came, and it may still be created until ${when}; then the vendor is asked. If that is not possible, say what you find there: npm run resolve -- ${state.id} --registered, or --resend`;
}

function unknownReason(state: UnitState): string {
  const tables = `${state.from.map((table) => table.name).join(', ')} -> ${state.to.map((table) => table.name).join(', ')}`;
  return `the vendor may have created it, but no trustworthy answer came, and a second one could not be removed. Look there for ${tables}; then say what you found: npm run resolve -- ${state.id} --registered, or --resend if it is not there`;
}

/** From the calls themselves, so that it is the same however often the unit is looked at. */
function unknownSince({ uncertain }: UnitState): string | undefined {
  if (uncertain.length === 0) return undefined;
  return new Date(Math.min(...uncertain.map((each) => each.until))).toISOString();
}

/** Since when (epoch ms) the first of these edges is unknown. They come worst first, so the first part of a long document has them. */
export function oldestUnknown(edges: readonly EdgeStatus[]): number | undefined {
  const times = edges.flatMap(({ since }) => (since === undefined ? [] : [Date.parse(since)]));
  return times.length === 0 ? undefined : smallest(times);
}

/** RequestId of the last call, or the qualified name of the node. */
function receiptOf(state: UnitState): string | undefined {
  return currentNode(state)?.receipt ?? state.nodes.at(-1)?.receipt ?? state.receipt;
}

export function unresolvedStatus(edge: UnresolvedEdge): EdgeStatus {
  const outcome = edge.unreachable ? 'pending' : 'unresolved';
  return { target: edge.target, from: edge.from, to: edge.to, outcome, reason: edge.reason };
}

/** Orders edges, worst first, and counts them. */
export function statusDocument(
  input: Pick<StatusDocument, 'owner' | 'at' | 'state' | 'page' | 'problems' | 'held'> & {
    readonly edges: readonly EdgeStatus[];
  },
): StatusDocument {
  const rank = new Map(ORDER.map((outcome, index) => [outcome, index]));
  const edges = [...input.edges].sort(
    (a, b) =>
      (rank.get(a.outcome) ?? 0) - (rank.get(b.outcome) ?? 0) ||
      compare(a.target, b.target) ||
      compare(a.to, b.to) ||
      compare(a.from, b.from),
  );
  const counts: Record<string, number> = {};
  for (const edge of edges) counts[edge.outcome] = (counts[edge.outcome] ?? 0) + 1;
  const { owner, at, state, page, problems, held } = input;
  return {
    owner,
    at,
    state,
    ...(page === undefined ? {} : { page }),
    counts,
    ...(problems && problems.length > 0 ? { problems } : {}),
    ...(held ? { held } : {}),
    edges,
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Writes the document, in numbered parts when it is long; the first part names the others. */
export async function writeStatus(manifests: Manifests, document: StatusDocument): Promise<StatusDocument> {
  const key = statusKey(document.owner);
  const rest: string[] = [];
  for (let start = EDGES_PER_DOCUMENT; start < document.edges.length; start += EDGES_PER_DOCUMENT) {
    const part = statusKey(document.owner, rest.length + 2);
    const edges = document.edges.slice(start, start + EDGES_PER_DOCUMENT);
    const { owner, at } = document;
    await writeJson(manifests, part, { owner, at, part: rest.length + 2, edges }, 2);
    rest.push(part);
  }
  const first: StatusDocument = {
    ...document,
    edges: document.edges.slice(0, EDGES_PER_DOCUMENT),
    ...(rest.length > 0 ? { parts: rest } : {}),
  };
  await writeJson(manifests, key, first, 2);
  return first;
}
