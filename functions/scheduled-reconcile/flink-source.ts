import type { Services } from '../../shared/wiring.ts';
import { readAccount } from './flink-account.ts';

export interface SourceProblem {
  readonly target: string;
  /** The deployment's owner; absent when it concerns all of the target. */
  readonly owner?: string;
  readonly message: string;
}

/** What one call of `sourceFlink` did, over all Flink accounts. */
export interface SourceResult {
  /** Deployments whose lineage was read. */
  readonly scanned: number;
  /** Manifests written because their content changed. */
  readonly written: number;
  /** Manifests removed because two consecutive complete scans did not find their deployment. */
  readonly withdrawn: number;
  /** Temporary tables that lineage was followed through. */
  readonly contracted: number;
  /** Temporary tables that were left out; `problems` names them. */
  readonly dropped: number;
  /** Deployments not found this time; they are withdrawn when the next complete scan does not find them either. */
  readonly absent: number;
  /** Deployments not reached in time; the next call goes on with them. */
  readonly left: number;
  /** Every account was scanned to the end. */
  readonly complete: boolean;
  /** At most 100, what could not be read first. */
  readonly problems: readonly SourceProblem[];
}

export type SourceTally = { -readonly [Key in keyof Omit<SourceResult, 'problems'>]: SourceResult[Key] } & {
  readonly problems: SourceProblem[];
};

const MAX_PROBLEMS = 100;

/**
 * Turns deployments of Realtime Compute for Apache Flink into manifests `flink/<namespace>/<deployment>.json`; the bucket's
 * notifications, or the pass that follows, bring them to the vendors. Goes on where the last call stopped. Never throws for a
 * vendor that cannot be read: that is a problem of the result, and withdraws nothing. Where our own stores fail, it ends.
 */
export async function sourceFlink(
  services: Services,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<SourceResult> {
  const { deps, log, settings } = services;
  const tally: SourceTally = {
    scanned: 0,
    written: 0,
    withdrawn: 0,
    contracted: 0,
    dropped: 0,
    absent: 0,
    left: 0,
    complete: true,
    problems: [],
  };
  if (!settings.flinkSource.on) return tally;
  if (await deps.ledgerCheck?.lost()) {
    // What were written now would be adopted with the rest, as if it had been registered before.
    const message = 'not read while the ledger is lost; npm run adopt first';
    return { ...tally, complete: false, problems: [{ target: 'flink', message }] };
  }
  const targets = await deps.targets();
  for (const { target, message } of targets.problems) {
    if (vendorOf(target) !== 'flink') continue;
    tally.complete = false;
    tally.problems.push({ target, message: `nothing was read and nothing withdrawn: ${message}` });
  }
  for (const target of targets.list) {
    const { pipelines, jobsOf, lineage } = target.client;
    if (target.vendor.name !== 'flink' || !pipelines || !jobsOf || !lineage) continue;
    if (!(await readAccount(target, { pipelines, jobsOf, lineage }, tally, services, deadlineMs))) break;
  }
  const { problems, ...counts } = tally;
  const quiet = tally.written + tally.withdrawn + problems.length === 0 && tally.complete;
  const first = problems.slice(0, 5).map((each) => ({ ...each }));
  log[quiet ? 'debug' : 'info']('flink read', { ...counts, problems: problems.length, ...(quiet ? {} : { first }) });
  return { ...counts, problems: problems.slice(0, MAX_PROBLEMS) };
}

function vendorOf(target: string): string {
  return target.split('/')[0] ?? target;
}
