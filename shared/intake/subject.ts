import { commit } from '../converge/commit.ts';
import type { ConvergeDeps } from '../converge/deps.ts';
import { digest } from '../core/digest.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { openlineageOwner } from '../core/owner-key.ts';
import { compareRuns } from '../formats/openlineage/declaration.ts';
import type { Subject } from '../formats/openlineage/event.ts';
import type { Row } from '../ledger/ledger.ts';

/** One of the runs that a job declares the union of. */
export interface CountedRun {
  /** Ledger key of the run. */
  readonly key: string;
  readonly runId: string;
  readonly at: string;
  /** Digest of its edges' facts. */
  readonly hash: string;
  /** Digests of the datasets it names, or `*`: of many. */
  readonly datasets: readonly string[];
}

/** What is known of a job, or of a dataset that events speak of by itself: which rows to read for its declaration. */
export interface SubjectState {
  readonly subject: Subject;
  /** Oldest first. */
  readonly runs: readonly CountedRun[];
  /** Digest of the statement (JobEvent, DatasetEvent) that stands, and the datasets it names. */
  readonly said?: { readonly hash: string; readonly datasets: readonly string[] };
  /** Digests of what the datasets it names have been called since, or `*`: so that a further rename, or a drop, finds it. */
  readonly names?: readonly string[];
  /** A message that publishes is on its way and has not begun. */
  readonly due: boolean;
}

export const subjectKey = (subject: Subject): string => `ol/subject/${subjectId(subject)}`;
export const runKey = (subject: Subject, runId: string): string => `ol/run/${subjectId(subject)}/${digest(runId)}`;
export const statementKey = (subject: Subject): string => `ol/said/${subjectId(subject)}`;
export const datasetIndex = (hash: string): string => `ol-dataset:${hash}`;
export const SUBJECTS = 'ol-subjects';
/** Stands for the datasets of those that name too many to index. */
export const MANY = '*';
const MAX_INDEXED = 100;
/** Events of one job come in bursts; what it declares is published once for all that arrive within this time. */
export const GATHER_MS = 250;

const subjectId = ({ kind, namespace, name }: Subject): string => digest(JSON.stringify([kind, namespace, name]));

/** The owner under which a subject's declaration is stored. A dataset's own stands one folder deeper, where no job can be. */
export function ownerOf(subject: Subject): string {
  const owner = openlineageOwner(subject);
  if (subject.kind === 'job') return owner;
  const slash = owner.lastIndexOf('/');
  return `${owner.slice(0, slash)}/dataset${owner.slice(slash)}`;
}

/** Index values for a list of dataset ids. */
export function indexed(ids: readonly string[]): readonly string[] {
  return ids.length > MAX_INDEXED ? [MANY] : ids.map(digest);
}

export const newSubject = (subject: Subject): SubjectState => ({ subject, runs: [], due: false });

export function decodeSubject(row: Row): SubjectState {
  return row.body as unknown as SubjectState;
}

export function subjectRow(state: SubjectState, deps: ConvergeDeps): Row {
  const datasets = new Set([
    ...state.runs.flatMap((run) => run.datasets),
    ...(state.said?.datasets ?? []),
    ...(state.names ?? []),
  ]);
  const index = [SUBJECTS, ...[...datasets].map(datasetIndex)];
  return {
    key: subjectKey(state.subject),
    rev: deps.id(),
    body: { ...state } as unknown as Readonly<Record<string, Json>> as JsonObject,
    index,
  };
}

/** The last `keep` runs once this one counts, and those that no longer do. */
export function withRun(runs: readonly CountedRun[], run: CountedRun, keep: number) {
  const all = [...runs.filter((each) => each.key !== run.key), run].sort(compareRuns);
  return { runs: all.slice(-keep), displaced: all.slice(0, -keep) };
}

/** The state with these ids as what its datasets have been called since. */
export function withNames({ names: _before, ...state }: SubjectState, ids: readonly string[]): SubjectState {
  return ids.length === 0 ? state : { ...state, names: indexed(ids) };
}

/**
 * Changes a subject's row and has it published. The message goes out before the row is written: if this process dies between the
 * two, the event is delivered again and does both. A change while a message is on its way needs no second one.
 */
export async function changeSubject(
  subject: Subject,
  change: (state: SubjectState) => SubjectState | undefined,
  delayMs: number,
  deps: ConvergeDeps,
): Promise<SubjectState> {
  for (;;) {
    const row = await deps.ledger.get(subjectKey(subject));
    const state = row ? decodeSubject(row) : newSubject(subject);
    const next = change(state);
    if (!next) return state;
    // Each time around: what was sent before may have been worked on already, and have made the write below fail.
    if (!state.due) await deps.queue.send({ kind: 'publish', subject }, { delayMs });
    const written = { ...next, due: true };
    if (await commit(deps.ledger, subjectRow(written, deps), row?.rev ?? null)) return written;
  }
}
