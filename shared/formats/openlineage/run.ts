import { digest } from '../../core/digest.ts';
import { compare, type DatasetEdge, type DeriveOptions, deriveEdges } from './derive.ts';
import { isObject, type LineageEvent, type RunState, type Subject } from './event.ts';
import { type Facts, mergeFacts, NO_FACTS } from './facts.ts';
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
  /** `processingType`s given, and `SNAPSHOT` where an event was a complete snapshot. */
  readonly processing: readonly string[];
  readonly facts: Facts;
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
  const snapshot = job.snapshot && names(facts);
  return {
    subject: event.subject,
    runId: event.runId ?? '',
    at: event.time,
    producer: event.producer,
    states: [event.state ?? 'RUNNING'],
    processing: [...(job.processing ? [job.processing] : []), ...(snapshot ? ['SNAPSHOT'] : [])],
    facts: snapshot ? NO_FACTS : facts,
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

export function factsOfRun(run: Run): Facts {
  return run.snapshot ? mergeFacts(run.facts, run.snapshot.facts) : run.facts;
}

export function edgesOfRun(run: Run, options: DeriveOptions): readonly DatasetEdge[] {
  return deriveEdges(factsOfRun(run), options);
}

/**
 * Whether a run counts among its job's last ones: it says something about lineage and is done, or it streams and has both sides.
 * A run never stops counting by another event of its own.
 */
export function counts(run: Run, options: OpenLineageOptions): boolean {
  const done =
    run.states.includes('COMPLETE') ||
    (options.failedRuns && run.states.some((state) => state === 'FAIL' || state === 'ABORT')) ||
    streams(run);
  return done && speaks(factsOfRun(run), options);
}

/** Streaming and service jobs may never complete. Flink before the jobType facet, and Debezium, say so by their name only. */
function streams(run: Run): boolean {
  if (run.processing.some((each) => each === 'STREAMING' || each === 'SERVICE' || each === 'SNAPSHOT')) return true;
  return !run.processing.includes('BATCH') && /\/flink\b|debezium/i.test(run.producer);
}

/** Names an edge, or says of some dataset that it has no source. */
function speaks(facts: Facts, options: DeriveOptions): boolean {
  return facts.targets.length > 0 || deriveEdges(facts, options).length > 0;
}

const names = (facts: Facts): boolean =>
  facts.inputs.length > 0 || facts.outputs.length > 0 || facts.targets.length > 0;

/** What a JobEvent or DatasetEvent declares; undefined when it says nothing about lineage, which replaces nothing. */
export function statementOf(event: LineageEvent, options: OpenLineageOptions): Statement | undefined {
  const facts = factsOf(event, options.indirect);
  const { inputs } = event.raw;
  const withdraws = event.kind === 'job' && Array.isArray(inputs) && inputs.length === 0;
  if (!withdraws && !speaks(facts, options)) return undefined;
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
