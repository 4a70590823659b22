import { digest } from '../core/digest.ts';
import { asFailure } from '../core/failure.ts';
import { type ChunkCache, NO_IDS, type StoredIds, saveIds } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import type { ConvergeDeps, NamingFile, Targets } from './deps.ts';
import { decodeOwner, encodeOwner, type OwnerState, ownerKey } from './owner.ts';
import type { StatusDocument } from './status.ts';

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

/** Content, naming, targets and mapping versions: when none of them changed, nothing has to be done. */
export function goalHash(etag: string | undefined, naming: NamingFile, targets: Targets, deployment: string): string {
  const accounts = targets.list
    .filter((each) => each.client.register !== undefined)
    .map((each) => `${each.name} ${each.account} ${each.vendor.mappingVersion}`)
    .sort();
  const problems = targets.problems.map((each) => `${each.target} ${each.message}`).sort();
  return digest(JSON.stringify([etag ?? null, naming.etag, accounts, problems, deployment]));
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
