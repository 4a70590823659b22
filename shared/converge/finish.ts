import { canonicalJson, type JsonObject } from '../core/json.ts';
import { smallest } from '../core/large-lists.ts';
import { againAt, withdrawalRefused } from '../core/refusal.ts';
import { dropIds, loadIds, type StoredIds } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import { tellHolders } from './conflicts.ts';
import { type Decision, keepsAll } from './decide.ts';
import type { ConvergeDeps, Targets } from './deps.ts';
import type { Desired } from './desired.ts';
import { onItsWay } from './due.ts';
import { rememberNameless } from './nameless.ts';
import { decodeOwner, type OwnerState, ownerKey } from './owner.ts';
import { report } from './report.ts';
import { oldestUnknown } from './status.ts';
import type { UnitResult } from './unit.ts';
import { noteUnnamed } from './unnamed.ts';
import { briefLease, type Converged, goalHash, MAX_DELAY_MS, ownerRow, save, type Work } from './work.ts';

export interface Finish {
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

/** What passes by itself is looked at again after so long. */
const PASSING_MS = 60_000;

/** Writes the status document, then the owner's row: settled, or with the continuation that goes on. */
export async function finish(input: Finish): Promise<Converged | 'again'> {
  const { work, row, state, hash, decision, results, desired, targets } = input;
  const { deps, request } = work;
  const open = results.filter((each) => each.open);
  const settled = open.length === 0;
  const status = await report({ ...input, owner: request.owner, since: state.goal?.since ?? 0 });
  await tellHolders(
    results.flatMap((each) => each.state ?? []),
    request.owner,
    deps,
  );
  // Of events and of Flink, whoever writes the declaration knows more names.
  const noted = /^(openlineage|flink)\//.test(request.owner);
  if (settled && !noted && desired.kind === 'declared')
    await noteUnnamed(desired.nameless.datasets, request.owner, deps);
  await rememberNameless(request.owner, desired, deps);

  // What a vendor refuses to take back is the owner's as long as it is there, and no part of what later edits lose.
  const refused = results.filter(({ id, state: unit }) => !decision.claims.has(id) && unit && withdrawalRefused(unit));
  const wanted = [...decision.claims.keys(), ...decision.kept, ...decision.held];
  const units = new Set([...wanted, ...refused.map(({ id }) => id)]);
  // What was only written ahead when the manifest became unreadable, or a name or the target went, is no part of what later edits lose.
  const claimed = (id: string): boolean => decision.states.get(id)?.claims[request.owner] !== undefined;
  const base = new Set(wanted.filter((id) => decision.base.has(id) || !decision.kept.has(id) || claimed(id)));
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
    again: _again,
    ...rest
  } = state;
  const heldState = await heldOf(input, work);
  // Released, but out of reach for now: still released when the target or the manifest comes back.
  const released = settled && allowed ? await stillReleased(allowed, decision, work) : allowed;
  // A target that is out of reach, or keeps what it has, is none of them: what goes there is judged when it goes.
  const accounts = input.targets.list.filter((target) => !keepsAll(target)).map((target) => target.account);
  const judged = desired.kind === 'absent' ? [...new Set([...(state.judged ?? []), ...accounts])].sort() : undefined;
  const common = {
    ...rest,
    ...(heldState ? { held: heldState } : {}),
    ...(left.size > 0 ? { left: await save(left, work) } : {}),
    ...(released ? { allowed: released } : {}),
    ...(judged ? { judged } : {}),
    last: { at: deps.now(), ms: deps.now() - work.startedAt, state: status.state },
  };

  let next: OwnerState | undefined;
  // There is nothing more to do, until that target can be reached; when it can, the goal is another one.
  if (settled && desired.kind === 'declared' && targets.problems.some((each) => each.passing && each.registers))
    await deps.queue.send({ kind: 'converge', owner: request.owner }, { delayMs: PASSING_MS });
  if (settled) {
    const {
      vanish: _v,
      explicit,
      claimed: _c,
      goal: _g,
      awaited: _a,
      adopting: _ours,
      unknownSince: _u,
      asked: _done,
      ...calm
    } = common;
    const since = oldestUnknown(status.edges);
    const again = firstAgain(results);
    const ids = await save(units, work);
    const awaited = awaitedOf(state, targets);
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
      outcomes: status.counts,
      ...(since === undefined ? {} : { unknownSince: since }),
      ...(again === undefined ? {} : { again }),
      ...(awaited.length === 0 ? {} : { awaited }),
      tries: 0,
    };
    if (desired.kind === 'absent' && units.size === 0 && left.size === 0) next = undefined;
  } else {
    const progress = results.some((each) => each.called && each.done);
    const tries = progress ? 0 : state.tries + 1;
    const ticket = deps.id();
    const delayMs = delayOf(open, tries, deps);
    await deps.queue.send({ kind: 'converge', owner: request.owner, ticket }, { delayMs });
    const unclaimed = results.some((each) => !each.claimed && decision.claims.has(each.id));
    next = {
      ...common,
      ...(input.etag !== undefined && !unclaimed ? { claimed: input.etag } : {}),
      settled: false,
      ...briefLease(work),
      ticket,
      ...(open.every(isTimed) ? { queued: onItsWay({ hash, delayMs, now: deps.now() }) } : {}),
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
  const { watched: _now, queued: _sent, ...current } = decodeOwner(row);
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

/**
 * Targets that a new owner would have met, had they been usable: they are no first contact when they are. Of an owner that has met accounts
 * nothing is added: what comes back under a name may be another account.
 */
function awaitedOf({ configured, awaited = [] }: OwnerState, { problems }: Targets): string[] {
  const names = problems.map((each) => each.target);
  return configured.length === 0 ? names : names.filter((name) => awaited.includes(name));
}

/** When the first of what was refused is tried again. */
function firstAgain(results: readonly UnitResult[]): number | undefined {
  const times = results.flatMap(({ done, state }) =>
    done?.verdict === 'refused' && state?.refusal ? [againAt(state.refusal)] : [],
  );
  return times.length === 0 ? undefined : smallest(times);
}

/** It is known when it can go on; after a mere failure, a pass may well try earlier. */
function isTimed({ open: why }: UnitResult): boolean {
  return why?.busy === true || why?.until !== undefined || why?.failure?.retryAfterMs !== undefined;
}

/** When to come back: as soon as a wait ends, later and later while a vendor does not answer or another one is at work. */
function delayOf(open: readonly UnitResult[], tries: number, deps: ConvergeDeps): number {
  const backOff = Math.min(300_000, 5_000 * 2 ** Math.min(tries, 10));
  const busy = Math.min(30_000, 1_000 * 2 ** Math.min(tries, 5));
  const delays = open.map(({ open: why }) => {
    if (why?.busy) return busy;
    if (why?.until !== undefined) return why.until - deps.now();
    return Math.max(backOff, why?.failure?.retryAfterMs ?? 0);
  });
  return Math.min(MAX_DELAY_MS, Math.max(1_000, smallest(delays)));
}

function setsOf(state: OwnerState): StoredIds[] {
  return [state.units, state.base, state.held?.units, state.allowed, state.left, state.adopting].filter(
    (each) => each !== undefined,
  );
}
