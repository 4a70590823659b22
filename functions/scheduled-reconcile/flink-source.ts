import pMap from 'p-map';
import type { Target } from '../../shared/converge/deps.ts';
import { asFailure, type Failure } from '../../shared/core/failure.ts';
import type { Json } from '../../shared/core/json.ts';
import { encodeSegment, isOwnerKey } from '../../shared/core/owner-key.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { Services } from '../../shared/wiring.ts';
import { declareDeployment, type Reader } from './flink-deployment.ts';
import { type Deployment, deployments, namespacesOf, placeOf } from './flink-list.ts';
import { beginScan, endScan, readSourced, type Scan, type Sourced, twiceAbsent, writeSourced } from './flink-scan.ts';

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
  /** At most 100. */
  readonly problems: readonly SourceProblem[];
}

export type SourceTally = { -readonly [Key in keyof Omit<SourceResult, 'problems'>]: SourceResult[Key] } & {
  readonly problems: SourceProblem[];
};

const MAX_PROBLEMS = 100;
const AT_ONCE = 4;
/** Jobs and lineage of one deployment; nothing is begun that may not end in time. */
const SLICE_MS = 5_000;

/**
 * Turns deployments of Realtime Compute for Apache Flink into manifests `flink/<namespace>/<deployment>.json`; the bucket's
 * notifications, or the pass that follows, bring them to the vendors. Goes on where the last call stopped. Never throws for a
 * vendor that cannot be read: that is a problem of the result, and withdraws nothing.
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
    await sourceTarget(target, { pipelines, jobsOf, lineage }, tally, services, deadlineMs);
  }
  const { problems, ...counts } = tally;
  const quiet = tally.written + tally.withdrawn + problems.length === 0 && tally.complete;
  const first = problems.slice(0, 5).map((each) => ({ ...each }));
  log[quiet ? 'debug' : 'info']('flink read', { ...counts, problems: problems.length, ...(quiet ? {} : { first }) });
  return { ...counts, problems: problems.slice(0, MAX_PROBLEMS) };
}

async function sourceTarget(
  target: Target,
  reader: Reader,
  tally: SourceTally,
  services: Services,
  deadlineMs: number,
): Promise<void> {
  const { deps, settings } = services;
  const { on: _on, temporary: _temporary, ...filters } = settings.flinkSource;
  const scan = await beginScan(target, filters as unknown as Json, deadlineMs, deps);
  if (scan === undefined) {
    tally.complete = false;
    tally.problems.push({ target: target.name, message: 'another pass is reading it; nothing was done' });
    return;
  }
  let how: 'complete' | 'partial' | 'failed' = 'failed';
  try {
    how = await readAll(target, reader, scan, tally, services, deadlineMs);
  } catch (thrown) {
    const failure = asFailure(thrown);
    how = outOfTime(failure, deps.now(), deadlineMs) ? 'partial' : 'failed';
    const what = how === 'partial' ? 'there was no time left; the next pass goes on' : 'nothing is withdrawn';
    tally.problems.push({
      target: target.name,
      message: `Flink could not be read to the end, ${what}: ${failure.message}`,
    });
  }
  if (how !== 'complete') tally.complete = false;
  await endScan(scan, how, deps);
}

async function readAll(
  target: Target,
  reader: Reader,
  scan: Scan,
  tally: SourceTally,
  services: Services,
  deadlineMs: number,
): Promise<'complete' | 'partial'> {
  const { deps, settings } = services;
  const namespaces = namespacesOf(target, settings.flinkSource);
  const found = await deployments(target, reader, namespaces, settings.flinkSource, deadlineMs);
  const known = await readSourced([...found.keys()], deps);
  const todo = [...found.values()].filter(
    ({ owner }) => known.get(owner)?.sourced.seen !== scan.number || known.get(owner)?.sourced.account !== scan.account,
  );
  let stopped: Failure | undefined;
  let left = 0;
  await pMap(
    todo,
    async (deployment) => {
      if (stopped !== undefined || deps.now() + SLICE_MS > deadlineMs) {
        left += 1;
        return;
      }
      const before = known.get(deployment.owner);
      try {
        const next = await declareDeployment(deployment, before?.sourced, {
          reader,
          scan,
          tally,
          services,
          deadlineMs,
        });
        if (!(await writeSourced(next, before?.row, deps))) left += 1;
      } catch (thrown) {
        const failure = asFailure(thrown);
        if (!concernsOne(failure)) {
          stopped ??= failure;
          left += 1;
          return;
        }
        tally.problems.push({
          target: target.name,
          owner: deployment.owner,
          message: `its lineage could not be read, so what it declared stays: ${failure.message}`,
        });
        const { less: _less, ...kept } = before?.sourced ?? { owner: deployment.owner };
        await writeSourced({ ...kept, account: scan.account, seen: scan.number }, before?.row, deps);
      }
    },
    { concurrency: AT_ONCE },
  );
  tally.left += left;
  if (stopped !== undefined) throw stopped;
  if (left > 0) return 'partial';
  for (const namespace of namespaces) await withdrawAbsent(target, namespace, found, scan, tally, services);
  return 'complete';
}

/** Removes manifests whose deployment two complete scans have not found; their owners then converge under the usual policy. */
async function withdrawAbsent(
  target: Target,
  namespace: string,
  found: ReadonlyMap<string, Deployment>,
  scan: Scan,
  tally: SourceTally,
  { deps, log }: Services,
): Promise<void> {
  const prefix = `flink/${encodeSegment(placeOf(target.name, namespace))}/`;
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.manifests.list(prefix, after === undefined ? {} : { after });
    const absent = page.items.map(({ key }) => key).filter((key) => isOwnerKey(key) && !found.has(key));
    const known = await readSourced(absent, deps);
    for (const owner of absent) await judge(owner, known.get(owner));
    after = page.next;
    more = after !== undefined;
  }

  async function judge(owner: string, known: { readonly row: Row; readonly sourced: Sourced } | undefined) {
    // Nobody remembers it (a ledger was lost, or somebody put it there): it counts as seen now.
    if (known === undefined) await writeSourced({ owner, account: scan.account, seen: scan.number }, undefined, deps);
    else if (known.sourced.account !== scan.account) {
      const message = `comes from ${known.sourced.account}, which is not what ${target.name} is now; remove it from the bucket if it shall go`;
      tally.problems.push({ target: target.name, owner, message });
    } else if (twiceAbsent(known.sourced.seen, scan)) {
      await deps.manifests.delete(owner);
      await deps.ledger.remove(known.row.key, known.row.rev);
      tally.withdrawn += 1;
      log.info('a deployment is gone from Flink; its manifest was removed', { owner });
    } else tally.absent += 1;
  }
}

/** A refusal that says something about one deployment; anything else says that Flink cannot be read now. */
function concernsOne({ kind }: Failure): boolean {
  return kind === 'missing' || kind === 'invalid' || kind === 'rejected' || kind === 'unsupported';
}

/** What it waits for (the account's budget, mostly) comes after the deadline. */
function outOfTime({ retryable, retryAfterMs = 0 }: Failure, now: number, deadlineMs: number): boolean {
  return retryable && now + retryAfterMs + 1_000 >= deadlineMs;
}

function vendorOf(target: string): string {
  return target.split('/')[0] ?? target;
}
