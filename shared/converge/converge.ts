import { readWhole } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import { traced } from '../trace.ts';
import { assuming } from './adopt.ts';
import { commit } from './commit.ts';
import { decide, keepsAll, unitStates } from './decide.ts';
import type { ConvergeDeps, Targets } from './deps.ts';
import { desiredOf } from './desired.ts';
import { isSettled } from './due.ts';
import { finish } from './finish.ts';
import { decodeOwner, newOwner, type OwnerState, ownerKey } from './owner.ts';
import { type Decided, decisionDigest } from './owner-digest.ts';
import { announce, reportLost } from './report.ts';
import { settleUnits } from './settle.ts';
import { standingOf } from './vanish.ts';
import {
  type Converged,
  type ConvergeRequest,
  type Expected,
  goalHash,
  MAX_DELAY_MS,
  ownerRow,
  release,
  save,
  type Work,
} from './work.ts';

/**
 * Makes every target show what the owner's manifest says now. The only writer. Safe to call at any time, any number of times,
 * from anywhere: an event is a hint that something may have changed, never an instruction to apply.
 */
export function converge(request: ConvergeRequest, deps: ConvergeDeps): Promise<Converged> {
  return traced({ owner: request.owner }, async () => {
    const outcome = await rounds(request, deps);
    if (!('status' in outcome)) deps.log.debug('nothing was converged', { because: outcome.kind });
    return outcome;
  });
}

async function rounds(request: ConvergeRequest, deps: ConvergeDeps): Promise<Converged> {
  const work: Work = {
    request,
    deps,
    token: request.token ?? deps.id(),
    leaseUntil: request.deadlineMs + 2 * deps.settings.clockSkewMs + deps.settings.ledgerTimeoutMs,
    startedAt: deps.now(),
    chunks: new Map(),
    doubtful: false,
  };
  try {
    for (;;) {
      const outcome = await readWhole(() => round(work));
      if (outcome !== 'again') return outcome;
      if (deps.now() >= request.deadlineMs) return await handOver(work);
    }
  } catch (thrown) {
    await release(work);
    throw thrown;
  }
}

async function round(work: Work): Promise<Converged | 'again'> {
  const { deps, request } = work;
  const { owner } = request;
  if (await deps.ledgerCheck?.lost()) {
    // One that was adopted already keeps its status.
    if (!(await deps.ledger.get(ownerKey(owner)))) await reportLost(owner, deps);
    return { kind: 'lost' };
  }
  const [head, row, naming, targets] = await Promise.all([
    deps.manifests.head(owner),
    deps.ledger.get(ownerKey(owner)),
    deps.naming(),
    deps.targets(),
  ]);
  const state = row ? decodeOwner(row) : newOwner(owner);
  const mine = state.lease?.token === work.token;
  const leased = state.lease !== undefined && !mine && deps.alive(state.lease);
  if (request.ticket !== undefined && state.ticket !== request.ticket && !leased && !mine) return { kind: 'dropped' };
  if (!row && !head) return { kind: 'absent' };
  const seen = goalHash(head?.etag, naming, targets, deps.settings.deployment);
  if (!mine && request.look !== true && isSettled(state, seen, { now: deps.now(), askedAt: request.askedAt }))
    return { kind: 'unchanged' };
  if (leased && row) return (await markDirty(state, row, work)) ? { kind: 'busy' } : 'again';

  const declared = head ? await desiredOf(owner, naming, targets, deps) : ({ kind: 'absent' } as const);
  const desired = await assuming(declared, state, deps, work.chunks);
  if (head && desired.kind === 'absent') return 'again';
  // What counts is the content that is applied, which may be newer than the one first seen.
  const etag = desired.kind === 'absent' ? undefined : (desired.etag ?? head?.etag);
  const hash = goalHash(etag, naming, targets, deps.settings.deployment);
  const planned = request.expect?.verdicts;
  const verdicts =
    desired.kind === 'absent' ? (planned ?? (await awaitVerdicts(state, row, targets, work))) : undefined;
  if (verdicts === 'waiting') return { kind: 'waiting' };
  if (verdicts === 'again') return 'again';

  const decision = await decide({ state, desired, targets, verdicts, deps, chunks: work.chunks });
  if (request.expect && !(await isExpected({ owner, hash, desired, decision }, request.expect, deps))) {
    if (mine) await release(work);
    return { kind: 'differs' };
  }
  const since = state.goal?.hash === hash ? state.goal.since : work.startedAt;
  const { vanish: _v, judged: _j, queued: _q, nudge: _n, adopting, job: before, ...kept } = state;
  const job = desired.kind === 'declared' ? desired.job : before;
  const ahead: OwnerState = {
    ...kept,
    ...(job === undefined ? {} : { job }),
    ...(adopting && desired.kind !== 'absent' ? { adopting } : {}),
    ...(desired.kind === 'absent' && state.vanish ? { vanish: state.vanish } : {}),
    ...(desired.kind === 'absent' && state.judged ? { judged: state.judged } : {}),
    settled: false,
    lease: { token: work.token, until: work.leaseUntil },
    units: await save(new Set([...decision.known, ...decision.claims.keys()]), work),
    goal: { hash, since },
    ...askedFor(state, request),
  };
  const aheadRow = ownerRow(ahead, deps);
  // A settled owner is nobody else's work: should this one die, and its message be a late copy, somebody has to come.
  if (request.look === true && state.settled)
    await deps.queue.send({ kind: 'converge', owner }, { delayMs: untilOver(work.leaseUntil, deps) });
  if (!(await commit(deps.ledger, aheadRow, row?.rev ?? null))) return 'again';
  // Who came before the lease may have found the object back at what is applied, and gone; who comes later marks the row.
  if ((await deps.manifests.head(owner))?.etag !== etag) return 'again';

  if (state.goal?.hash !== hash) await announce(owner, decision, deps);

  work.doubtful = true;
  const hopes = { askedAt: ahead.asked, editedAt: state.hash === hash ? undefined : since };
  const results = await settleUnits(decision, work, hopes);
  work.doubtful = results.some((each) => each.open && !each.claimed && !each.open.busy);
  return finish({ work, row: aheadRow, state: ahead, hash, etag, desired, decision, results, targets });
}

/** Whether what was decided is what a plan showed, as far as it was not the plan itself that changed the units since. */
async function isExpected(decided: Omit<Decided, 'units'>, expect: Expected, deps: ConvergeDeps): Promise<boolean> {
  const { claims, withdraw } = decided.decision;
  const units = await unitStates(new Set([...claims.keys(), ...withdraw.map((each) => each.id)]), deps);
  return decisionDigest({ ...decided, units }, expect.planned) === expect.digest;
}

/**
 * The holder's last write fails on the new rev, and it looks again. It may be dead: the first to find it at work leaves a
 * message that comes when its lease has ended.
 */
async function markDirty(known: OwnerState, row: Row, { deps, request }: Work): Promise<boolean> {
  // Whoever is at work may have seen already what is to be looked at again: for a mark alone it would not.
  const anew = request.look === true ? { settled: false, nudge: deps.id() } : {};
  const state = { ...known, ...askedFor(known, request), ...anew };
  const { lease, owner } = state;
  if (!lease || state.watched === lease.token) return commit(deps.ledger, ownerRow(state, deps), row.rev);
  await deps.queue.send({ kind: 'converge', owner }, { delayMs: untilOver(lease.until, deps) });
  return commit(deps.ledger, ownerRow({ ...state, watched: lease.token }, deps), row.rev);
}

/** How long until a lease has ended on everybody's clock. */
function untilOver(leaseUntil: number, { settings, now }: ConvergeDeps): number {
  return Math.min(MAX_DELAY_MS, leaseUntil - now() + 2 * settings.clockSkewMs);
}

/** Of what persons asked for, what they asked last. */
function askedFor({ asked }: OwnerState, { askedAt }: ConvergeRequest): Pick<OwnerState, 'asked'> {
  if (asked === undefined && askedAt === undefined) return {};
  return { asked: Math.max(asked ?? 0, askedAt ?? 0) };
}

/** The object is gone: unless a person asked for it, the withdrawal is judged together with others that vanish. */
async function awaitVerdicts(state: OwnerState, row: Row | undefined, targets: Targets, work: Work) {
  const { deps, request } = work;
  const edges = edgesAtStake(state, targets);
  if (edges.size === 0 || !row) return undefined;
  // Whoever waits holds no lease: the convergence that comes with the verdict must find the owner free.
  const { lease, watched: _w, ...free } = state;
  const vanish = state.vanish ?? { id: deps.id(), at: deps.now() };
  const { verdicts, waits, noted } = await standingOf(request.owner, vanish, edges.keys(), deps);
  if (verdicts) return verdicts;
  if (noted && lease?.token !== work.token) return 'waiting';
  const marked = ownerRow({ ...free, vanish: { ...vanish, waits }, settled: false }, deps);
  if (!(await commit(deps.ledger, marked, row.rev))) return 'again';
  // Whoever found the object back before this, and the row as settled as it was, has gone.
  return (await deps.manifests.head(request.owner)) === undefined ? 'waiting' : 'again';
}

/** How many edges each account would lose with a vanished owner, as far as that has to be judged. */
export function edgesAtStake(state: OwnerState, targets: Targets): Map<string, number> {
  const edges = new Map<string, number>();
  if (state.explicit) return edges;
  const never = Object.keys(state.counts).length === 0;
  for (const target of targets.list) {
    if (!target.vendor.abilities.withdraw || keepsAll(target) || state.judged?.includes(target.account)) continue;
    const count = state.counts[target.account];
    if (count !== undefined || never) edges.set(target.account, count ?? 0);
  }
  return edges;
}

/** Time is up while somebody keeps changing the row: a message goes on. Past the deadline the lease protects nobody. */
async function handOver(work: Work): Promise<Converged> {
  await work.deps.queue.send({ kind: 'converge', owner: work.request.owner }, { delayMs: 1_000 });
  await release(work);
  return { kind: 'busy' };
}
