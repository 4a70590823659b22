import type { Problem } from '../../core/edge.ts';
import { deeperThan, type Json, type JsonObject } from '../../core/json.ts';
import { readTime } from './time.ts';

/** Whose lineage an event tells: a job's, or, with a DatasetEvent, a dataset's own. */
export interface Subject {
  readonly kind: 'job' | 'dataset';
  readonly namespace: string;
  readonly name: string;
}

export const RUN_STATES = ['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** An OpenLineage event of which everything this project needs is there. */
export interface LineageEvent {
  readonly kind: 'run' | 'job' | 'dataset';
  readonly subject: Subject;
  /** UTC with nine decimals. */
  readonly time: string;
  readonly producer: string;
  readonly runId?: string;
  readonly state?: RunState;
  readonly raw: JsonObject;
}

export interface ReadOptions {
  /** Insist on what the specification requires; otherwise as lenient as Marquez is. */
  readonly strict: boolean;
}

export const MAX_NAME = 2_000;
const MAX_DATASETS = 20_000;
/** Deeper events exhaust the stack of whoever writes them again: the queue, the archive. */
const MAX_DEPTH = 500;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Reads one event. Its class follows from its shape (`run`, else `job`, else `dataset`; null counts as absent), because the class named by
 * `schemaURL` is often missing or wrong. Lenient (Marquez, ingest of 0.5x, read 2026-11): type in any case or missing (then
 * RUNNING), times without zone, any text as run id, unknown facets, null facets and null lists.
 */
export function readEvent(
  value: Json,
  options: ReadOptions,
): { readonly event: LineageEvent } | { readonly problems: readonly Problem[] } {
  if (!isObject(value)) return { problems: [{ path: '', message: 'an event is a JSON object, { … }' }] };
  if (deeperThan(value, MAX_DEPTH))
    return { problems: [{ path: '', message: `is nested more than ${MAX_DEPTH} levels deep` }] };
  const problems: Problem[] = [];
  const time = timeOf(value, problems);
  const producer = typeof value['producer'] === 'string' ? value['producer'].slice(0, MAX_NAME) : '';
  if (options.strict) problems.push(...strictProblems(value));
  const common = { time, producer, raw: value };
  const event = isObject(value['run'])
    ? runEvent(value, problems, common)
    : isObject(value['job'])
      ? { kind: 'job' as const, subject: subjectOf('job', value['job'], 'job', problems), ...common }
      : isObject(value['dataset'])
        ? { kind: 'dataset' as const, subject: subjectOf('dataset', value['dataset'], 'dataset', problems), ...common }
        : undefined;
  if (event === undefined) {
    problems.push({ path: '', message: 'is no RunEvent, JobEvent or DatasetEvent: give run and job, job, or dataset' });
    return { problems };
  }
  if (event.kind !== 'dataset')
    for (const side of ['inputs', 'outputs'] as const) checkSide(value[side], side, problems);
  return problems.length > 0 ? { problems } : { event };
}

type Common = Pick<LineageEvent, 'time' | 'producer' | 'raw'>;

function runEvent(value: JsonObject, problems: Problem[], common: Common): LineageEvent {
  const { runId } = value['run'] as JsonObject;
  const id = typeof runId === 'string' || typeof runId === 'number' ? String(runId).trim() : '';
  if (id === '' || id.length > MAX_NAME)
    problems.push({ path: 'run.runId', message: 'is missing; every run needs an id of its own' });
  if (!isObject(value['job']))
    problems.push({ path: 'job', message: 'is missing; a run belongs to a job { namespace, name }' });
  const given = typeof value['eventType'] === 'string' ? value['eventType'].trim().toUpperCase() : '';
  const state = RUN_STATES.find((each) => each === given) ?? (given === '' ? 'RUNNING' : undefined);
  if (state === undefined) problems.push({ path: 'eventType', message: `is none of ${RUN_STATES.join(', ')}` });
  return {
    kind: 'run',
    subject: subjectOf('job', isObject(value['job']) ? value['job'] : { namespace: '-', name: '-' }, 'job', problems),
    runId: UUID.test(id) ? id.toLowerCase() : id,
    state: state ?? 'OTHER',
    ...common,
  };
}

function timeOf(value: JsonObject, problems: Problem[]): string {
  const given = value['eventTime'];
  const time = typeof given === 'string' ? readTime(given) : undefined;
  if (time === undefined) {
    problems.push({
      path: 'eventTime',
      message: given === undefined || given === null ? 'is missing' : 'is no time; write it as 2026-11-20T02:00:00Z',
    });
  }
  return time ?? '';
}

function subjectOf(kind: Subject['kind'], value: JsonObject, path: string, problems: Problem[]): Subject {
  checkIdentity(value, path, problems);
  return { kind, namespace: String(value['namespace']), name: String(value['name']) };
}

function checkSide(value: Json | undefined, side: string, problems: Problem[]): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value)) {
    problems.push({ path: side, message: 'is a list of datasets, [ … ]' });
    return;
  }
  if (value.length > MAX_DATASETS)
    problems.push({ path: side, message: `${value.length} datasets; the limit is ${MAX_DATASETS}` });
  for (const [at, dataset] of (value as readonly Json[]).entries()) {
    if (problems.length > 100) return;
    if (isObject(dataset)) checkIdentity(dataset, `${side}[${at}]`, problems);
    else problems.push({ path: `${side}[${at}]`, message: 'is a dataset { namespace, name }' });
  }
}

function checkIdentity(value: JsonObject, path: string, problems: Problem[]): void {
  for (const key of ['namespace', 'name']) {
    const text = value[key];
    if (typeof text !== 'string' || text === '')
      problems.push({ path: `${path}.${key}`, message: 'is missing or empty' });
    else if (!isName(text)) {
      problems.push({
        path: `${path}.${key}`,
        message: `is no name: at most ${MAX_NAME} characters, no control characters`,
      });
    }
  }
}

/** Whether a text may name something in a manifest. */
export function isName(text: unknown): text is string {
  return (
    typeof text === 'string' && text !== '' && text.length <= MAX_NAME && text.isWellFormed() && !/\p{Cc}/u.test(text)
  );
}

/** What the specification requires beyond what a lenient reader needs (OpenLineage.json 2-0-2). */
function strictProblems(value: JsonObject): Problem[] {
  const problems: Problem[] = [];
  for (const key of ['producer', 'schemaURL']) {
    if (typeof value[key] !== 'string' || !URL.canParse(value[key]))
      problems.push({ path: key, message: 'must be a URI' });
  }
  const { eventTime, eventType } = value;
  if (typeof eventTime === 'string' && !/(Z|[+-]\d\d:\d\d)$/i.test(eventTime))
    problems.push({ path: 'eventTime', message: 'must name its time zone' });
  if (isObject(value['run'])) {
    const { runId } = value['run'];
    if (typeof runId !== 'string' || !UUID.test(runId)) problems.push({ path: 'run.runId', message: 'must be a UUID' });
    if (eventType !== undefined && !RUN_STATES.some((each) => each === eventType))
      problems.push({ path: 'eventType', message: `must be one of ${RUN_STATES.join(', ')}` });
  }
  const facets = (holder: Json | undefined, path: string, names: readonly string[]) => {
    if (!isObject(holder)) return;
    for (const name of names) {
      const group = holder[name];
      if (group === undefined) continue;
      if (!isObject(group)) problems.push({ path: `${path}.${name}`, message: 'must be an object' });
      else {
        for (const [facet, content] of Object.entries(group)) {
          const whole =
            isObject(content) && typeof content['_producer'] === 'string' && typeof content['_schemaURL'] === 'string';
          if (!whole && problems.length <= 100)
            problems.push({
              path: `${path}.${name}.${facet}`,
              message: 'must be an object with _producer and _schemaURL',
            });
        }
      }
    }
  };
  for (const part of ['run', 'job', 'dataset']) facets(value[part], part, ['facets']);
  for (const [side, own] of [
    ['inputs', 'inputFacets'],
    ['outputs', 'outputFacets'],
  ] as const) {
    const list = value[side];
    if (Array.isArray(list)) list.forEach((each: Json, at) => void facets(each, `${side}[${at}]`, ['facets', own]));
  }
  return problems;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
