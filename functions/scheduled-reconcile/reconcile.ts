import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { releaseHold } from '../../shared/converge/hold.ts';
import { assumed } from '../../shared/converge/lost-ledger.ts';
import { Failure } from '../../shared/core/failure.ts';
import { isOwnerKey } from '../../shared/core/owner-key.ts';
import type { Services } from '../../shared/wiring.ts';
import { amendLatest } from './amend.ts';
import { convergeAll, type Here, passHere, SHORTEST_SLICE_MS } from './here.ts';
import { type HeldReport, heldReports } from './report.ts';
import { spreadPass } from './spread.ts';
import { newTally, type Tally } from './tally.ts';

export interface ReconcileRequest {
  /** Only these owners; all of them by default. */
  readonly owners?: readonly string[];
  /** Count what the manifests say as registered already, without a call: after a lost ledger, or after other tools did it. */
  readonly adopt?: boolean;
  /** Id of held withdrawals that a person releases; they are applied in this pass. */
  readonly release?: string;
  /** When a person asked for it (epoch ms): what a vendor refused before is tried again at once. */
  readonly askedAt?: number;
}

/** What a pass did. */
export interface ReconcileReport {
  readonly owners: number;
  /** Owners by how their convergence ended (`unchanged`, `done`, `unfinished`, `busy`, `waiting`, `failed` …), or `sent` to the queue. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Owners whose work goes on after this answer: sent to the queue, or not looked at before time was up (at least one then). */
  readonly left: number;
  /** What waits for a person at these owners, oldest first. */
  readonly held: readonly HeldReport[];
  readonly failures: readonly { readonly owner: string; readonly reason: string }[];
}

/**
 * Converges every owner, in the bucket or in the ledger: whatever was missed, interrupted or left pending is settled. Where other workers
 * take from a queue, all owners at once are only looked through, and what needs work is sent there.
 */
export async function reconcile(
  services: Services,
  deadlineMs: number,
  request: ReconcileRequest,
): Promise<ReconcileReport> {
  const { deps, spread } = services;
  const everything = request.owners === undefined && request.release === undefined;
  if (everything && !request.adopt && spread !== undefined && !(await deps.ledgerCheck?.lost())) {
    const found = await spreadPass({ deadlineMs, again: true }, deps, spread, async () => undefined);
    const { tally } = found?.pass.state ?? { tally: newTally() };
    return told(tally, found === undefined ? 1 : found.queued + (found.pass.state.finished ? 0 : 1), services);
  }
  const tally = newTally();
  const asked = request.askedAt === undefined ? {} : { askedAt: request.askedAt };
  const here: Here = { deadlineMs, tally, since: deps.now(), ...asked };
  if (!request.adopt && everything) return told(tally, (await passHere(deps, here)) === undefined ? 0 : 1, services);
  return chosen(services, here, request);
}

/** Owners that somebody names, releases or adopts; adopted ones count as registered without a call. */
async function chosen(services: Services, here: Here, request: ReconcileRequest): Promise<ReconcileReport> {
  const { ledgerCheck: _known, ...trusted } = services.deps;
  const deps: ConvergeDeps = request.adopt
    ? { ...trusted, targets: () => assumed(services.deps.targets) }
    : services.deps;
  const { tally } = here;
  let left = 0;
  const owners = request.release === undefined ? request.owners : await releaseHold(request.release, deps);
  if (request.adopt) await allUsable(deps);
  if (owners === undefined) left = (await passHere(deps, { ...here, fromStart: true })) === undefined ? 0 : 1;
  else {
    const known = owners.filter(isOwnerKey);
    await convergeAll(inTime(known), deps, here);
    left = known.length - tally.owners;
    if (known.length > 0) await amendLatest({ owners: known, release: request.release, tally }, services);
  }
  // Only when all of them are adopted: whoever is left out would be registered a second time.
  const { outcomes } = tally;
  const settled = left === 0 && !outcomes['failed'] && !outcomes['unfinished'] && !outcomes['busy'];
  if (request.adopt && request.owners === undefined && settled) await services.deps.ledgerCheck?.confirm();
  return told(tally, left, services, owners?.length);

  function* inTime(keys: readonly string[]) {
    for (const owner of keys) {
      if (deps.now() + SHORTEST_SLICE_MS > here.deadlineMs) return;
      yield { found: { owner }, state: undefined };
    }
  }
}

/** Says what a pass did. */
export function told(
  tally: Tally,
  left: number,
  { log, deps }: Pick<Services, 'log' | 'deps'>,
  owners = tally.owners,
): ReconcileReport {
  const { outcomes, failures } = tally;
  const report = { owners, outcomes, left, held: heldReports(tally, deps.now()), failures };
  const quiet = left === 0 && owners === (outcomes['unchanged'] ?? 0) + (outcomes['absent'] ?? 0);
  (quiet ? log.debug : log.info)('reconciled', { owners, outcomes, left, failures: failures.slice(0, 10) });
  return report;
}

/** What is adopted at a target that is out of reach now would be sent for real later. */
async function allUsable(deps: ConvergeDeps): Promise<void> {
  const [problem] = (await deps.targets()).problems.filter((each) => each.registers);
  if (problem)
    throw new Failure('conflict', `nothing was adopted, because ${problem.target} cannot be used: ${problem.message}`);
}
