import pMap from 'p-map';
import { digest } from '../core/digest.ts';
import { asFailure } from '../core/failure.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import { type ChunkCache, dropIds, loadIds, NO_IDS, type StoredIds, saveIds } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import { type Decision, decide } from './decide.ts';
import type { ConvergeDeps, NamingFile, Target, Targets } from './deps.ts';
import { type Desired, desiredOf } from './desired.ts';
import { decodeOwner, encodeOwner, newOwner, type OwnerState, ownerKey } from './owner.ts';
import { report, reportLost } from './report.ts';
import type { StatusDocument } from './status.ts';
import { settleUnit, type UnitContext, type UnitResult, type UnitTask, unitKey } from './unit.ts';
import { vanishVerdicts } from './vanish.ts';

export interface ConvergeRequest {
  readonly owner: string;
  /** Hard end of the invocation (epoch ms); nothing is started that cannot finish before it. */
  readonly deadlineMs: number;
  /** Of a continuation; a continuation whose ticket the owner's row no longer carries is dropped. */
  readonly ticket?: string;
}

/** How it went. `busy`: somebody else works on the owner and has been told to look again. */
export type Converged =
  | { readonly kind: 'absent' | 'unchanged' | 'busy' | 'dropped' | 'waiting' | 'lost' }
  | { readonly kind: 'done' | 'unfinished'; readonly status: StatusDocument };

/** One convergence at work: what it holds and has read. */
interface Work {
  readonly request: ConvergeRequest;
  readonly deps: ConvergeDeps;
  readonly token: string;
  readonly leaseUntil: number;
  readonly startedAt: number;
  readonly chunks: ChunkCache;
  /** A write to a unit may still be carried out although its answer is lost: the owner must not be free before it cannot any more. */
  doubtful: boolean;
}

const MAX_DELAY_MS = 900_000;

/**
 * Makes every target show what the owner's manifest says now. The only writer. Safe to call at any time, any number of times,
 * from anywhere: an event is a hint that something may have changed, never an instruction to apply.
 */
export async function converge(request: ConvergeRequest, deps: ConvergeDeps): Promise<Converged> {
  const work: Work = {
    request,
    deps,
    token: deps.id(),
    leaseUntil: request.deadlineMs + 2 * deps.settings.clockSkewMs + deps.settings.ledgerTimeoutMs,
    startedAt: deps.now(),
    chunks: new Map(),
    doubtful: false,
  };
  try {
    for (;;) {
      const outcome = await round(work);
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
    await reportLost(owner, deps);
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
  if (!mine && state.settled && state.hash === seen && state.vanish === undefined) return { kind: 'unchanged' };
  if (leased && row) return (await markDirty(state, row, deps)) ? { kind: 'busy' } : 'again';

  const desired = head ? await desiredOf(owner, naming, targets, deps) : ({ kind: 'absent' } as const);
  if (head && desired.kind === 'absent') return 'again';
  // What counts is the content that is applied, which may be newer than the one first seen.
  const etag = desired.kind === 'absent' ? undefined : (desired.etag ?? head?.etag);
  const hash = goalHash(etag, naming, targets, deps.settings.deployment);
  const verdicts = desired.kind === 'absent' ? await awaitVerdicts(state, row, targets, work) : undefined;
  if (verdicts === 'waiting') return { kind: 'waiting' };
  if (verdicts === 'again') return 'again';

  const decision = await decide({ state, desired, targets, verdicts, deps, chunks: work.chunks });
  const since = state.goal?.hash === hash ? state.goal.since : work.startedAt;
  const { vanish: _v, judged: _j, ...kept } = state;
  const ahead: OwnerState = {
    ...kept,
    ...(desired.kind === 'absent' && state.vanish ? { vanish: state.vanish } : {}),
    ...(desired.kind === 'absent' && state.judged ? { judged: state.judged } : {}),
    settled: false,
    lease: { token: work.token, until: work.leaseUntil },
    units: await save(new Set([...decision.known, ...decision.claims.keys()]), work),
    goal: { hash, since },
  };
  const aheadRow = ownerRow(ahead, deps);
  if (!(await commit(deps.ledger, aheadRow, row?.rev ?? null))) return 'again';
  // Who came before the lease may have found the object back at what is applied, and gone; who comes later marks the row.
  if ((await deps.manifests.head(owner))?.etag !== etag) return 'again';

  work.doubtful = true;
  const results = await settle(decision, work);
  work.doubtful = results.some((each) => each.open && !each.claimed && !each.open.busy);
  return finish({ work, row: aheadRow, state: ahead, hash, etag, desired, decision, results, targets });
}

/**
 * The holder's last write fails on the new rev, and it looks again. It may be dead: the first to find it at work leaves a
 * message that comes when its lease has ended.
 */
async function markDirty(state: OwnerState, row: Row, deps: ConvergeDeps): Promise<boolean> {
  const { lease, owner } = state;
  if (!lease || state.watched === lease.token) return commit(deps.ledger, { ...row, rev: deps.id() }, row.rev);
  const delayMs = Math.min(MAX_DELAY_MS, lease.until - deps.now() + 2 * deps.settings.clockSkewMs);
  await deps.queue.send({ kind: 'converge', owner }, { delayMs });
  return commit(deps.ledger, ownerRow({ ...state, watched: lease.token }, deps), row.rev);
}

/** Content, naming, targets and mapping versions: when none of them changed, nothing has to be done. */
function goalHash(etag: string | undefined, naming: NamingFile, targets: Targets, deployment: string): string {
  const accounts = targets.list
    .filter((each) => each.client.register !== undefined)
    .map((each) => `${each.name} ${each.account} ${each.vendor.mappingVersion}`)
    .sort();
  const problems = targets.problems.map((each) => `${each.target} ${each.message}`).sort();
  return digest(JSON.stringify([etag ?? null, naming.etag, accounts, problems, deployment]));
}

/** The object is gone: unless a person asked for it, the withdrawal is judged together with others that vanish. */
async function awaitVerdicts(state: OwnerState, row: Row | undefined, targets: Targets, work: Work) {
  const { deps, request } = work;
  const edges = new Map<string, number>();
  const never = Object.keys(state.counts).length === 0;
  for (const target of targets.list) {
    if (!target.vendor.abilities.withdraw || state.judged?.includes(target.account)) continue;
    const count = state.counts[target.account];
    if (count !== undefined || never) edges.set(target.account, count ?? 0);
  }
  if (state.explicit || edges.size === 0 || !row) return undefined;
  // Whoever waits holds no lease: the convergence that comes with the verdict must find the owner free.
  const { lease, watched: _w, ...free } = state;
  const vanish = state.vanish ?? { id: deps.id(), at: deps.now() };
  if (!state.vanish || lease?.token === work.token) {
    const marked = ownerRow({ ...free, vanish, settled: false }, deps);
    if (!(await commit(deps.ledger, marked, row.rev))) return 'again';
    return (await vanishVerdicts(request.owner, vanish, edges, deps)) ? 'again' : 'waiting';
  }
  return (await vanishVerdicts(request.owner, vanish, edges, deps)) ?? 'waiting';
}

/** Claims first, then withdrawals; targets side by side, so that a slow one delays no other. */
async function settle(decision: Decision, work: Work): Promise<UnitResult[]> {
  const { deps, request } = work;
  const context: UnitContext = {
    deps,
    token: work.token,
    leaseUntil: work.leaseUntil,
    deadlineMs: request.deadlineMs,
    shut: new Map(),
  };
  const claims: UnitTask[] = [...decision.claims.values()].map(({ target, unit }) => ({
    id: unit.id,
    owner: request.owner,
    target,
    want: {
      origin: {
        id: unit.id,
        vendor: target.vendor.name,
        target: target.name,
        account: target.account,
        from: unit.from,
        to: unit.to,
        spec: unit.spec,
        quietOptions: unit.quietOptions ?? [],
      },
      columns: unit.columns,
      options: unit.options,
    },
  }));
  const withdrawals = decision.withdraw.map(({ id, target }): UnitTask => ({ id, owner: request.owner, target }));
  const leftovers = decision.settle.map(
    ({ id, target }): UnitTask => ({ id, owner: request.owner, target, settleOnly: true }),
  );
  const byTarget = new Map<Target, { first: UnitTask[]; last: UnitTask[] }>();
  const bucket = (target: Target) => {
    const found = byTarget.get(target) ?? { first: [], last: [] };
    byTarget.set(target, found);
    return found;
  };
  for (const task of claims) bucket(task.target).first.push(task);
  for (const task of [...withdrawals, ...leftovers]) bucket(task.target).last.push(task);
  // All of them to their end, whatever becomes of one: nothing may go on once the lease is given back.
  const outcomes = await Promise.allSettled(
    [...byTarget.values()].map(async ({ first, last }) => [
      ...(await settleAll(first, context)),
      ...(await settleAll(last, context)),
    ]),
  );
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

const READ_AT_ONCE = 100;

async function settleAll(tasks: readonly UnitTask[], context: UnitContext): Promise<UnitResult[]> {
  const { deps } = context;
  const results: UnitResult[] = [];
  for (let start = 0; start < tasks.length; start += READ_AT_ONCE) {
    const batch = tasks.slice(start, start + READ_AT_ONCE);
    const rows = await deps.ledger.getMany(batch.map((task) => unitKey(task.id)));
    const settled = await pMap(
      batch,
      async (task): Promise<UnitResult> => {
        try {
          return await settleUnit(task, rows.get(unitKey(task.id)), context);
        } catch (thrown) {
          // One edge's trouble stops no other; its intent, if any, is settled by whoever comes next.
          const failure = asFailure(thrown);
          return {
            id: task.id,
            target: task.target.name,
            called: false,
            claimed: false,
            open: { reason: failure.message, failure },
          };
        }
      },
      { concurrency: deps.settings.concurrency },
    );
    results.push(...settled);
  }
  return results;
}

interface Finish {
  readonly work: Work;
  readonly row: Row;
  readonly state: OwnerState;
  readonly hash: string;
  readonly etag: string | undefined;
  readonly desired: Desired;
  readonly decision: Decision;
  readonly results: readonly UnitResult[];
  readonly targets: Targets;
}

/** Writes the status document, then the owner's row: settled, or with the continuation that goes on. */
async function finish(input: Finish): Promise<Converged | 'again'> {
  const { work, row, state, hash, decision, results, desired, targets } = input;
  const { deps, request } = work;
  const open = results.filter((each) => each.open);
  const settled = open.length === 0;
  const status = await report({ ...input, owner: request.owner, since: state.goal?.since ?? 0 });

  const units = new Set([...decision.claims.keys(), ...decision.kept, ...decision.held]);
  // What was only written ahead when the manifest became unreadable, or the target went, is no part of what later edits lose.
  const base = new Set([...units].filter((id) => decision.base.has(id) || !decision.kept.has(id)));
  const counts: Record<string, number> = {};
  for (const account of decision.accounts(base)) counts[account] = (counts[account] ?? 0) + 1;
  const left = new Set([
    ...decision.left,
    ...results
      .filter((each) => each.done?.verdict === 'left-behind' && !decision.claims.has(each.id))
      .map((each) => each.id),
  ]);
  const {
    lease: _lease,
    watched: _watched,
    ticket: _ticket,
    held: _held,
    judged: _judged,
    allowed,
    left: _left,
    ...rest
  } = state;
  const heldState = await heldOf(input, work);
  // Released, but out of reach for now: still released when the target or the manifest comes back.
  const released = settled && allowed ? await stillReleased(allowed, decision, work) : allowed;
  // A target that is out of reach is none of them: what goes there is judged when it comes back.
  const accounts = input.targets.list.map((target) => target.account);
  const judged = desired.kind === 'absent' ? [...new Set([...(state.judged ?? []), ...accounts])].sort() : undefined;
  const common = {
    ...rest,
    ...(heldState ? { held: heldState } : {}),
    ...(left.size > 0 ? { left: await save(left, work) } : {}),
    ...(released ? { allowed: released } : {}),
    ...(judged ? { judged } : {}),
  };

  let next: OwnerState | undefined;
  if (settled) {
    const { vanish: _v, explicit, claimed: _c, goal: _g, awaited: _a, ...calm } = common;
    const ids = await save(units, work);
    next = {
      ...calm,
      ...(explicit && desired.kind === 'absent' && decision.kept.size > 0 ? { explicit } : {}),
      ...(input.etag === undefined ? {} : { claimed: input.etag }),
      settled: true,
      hash,
      units: ids,
      base: base.size === units.size ? ids : await save(base, work),
      counts,
      configured: decision.configured,
      ...(targets.problems.length === 0 ? {} : { awaited: targets.problems.map((each) => each.target) }),
      tries: 0,
    };
    if (desired.kind === 'absent' && units.size === 0 && left.size === 0) next = undefined;
  } else {
    const progress = results.some((each) => each.called && each.done);
    const tries = progress ? 0 : state.tries + 1;
    const ticket = deps.id();
    await deps.queue.send({ kind: 'converge', owner: request.owner, ticket }, { delayMs: delayOf(open, tries, deps) });
    const unclaimed = results.some((each) => !each.claimed && decision.claims.has(each.id));
    next = {
      ...common,
      ...(input.etag !== undefined && !unclaimed ? { claimed: input.etag } : {}),
      settled: false,
      ...briefLease(work),
      ticket,
      tries,
    };
  }
  const written = next
    ? await commit(deps.ledger, ownerRow(next, deps), row.rev)
    : await deps.ledger.remove(row.key, row.rev);
  if (!written) {
    const marked = await onlyMarked(input);
    return marked ? finish({ ...input, row: marked }) : 'again';
  }
  await dropIds(deps.ledger, work.chunks, next ? setsOf(next) : []);
  const problem = status.state === 'invalid' ? status.problems?.[0] : undefined;
  deps.log[problem ? 'warn' : 'info']('converged', {
    owner: request.owner,
    ...(problem ? { problems: status.problems?.length ?? 0, problem: { ...problem } } : {}),
    state: status.state,
    counts: status.counts as JsonObject,
    ms: deps.now() - work.startedAt,
    ...(settled ? {} : { open: open.length, first: open[0]?.open?.reason ?? '' }),
  });
  return { kind: settled ? 'done' : 'unfinished', status };
}

/**
 * The row as it stands now, if somebody only asked us to look again and there is nothing new to see: then what could not be done a
 * moment ago is not tried at once again.
 */
async function onlyMarked({ work, state, hash, etag }: Finish): Promise<Row | undefined> {
  const { deps, request } = work;
  const row = await deps.ledger.get(ownerKey(request.owner));
  if (!row) return undefined;
  const { watched: _now, ...current } = decodeOwner(row);
  const { watched: _then, ...ours } = state;
  if (canonicalJson(current as unknown as JsonObject) !== canonicalJson(JSON.parse(JSON.stringify(ours))))
    return undefined;
  const [head, naming, targets] = await Promise.all([
    deps.manifests.head(request.owner),
    deps.naming(),
    deps.targets(),
  ]);
  const same = head?.etag === etag && goalHash(etag, naming, targets, deps.settings.deployment) === hash;
  return same ? row : undefined;
}

async function heldOf(input: Finish, work: Work): Promise<OwnerState['held']> {
  const {
    decision,
    work: { deps },
  } = input;
  if (decision.held.size === 0 && decision.heldAccounts.length === 0) return undefined;
  const before = input.state.held;
  const id = decision.holdId;
  return {
    id,
    at: before?.id === id ? before.at : deps.now(),
    reason: decision.holdReason,
    units: await save(decision.held, work),
    accounts: decision.heldAccounts,
  };
}

async function stillReleased(allowed: StoredIds, decision: Decision, work: Work): Promise<StoredIds | undefined> {
  if (decision.kept.size === 0) return undefined;
  const ids = await loadIds(work.deps.ledger, allowed, work.chunks);
  const left = new Set([...ids].filter((id) => decision.kept.has(id)));
  return left.size === 0 ? undefined : save(left, work);
}

/** When to come back: as soon as a wait ends, later and later while a vendor does not answer or another one is at work. */
function delayOf(open: readonly UnitResult[], tries: number, deps: ConvergeDeps): number {
  const backOff = Math.min(300_000, 5_000 * 2 ** Math.min(tries, 10));
  const busy = Math.min(30_000, 1_000 * 2 ** Math.min(tries, 5));
  const delays = open.map(({ open: why }) => {
    if (why?.busy) return busy;
    return why?.until === undefined ? backOff : why.until - deps.now();
  });
  return Math.min(MAX_DELAY_MS, Math.max(1_000, Math.min(...delays)));
}

/** Time is up while somebody keeps changing the row: a message goes on. Past the deadline the lease protects nobody. */
async function handOver(work: Work): Promise<Converged> {
  await work.deps.queue.send({ kind: 'converge', owner: work.request.owner }, { delayMs: 1_000 });
  await release(work);
  return { kind: 'busy' };
}

/** Leaves the owner to others after an error; the lease would end by itself, this is only sooner. */
async function release(work: Work): Promise<void> {
  const { deps, request, token } = work;
  try {
    const row = await deps.ledger.get(ownerKey(request.owner));
    const state = row && decodeOwner(row);
    if (!row || state?.lease?.token !== token) return;
    const { lease: _lease, watched: _watched, ...rest } = state;
    await deps.ledger.write(ownerRow({ ...rest, ...briefLease(work) }, deps), row.rev);
  } catch (thrown) {
    deps.log.warn('lease not released; it ends by itself', { owner: request.owner, reason: asFailure(thrown).message });
  }
}

/** Nothing, or a lease that is over when no write of ours can arrive any more. */
function briefLease({ doubtful, deps, token }: Work): Pick<OwnerState, 'lease'> | undefined {
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  return doubtful ? { lease: { token, until: deps.now() + ledgerTimeoutMs + 2 * clockSkewMs } } : undefined;
}

function ownerRow(state: OwnerState, deps: ConvergeDeps): Row {
  return { key: ownerKey(state.owner), rev: deps.id(), ...encodeOwner(state) };
}

function save(ids: ReadonlySet<string>, work: Work): Promise<StoredIds> {
  return ids.size === 0 ? Promise.resolve(NO_IDS) : saveIds(work.deps.ledger, ids, work.chunks, work.deps.id);
}

function setsOf(state: OwnerState): StoredIds[] {
  return [state.units, state.base, state.held?.units, state.allowed, state.left].filter((each) => each !== undefined);
}
