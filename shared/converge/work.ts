import { digest } from '../core/digest.ts';
import { asFailure } from '../core/failure.ts';
import { type ChunkCache, NO_IDS, type StoredIds, saveIds } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import type { ConvergeDeps, NamingFile, Targets } from './deps.ts';
import { decodeOwner, encodeOwner, type OwnerState, ownerKey } from './owner.ts';
import type { StatusDocument } from './status.ts';
import type { VanishVerdict } from './vanish.ts';

export interface ConvergeRequest {
  readonly owner: string;
  /** Hard end of the invocation (epoch ms); nothing is started that cannot finish before it. */
  readonly deadlineMs: number;
  /** Of a continuation; a continuation whose ticket the owner's row no longer carries is dropped. */
  readonly ticket?: string;
  /** When a person asked for it (epoch ms): what a vendor refused before is tried again at once. */
  readonly askedAt?: number;
  /** Look again although nothing of it changed: others changed what is to be told of an edge that it shares. */
  readonly look?: boolean;
  /** Token of a lease on the owner that was taken for this convergence. */
  readonly token?: string;
  /** Do what a plan showed, or nothing. */
  readonly expect?: Expected;
}

/** What a plan showed of an owner. */
export interface Expected {
  /** `decisionDigest` of the decision that is to be carried out. */
  readonly digest: string;
  /** Owners that the same plan converges. */
  readonly planned: ReadonlySet<string>;
  /** The plan showed the vanished owner's withdrawals as done: they need not wait to be judged together with others. */
  readonly verdicts?: ReadonlyMap<string, VanishVerdict>;
}

/**
 * How it went. `busy`: somebody else works on the owner and has been told to look again. `differs`: it would not be what was expected, so
 * nothing was done.
 */
export type Converged =
  | { readonly kind: 'absent' | 'unchanged' | 'busy' | 'dropped' | 'waiting' | 'lost' | 'differs' }
  | { readonly kind: 'done' | 'unfinished'; readonly status: StatusDocument };

/** One convergence at work: what it holds and has read. */
export interface Work {
  readonly request: ConvergeRequest;
  readonly deps: ConvergeDeps;
  readonly token: string;
  readonly leaseUntil: number;
  readonly startedAt: number;
  readonly chunks: ChunkCache;
  /** A write to a unit may still be carried out although its answer is lost: the owner must not be free before it cannot any more. */
  doubtful: boolean;
}

/** The longest that a queue holds a message back. */
export const MAX_DELAY_MS = 900_000;

/** Goes up when a convergence writes down more than it did before: then each owner is applied once more, without a call. 2: `job`. */
const FORM = 2;

/** Content, naming, targets with their modes, and mapping versions: when none of them changed, nothing has to be done. */
export function goalHash(etag: string | undefined, naming: NamingFile, targets: Targets, deployment: string): string {
  return goalOf(naming, targets, deployment)(etag);
}

/** `goalHash` of many contents under the same names and targets. */
export function goalOf(naming: NamingFile, targets: Targets, deployment: string): (etag: string | undefined) => string {
  const accounts = targets.list
    .filter((each) => each.client.register !== undefined)
    .map(({ name, account, vendor, mode = 'sync' }) => {
      const known = `${name} ${account} ${vendor.mappingVersion}`;
      return mode === 'sync' ? known : `${known} ${mode}`;
    })
    .sort();
  // How a passing one is worded, differs from time to time: that is no other goal.
  const problems = targets.problems
    .map(({ target, message, passing }) => (passing ? target : `${target} ${message}`))
    .sort();
  const rest = JSON.stringify([FORM, naming.etag, accounts, problems, deployment]).slice(1);
  return (etag) => digest(`[${JSON.stringify(etag ?? null)},${rest}`);
}

/** Leaves the owner to others after an error; the lease would end by itself, this is only sooner. */
export async function release(work: Work): Promise<void> {
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
export function briefLease({ doubtful, deps, token }: Work): Pick<OwnerState, 'lease'> | undefined {
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  return doubtful ? { lease: { token, until: deps.now() + ledgerTimeoutMs + 2 * clockSkewMs } } : undefined;
}

export function ownerRow(state: OwnerState, deps: ConvergeDeps): Row {
  return { key: ownerKey(state.owner), rev: deps.id(), ...encodeOwner(state) };
}

export function save(ids: ReadonlySet<string>, work: Work): Promise<StoredIds> {
  return ids.size === 0 ? Promise.resolve(NO_IDS) : saveIds(work.deps.ledger, ids, work.chunks, work.deps.id);
}
