import pMap from 'p-map';
import type { Target } from '../../shared/converge/deps.ts';
import { asFailure, Failure } from '../../shared/core/failure.ts';
import type { Json } from '../../shared/core/json.ts';
import type { Flows } from '../../shared/formats/flink/flows.ts';
import type { Services } from '../../shared/wiring.ts';
import { declareDeployment, type Reader, readFlows } from './flink-deployment.ts';
import { type Deployment, deployments, namespacesOf } from './flink-list.ts';
import { beginScan, endScan, readSourced, type Scan, type ScanEnd, scanIn, writeSourced } from './flink-scan.ts';
import type { SourceTally } from './flink-source.ts';
import {
  endedWords,
  endOf,
  failedWords,
  manyWords,
  unlistedWords,
  type Whose,
  whoseList,
  whoseOf,
} from './flink-trouble.ts';
import { withdrawAbsent } from './flink-withdraw.ts';

interface Reading {
  readonly target: Target;
  readonly reader: Reader;
  readonly scan: Scan;
  readonly tally: SourceTally;
  readonly services: Services;
  readonly deadlineMs: number;
}

/** How far reading came; `why` says what people should know of it. */
interface Ended {
  readonly how: ScanEnd;
  readonly why?: string;
  /** Namespaces whose list failed. */
  readonly unlisted?: readonly string[];
}

const AT_ONCE = 4;
/** Jobs and lineage of one deployment; nothing is begun that may not end in time. */
const SLICE_MS = 5_000;
/** So many refusals in a row are more than trouble of single deployments. */
const REFUSALS_IN_A_ROW = 8;

/**
 * Reads the deployments of one account that the scan has not come to yet, and withdraws what is gone when it is complete. False
 * when our own stores fail: then nothing more can be read in this pass.
 */
export async function readAccount(
  target: Target,
  reader: Reader,
  tally: SourceTally,
  services: Services,
  deadlineMs: number,
): Promise<boolean> {
  const { deps, settings } = services;
  const { on: _on, temporary: _temporary, ...filters } = settings.flinkSource;
  const scan = await beginScan(target, filters as unknown as Json, deadlineMs, deps);
  if (scan === undefined) {
    tally.complete = false;
    tally.problems.push({ target: target.name, message: 'another pass is reading it; nothing was done' });
    return true;
  }
  const {
    how,
    why,
    unlisted = [],
  } = await readAll({ target, reader, scan, tally, services, deadlineMs }).catch(
    (thrown: unknown): Ended => ended('ours', asFailure(thrown)),
  );
  if (why !== undefined) tally.problems.unshift({ target: target.name, message: why });
  if (how !== 'complete' || unlisted.length > 0) tally.complete = false;
  if (how === 'anew') services.log.warn('reading Flink ended', { target: target.name, reason: why ?? '' });
  await endScan(scan, how, deps, unlisted);
  return how !== 'anew';
}

/**
 * Lists, reads, withdraws. A namespace that cannot be listed is told by its name and left as it is, the others are read; when none
 * can be listed, or the trouble is the account's, that ends the pass. What it throws is our own trouble.
 */
async function readAll(reading: Reading): Promise<Ended> {
  const { target, reader, scan, tally, services, deadlineMs } = reading;
  const { deps, settings } = services;
  const namespaces = namespacesOf(target, settings.flinkSource);
  const found = new Map<string, Deployment>();
  const unlisted: string[] = [];
  for (const namespace of namespaces) {
    const listed = await deployments(target, reader, [namespace], settings.flinkSource, deadlineMs).catch(asFailure);
    if (listed instanceof Failure) {
      const whose = whoseList(listed, deps.now(), deadlineMs);
      if (whose !== 'its own') return { ...ended(whose, listed), unlisted };
      unlisted.push(namespace);
      if (unlisted.length === namespaces.length) return ended('the account', listed);
      tally.problems.unshift({ target: target.name, message: unlistedWords(namespace, listed) });
    } else for (const [owner, each] of listed) found.set(owner, each);
  }
  const read = await readDeployments(found, reading);
  if (read.how === 'complete') {
    for (const namespace of namespaces.filter((each) => !unlisted.includes(each))) {
      await withdrawAbsent(target, namespace, found, scanIn(scan, namespace), tally, services);
    }
  }
  return { ...read, unlisted };
}

/**
 * Reads what this scan has not seen, longest unseen first. A deployment that cannot be read is told by its name and left as it
 * is. When its failure seems to be the account's, or is ours, that ends the pass, but only once: where it fails so again before
 * it was read, it is taken for its own, so that no deployment keeps the others from being read.
 */
async function readDeployments(found: ReadonlyMap<string, Deployment>, reading: Reading): Promise<Ended> {
  const { target, reader, scan, tally, services, deadlineMs } = reading;
  const { deps, settings } = services;
  const known = await readSourced([...found.keys()], deps);
  const seenIn = (owner: string): number => {
    const sourced = known.get(owner)?.sourced;
    return sourced?.account === scan.account ? sourced.seen : -1;
  };
  const todo = [...found.values()]
    .filter(({ owner }) => seenIn(owner) !== scan.number)
    .sort((a, b) => seenIn(a.owner) - seenIn(b.owner));
  const tried = new Set<string>();
  let stopped: Ended | undefined;
  let left = 0;
  let refusals = 0;
  await pMap(
    todo,
    async (deployment) => {
      const goesOn = stopped === undefined && deps.now() + SLICE_MS <= deadlineMs;
      if (!goesOn || !(await readOne(deployment))) left += 1;
    },
    { concurrency: AT_ONCE },
  );
  for (const owner of found.keys()) {
    const failed = known.get(owner)?.sourced.failed;
    if (failed !== undefined && !tried.has(owner)) tell(owner, failed);
  }
  tally.left += left;
  return stopped ?? { how: left > 0 ? 'partial' : 'complete' };

  /** Whether this scan is done with it. Never throws: others are being read meanwhile. */
  async function readOne(deployment: Deployment): Promise<boolean> {
    const { owner } = deployment;
    const before = known.get(owner);
    tried.add(owner);
    let flows: Flows | undefined;
    try {
      flows = await readFlows(deployment, reader, settings.flinkSource.temporary, deadlineMs);
      const own = scanIn(scan, deployment.namespace);
      const next = await declareDeployment(deployment, flows, before?.sourced, { scan: own, tally, services });
      const written = await writeSourced(next, before?.row, deps);
      refusals = 0;
      return written;
    } catch (thrown) {
      const failure = asFailure(thrown);
      const whose = flows === undefined ? whoseOf(failure, deps.now(), deadlineMs) : 'ours';
      return setAside(owner, failure, whose).catch((trouble: unknown) => {
        stopped ??= ended('ours', asFailure(trouble));
        return false;
      });
    }
  }

  /** Remembers that it failed, so that the next pass knows. */
  async function setAside(owner: string, failure: Failure, whose: Whose): Promise<boolean> {
    const before = known.get(owner);
    const { less, ...kept } = before?.sourced ?? { owner, account: scan.account, seen: scan.number - 1 };
    const again = kept.failed !== undefined;
    const itsOwn = whose === 'its own' || (again && refusals < REFUSALS_IN_A_ROW);
    const failed = failedWords(whose, failure);
    if (itsOwn || whose !== 'no time') tell(owner, failed);
    if (itsOwn) {
      if (whose !== 'its own') refusals += 1;
      return writeSourced({ ...kept, failed, account: scan.account, seen: scan.number }, before?.row, deps);
    }
    stopped ??= again && whose === 'the account' ? { how: 'partial', why: manyWords(failure) } : ended(whose, failure);
    await writeSourced({ ...kept, failed, ...(less ? { less } : {}) }, before?.row, deps);
    return false;
  }

  function tell(owner: string, message: string): void {
    tally.problems.unshift({ target: target.name, owner, message });
  }
}

function ended(whose: Exclude<Whose, 'its own'>, failure: Failure): Ended {
  return { how: endOf(whose), why: endedWords(whose, failure) };
}
