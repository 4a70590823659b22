import { commit } from '../../shared/converge/commit.ts';
import { digest } from '../../shared/core/digest.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Services } from '../../shared/wiring.ts';

const LOOK_AGAIN_MS = 25;
/** Many may wait, and each look costs a read. */
const LONGEST_PAUSE_MS = 200;
/** Between a call's deadline and the moment when nothing of it can be at work any more: its answer, and undoing. */
const SPARE_MS = 35_000;

export const turnKey = (owner: string): string => `wire/${owner}`;

/** Index entry of the owners of a vendor's job id, which may be any text. */
export const jobEntry = (job: string): string => `wire-job:${digest(job)}`;

/** What the row of an owner remembers besides whose turn it is. */
export interface Remembered {
  /** The job id of its calls, so that it can be asked for. */
  readonly job?: string;
}

/**
 * Runs `work` while no other process changes the same owner's document: reading, changing and storing it is one step, so that calls at
 * the same time lose nothing. The lease lasts as long as the invocation can live. Throws `Failure` `throttled` when it is not our turn
 * before `deadlineMs`.
 */
export async function inTurn<T>(
  owner: string,
  services: Services,
  deadlineMs: number,
  work: (remember: (what: Remembered) => void) => Promise<T>,
): Promise<T> {
  const { deps } = services;
  const key = turnKey(owner);
  const token = deps.id();
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  let remembered: Remembered = {};
  for (let pauseMs = LOOK_AGAIN_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.25)) {
    const row = await deps.ledger.get(key);
    const lease = row?.body['lease'] as { readonly token: string; readonly until: number } | undefined;
    if (lease === undefined || !deps.alive(lease)) {
      const until = deadlineMs + SPARE_MS + 2 * clockSkewMs + ledgerTimeoutMs;
      const { job } = row?.body ?? {};
      remembered = typeof job === 'string' ? { job } : {};
      const index = typeof job === 'string' ? { index: [jobEntry(job)] } : {};
      const held = { key, rev: deps.id(), body: { kind: 'wire', ...remembered, lease: { token, until } }, ...index };
      if (await commit(deps.ledger, held, row?.rev ?? null)) break;
    }
    if (deps.now() + pauseMs >= deadlineMs) {
      throw new Failure('throttled', 'Other calls for the same lineage are at work; send the call again.');
    }
    await new Promise((done) => setTimeout(done, pauseMs));
  }
  try {
    return await work((what) => {
      remembered = what;
    });
  } finally {
    await leave(key, token, remembered, services);
  }
}

/** Nobody else writes the row while the lease lives; should it have ended, it is somebody else's now. */
async function leave(key: string, token: string, { job }: Remembered, { deps, log }: Services): Promise<void> {
  try {
    const row = await deps.ledger.get(key);
    const lease = row?.body['lease'] as { readonly token: string } | undefined;
    if (!row || lease?.token !== token) return;
    if (job === undefined) await deps.ledger.remove(key, row.rev);
    else
      await commit(deps.ledger, { key, rev: deps.id(), body: { kind: 'wire', job }, index: [jobEntry(job)] }, row.rev);
  } catch (thrown) {
    log.warn('a turn was not given back; it ends by itself', { key, reason: String(thrown) });
  }
}
