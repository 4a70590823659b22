import { digest } from '../../core/digest.ts';
import { compare, type DatasetEdge, type DeriveOptions, deriveEdges } from './derive.ts';
import { isObject, type LineageEvent, type RunState, type Subject } from './event.ts';
import { type Facts, idsOf, mergeFacts, NO_FACTS, readLink } from './facts.ts';
import { factsOf } from './read-facts.ts';

export interface OpenLineageOptions extends DeriveOptions {
  /** How many of a job's last completed runs it declares the union of. */
  readonly runs: number;
  /** Whether batch runs that failed or were aborted count like completed ones. */
  readonly failedRuns: boolean;
}

/** Everything the events of one run said, in any order and any number of times. Plain data. */
export interface Run {
  readonly subject: Subject;
  readonly runId: string;
  /** Time of the latest event and who sent it. */
  readonly at: string;
  readonly producer: string;
  readonly states: readonly RunState[];
  /** `processingType`s given. */
  readonly processing: readonly string[];
  readonly facts: Facts;
  /** When these facts last named a dataset, by its id. Runs stored before 2026-11-21 are without: then at their latest event. */
  readonly named?: Readonly<Record<string, string>>;
  /** The latest complete snapshot that names datasets; earlier ones are replaced, never added. */
  readonly snapshot?: Snapshot;
}

interface Snapshot {
  readonly at: string;
  readonly hash: string;
  readonly facts: Facts;
}

/** What a JobEvent or DatasetEvent declares: the latest one replaces the earlier ones. */
export interface Statement {
  readonly subject: Subject;
  readonly at: string;
  readonly hash: string;
  readonly producer: string;
  readonly facts: Facts;
}

/** Reduces a RunEvent to a run that knows only this event. */
export function runOf(event: LineageEvent, options: OpenLineageOptions): Run {
  const facts = factsOf(event, options.indirect);
  const job = jobType(event);
  // One that names no dataset is a sign of life: clients write lists that they do not use as empty ones.
  const snapshot = job.snapshot && names(facts);
  return {
    subject: event.subject,
    runId: event.runId ?? '',
    at: event.time,
    producer: event.producer,
    states: [event.state ?? 'RUNNING'],
    processing: job.processing ? [job.processing] : [],
    facts: snapshot ? NO_FACTS : facts,
    named: snapshot ? {} : namedAt(facts, event.time),
    ...(snapshot ? { snapshot: { at: event.time, hash: hashOf(facts), facts } } : {}),
  };
}

/** Commutative, associative and idempotent. */
export function mergeRuns(left: Run, right: Run): Run {
  const [late, early] =
    compare(left.at, right.at) || compare(left.producer, right.producer) ? later(left, right) : [left, right];
  const snapshot = laterSnapshot(left.snapshot, right.snapshot);
  return {
    subject: late.subject,
    runId: late.runId,
    at: late.at,
    producer: late.producer,
    states: [...new Set([...early.states, ...late.states])].sort(),
    processing: [...new Set([...early.processing, ...late.processing])].sort(),
    facts: mergeFacts(left.facts, right.facts),
    named: latest(namedBy(left), namedBy(right)),
    ...(snapshot ? { snapshot } : {}),
  };
}

function later(left: Run, right: Run): readonly [Run, Run] {
  return (compare(left.at, right.at) || compare(left.producer, right.producer)) > 0 ? [left, right] : [right, left];
}

function laterSnapshot(left: Snapshot | undefined, right: Snapshot | undefined): Snapshot | undefined {
  if (!left || !right) return left ?? right;
  return (compare(left.at, right.at) || compare(left.hash, right.hash)) >= 0 ? left : right;
}

const namedAt = (facts: Facts, at: string): Readonly<Record<string, string>> =>
  Object.fromEntries(idsOf(facts).map((id) => [id, at]));

const namedBy = (run: Run): Readonly<Record<string, string>> => run.named ?? namedAt(run.facts, run.at);

function latest(
  left: Readonly<Record<string, string>>,
  right: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const all = new Map(Object.entries(left));
  for (const [id, at] of Object.entries(right)) if (at > (all.get(id) ?? '')) all.set(id, at);
  return Object.fromEntries([...all].sort(([a], [b]) => compare(a, b)));
}

/** When a run last named a dataset, by this name or another one of it. */
export function lastNamed(run: Run): (id: string) => string {
  const { snapshot } = run;
  const times = new Map(
    Object.entries(snapshot ? latest(namedBy(run), namedAt(snapshot.facts, snapshot.at)) : namedBy(run)),
  );
  for (const text of factsOfRun(run).aliases) {
    const [id, other] = JSON.parse(text) as [string, string];
    const at = times.get(other) ?? '';
    if (at > (times.get(id) ?? '')) times.set(id, at);
  }
  return (id) => times.get(id) ?? run.at;
}

export function factsOfRun(run: Run): Facts {
  return run.snapshot ? mergeFacts(run.facts, run.snapshot.facts) : run.facts;
}

export function edgesOfRun(run: Run, options: DeriveOptions): readonly DatasetEdge[] {
  return deriveEdges(factsOfRun(run), options);
}

/**
 * Whether a run counts among its job's last ones: it says something about lineage, and is done or streams. One that has sent a complete
 * snapshot always does, also where nothing feeds anything any more: a side that such a snapshot leaves empty is empty.
 * A run never stops counting by another event of its own, so this asks only for what further events cannot take back.
 */
export function counts(run: Run, options: OpenLineageOptions): boolean {
  if (run.snapshot) return true;
  const done =
    run.states.includes('COMPLETE') ||
    (options.failedRuns && run.states.some((state) => state === 'FAIL' || state === 'ABORT')) ||
    streams(run);
  return done && speaks(run.facts);
}

/** Streaming and service jobs may never complete. Flink before the jobType facet, and Debezium, say so by their name only. */
function streams(run: Run): boolean {
  if (run.processing.some((each) => each === 'STREAMING' || each === 'SERVICE')) return true;
  return !run.processing.includes('BATCH') && /\/flink\b|debezium/i.test(run.producer);
}

/** Names both sides, whether or not an edge comes of it, or says of some dataset what its sources are, perhaps none. */
function speaks(facts: Facts): boolean {
  if (facts.targets.length > 0) return true;
  const has = (side: 'from' | 'to') => facts.links.some((text) => readLink(text)[side] !== undefined);
  return (facts.inputs.length > 0 || has('from')) && (facts.outputs.length > 0 || has('to'));
}

const names = (facts: Facts): boolean =>
  facts.inputs.length > 0 || facts.outputs.length > 0 || facts.targets.length > 0;

/**
 * What a JobEvent or DatasetEvent declares; undefined when it says nothing about lineage, which replaces nothing. A JobEvent describes a
 * job as it is: an empty list, on either side, says that the job reads or writes nothing, a list that is not there says nothing.
 */
export function statementOf(event: LineageEvent, options: OpenLineageOptions): Statement | undefined {
  const facts = factsOf(event, options.indirect);
  const { inputs, outputs } = event.raw;
  const withdraws = event.kind === 'job' && [inputs, outputs].some((list) => Array.isArray(list) && list.length === 0);
  if (!withdraws && facts.targets.length === 0 && deriveEdges(facts, options).length === 0) return undefined;
  return { subject: event.subject, at: event.time, hash: hashOf(facts), producer: event.producer, facts };
}

export function laterStatement(left: Statement, right: Statement): Statement {
  const order = compare(left.at, right.at) || compare(left.hash, right.hash) || compare(left.producer, right.producer);
  return order >= 0 ? left : right;
}

export function hashOf(facts: Facts): string {
  return digest(JSON.stringify(facts));
}

interface JobType {
  readonly processing?: string;
  readonly snapshot: boolean;
}

/** JobTypeJobFacet, 2-0-4. */
function jobType(event: LineageEvent): JobType {
  const job = event.raw['job'];
  const facets = isObject(job) ? job['facets'] : undefined;
  const facet = isObject(facets) ? facets['jobType'] : undefined;
  if (!isObject(facet)) return { snapshot: false };
  const type = typeof facet['processingType'] === 'string' ? facet['processingType'].toUpperCase() : '';
  const pattern = facet['emissionPattern'];
  const snapshot = isObject(pattern) && String(pattern['eventContentMode']).toUpperCase() === 'COMPLETE_SNAPSHOT';
  return { snapshot, ...(/^(BATCH|STREAMING|SERVICE)$/.test(type) ? { processing: type } : {}) };
}
