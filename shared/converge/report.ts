import { wish } from '../core/claims.ts';
import type { Problem } from '../core/edge.ts';
import type { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { append } from '../core/large-lists.ts';
import { NONE } from '../core/mask.ts';
import { statusKey } from '../core/owner-key.ts';
import { refusedReason, withdrawalRefused } from '../core/refusal.ts';
import type { UnitState } from '../core/unit-state.ts';
import { edgeMetric } from '../metrics.ts';
import type { Decision } from './decide.ts';
import type { ConvergeDeps, Target, Targets } from './deps.ts';
import type { Desired } from './desired.ts';
import { changesUnsent, keptByMode, reportOnly, withdrawalUnsent } from './modes.ts';
import type { OwnerState } from './owner.ts';
import {
  type EdgeStatus,
  edgesOf,
  labelOf,
  type OwnerStatus,
  type StatusDocument,
  statusDocument,
  unresolvedStatus,
  writeStatus,
} from './status.ts';
import type { UnitResult } from './unit.ts';

interface Input {
  readonly owner: string;
  readonly desired: Desired;
  readonly decision: Decision;
  readonly results: readonly UnitResult[];
  readonly targets: Targets;
  readonly since: number;
  /** What its row says before this convergence is written down. */
  readonly state: Pick<OwnerState, 'held'>;
  readonly work: { readonly deps: ConvergeDeps };
}

const NAMELESS =
  'still shown under the name it was registered with; it is not withdrawn, because an edge of this manifest has lost its name';
const OUT_OF_REACH = 'registered in an account that cannot be reached now; nothing is withdrawn there';

/** Writes down, beside the manifest, how each of its edges fared at each target. */
export async function report(input: Input): Promise<StatusDocument> {
  const { owner, desired, decision, results, targets, since } = input;
  const { deps } = input.work;
  const hints = new Map(targets.list.map((target) => [target.name, hintOf(target)]));
  const settleOnly = new Set(decision.settle.map((each) => each.id));
  const edges: EdgeStatus[] = [];
  for (const result of results) {
    if (settleOnly.has(result.id)) continue;
    const withdrawn = !decision.claims.has(result.id);
    edges.push(...edgesOf(result, { since, withdrawn, hint: hints.get(result.target) ?? '' }));
  }
  const reported = new Set(results.filter((each) => !settleOnly.has(each.id)).map((each) => each.id));
  for (const id of decision.left) {
    const state = decision.states.get(id);
    if (state && !reported.has(id)) edges.push(...plain(state, 'unsupported', hints.get(state.target) ?? ''));
  }
  const release = `POST /reconcile {"release":"${decision.holdId}"}`;
  for (const id of decision.held) {
    const state = decision.states.get(id);
    if (state) edges.push(...plain(state, 'held', `${decision.holdReason}; to withdraw it: ${release}`));
  }
  for (const { unit, target } of decision.heldClaims) {
    const reason = `first contact with ${target.name}; to register it: ${release}`;
    edges.push(...plain({ ...unit, vendor: target.vendor.name, target: target.name }, 'held', reason));
  }
  const byMode = new Set(desired.kind === 'unreadable' ? [] : keptByMode(decision, targets));
  append(edges, heldByMode(decision, owner, targets, byMode));
  const kept = [...decision.kept].filter((id) => !byMode.has(id));
  const problems: Problem[] = [];
  if (desired.kind === 'declared') {
    append(edges, desired.unresolved.map(unresolvedStatus));
    append(problems, desired.problems);
    const reachable = new Set(targets.list.map((target) => target.account));
    for (const id of kept) {
      const state = decision.states.get(id);
      if (state) edges.push(...left(state, 'unchanged', reachable.has(state.account) ? NAMELESS : OUT_OF_REACH));
    }
  } else if (desired.kind === 'unreadable') {
    append(problems, desired.problems);
    for (const id of kept) {
      const state = decision.states.get(id);
      if (state) edges.push(...left(state, 'unchanged', `${unusable(desired.problems)}, so nothing was changed`));
    }
  } else {
    for (const id of kept) {
      const state = decision.states.get(id);
      if (state)
        edges.push(...left(state, 'pending', `${state.target} is not configured; nothing was withdrawn there`));
    }
  }
  const before = input.state.held;
  const held: JsonObject | undefined =
    decision.holdId === ''
      ? undefined
      : {
          id: decision.holdId,
          reason: decision.holdReason,
          since: new Date(before?.id === decision.holdId ? before.at : deps.now()).toISOString(),
          release: { method: 'POST', path: '/reconcile', body: { release: decision.holdId } },
        };
  const { webUrl } = deps.settings;
  const document = statusDocument({
    owner,
    at: new Date(deps.now()).toISOString(),
    state: stateOf(input, edges),
    ...(webUrl === undefined ? {} : { page: `${webUrl}/lineage?${new URLSearchParams({ owner, format: 'html' })}` }),
    problems,
    ...(held ? { held } : {}),
    edges,
  });
  for (const { outcome, target } of edges) deps.metrics?.addFor(edgeMetric(outcome), target, 1);
  return writeStatus(deps.manifests, document);
}

function stateOf({ desired, decision, results }: Input, edges: readonly EdgeStatus[]): OwnerStatus {
  if (desired.kind === 'unreadable') return 'invalid';
  if (results.some((each) => each.open)) return 'pending';
  if (decision.holdId !== '' || edges.some((edge) => edge.outcome === 'held')) return 'held';
  if (edges.some((edge) => edge.outcome === 'failed' || edge.outcome === 'unknown')) return 'failed';
  if (desired.kind === 'absent') return decision.kept.size > 0 ? 'pending' : 'withdrawn';
  if (edges.some((edge) => edge.outcome === 'pending')) return 'pending';
  return edges.some((edge) => edge.outcome === 'unresolved') ? 'incomplete' : 'converged';
}

function unusable(problems: readonly Problem[]): string {
  const [first] = problems;
  return first?.path.startsWith('naming.yaml')
    ? `naming.yaml cannot be used (${first.message})`
    : 'the manifest cannot be used';
}

/** What is not done at targets whose mode does not let it. */
function heldByMode(decision: Decision, owner: string, targets: Targets, kept: ReadonlySet<string>): EdgeStatus[] {
  const edges = decision.reported.flatMap(({ unit, target }) => {
    const state = decision.states.get(unit.id);
    const reason = changesUnsent({ unit, target }, state, owner);
    const named = { ...unit, vendor: target.vendor.name, target: target.name };
    return reason === undefined ? plain(named, 'unchanged', reportOnly(target)) : plain(named, 'held', reason);
  });
  const byAccount = new Map(targets.list.map((target) => [target.account, target]));
  const declared = new Set(decision.reported.map((each) => each.unit.id));
  for (const id of kept) {
    const state = decision.states.get(id);
    const target = byAccount.get(state?.account ?? '');
    if (state && target && !declared.has(id)) edges.push(...plain(state, 'held', withdrawalUnsent(target)));
  }
  return edges;
}

/** An edge that is left as it is; what the vendor refused to take back stays in sight as such. */
function left(state: UnitState, outcome: EdgeStatus['outcome'], reason: string): EdgeStatus[] {
  if (!withdrawalRefused(state) || wish(state).mask !== NONE) return plain(state, outcome, reason);
  return plain(state, 'failed', refusedReason(state));
}

type Named = Pick<UnitState, 'from' | 'to' | 'vendor' | 'target'>;

function plain(unit: Named, outcome: EdgeStatus['outcome'], reason: string): EdgeStatus[] {
  return unit.from.flatMap((from) =>
    unit.to.map((to) => ({
      target: unit.target,
      from: labelOf(from, unit.vendor),
      to: labelOf(to, unit.vendor),
      outcome,
      reason,
    })),
  );
}

function hintOf(target: Target): string {
  return (
    target.vendor.abilities.withdrawHint ?? `${target.vendor.title} cannot take lineage back; remove it there by hand`
  );
}

/** Fewer units than this are done before anybody could read that they have begun. */
const WORTH_ANNOUNCING = 25;

/** Says beside a manifest that a long convergence has begun; how each edge fared follows. */
export async function announce(owner: string, decision: Decision, deps: ConvergeDeps): Promise<void> {
  const pending = decision.claims.size + decision.withdraw.length;
  if (pending < WORTH_ANNOUNCING) return;
  const at = new Date(deps.now()).toISOString();
  const document = statusDocument({ owner, at, state: 'pending', edges: [] });
  await writeStatus(deps.manifests, { ...document, counts: { pending } });
}

const LOST =
  'the ledger is empty beside status documents, so nobody knows what is registered already; nothing is sent until somebody confirms with npm run adopt';

/** Says beside a manifest, once, that nothing happens because the ledger was lost. */
export async function reportLost(owner: string, deps: ConvergeDeps): Promise<void> {
  const before = await deps.manifests.get(statusKey(owner));
  if (before && Buffer.from(before.bytes).toString('utf8').includes(LOST)) return;
  const at = new Date(deps.now()).toISOString();
  const problems = [{ path: '', message: LOST }];
  await writeStatus(deps.manifests, statusDocument({ owner, at, state: 'held', problems, edges: [] }));
  deps.log.error('the ledger was lost; nothing is sent until npm run adopt', { owner });
}

/** Says beside a manifest that it cannot be read at all; nothing was changed. */
export async function reportUnreadable(owner: string, failure: Failure, deps: ConvergeDeps): Promise<void> {
  const at = new Date(deps.now()).toISOString();
  const problems = [{ path: '', message: failure.message }];
  await writeStatus(deps.manifests, statusDocument({ owner, at, state: 'invalid', problems, edges: [] }));
}
