import * as z from 'zod';
import { asFailure, Failure } from '../../core/failure.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { CallOptions, Pipeline, PipelineFilter } from '../vendor.ts';
import { namespaceRule, PLAIN_NAMESPACE } from './secret.ts';
import {
  type Deployment,
  deploymentSchema,
  type Envelope,
  isRunning,
  type Job,
  jobSchema,
  PAGE_SIZE,
  startOf,
} from './wire.ts';

/** Sends one signed call; throws the `Failure` of anything but a success. */
export type Ask = (
  operation: string,
  request: { readonly path: string; readonly query?: readonly QueryPair[]; readonly body?: object },
  options: CallOptions,
) => Promise<Envelope>;

/** How often a list that changes while it is read is begun again. */
const MAX_WALKS = 3;
/** A streaming deployment has a handful of jobs; of a batch deployment with more runs than this the newest count. */
const MAX_JOBS = 1_000;
/**
 * No default order of ListJobs is documented, unlike that of ListDeployments; nor are the values of `sortOrder` (ververica-20220718
 * SDK and "ListJobs", read 2026-11). So what comes is not believed to be in this order, either.
 */
const NEWEST_FIRST: readonly QueryPair[] = [
  ['sortName', 'gmt_create'],
  ['sortOrder', 'DESC'],
];

/** Every deployment once, newest first, with its current jobs: ListDeployments, then ListJobs of each. */
export async function* pipelines(
  ask: Ask,
  namespace: string,
  filter: PipelineFilter,
  options: CallOptions,
): AsyncGenerator<Pipeline> {
  const path = `${pathOf(namespace)}/deployments`;
  const list = paged(ask, 'ListDeployments', path, filterQuery(filter), deploymentSchema, options);
  for await (const deployment of once(list, (each) => each.deploymentId)) {
    if (!hasLabel(deployment, filter)) continue;
    yield {
      id: deployment.deploymentId,
      name: deployment.name,
      namespace: deployment.namespace ?? namespace,
      labels: labelsOf(deployment),
      jobs: filter.jobs === 'later' ? [] : await currentJobs(ask, namespace, deployment.deploymentId, options),
    };
  }
}

/** Ids of the jobs of a deployment that run; if none runs, of the one that started last (the first, where none says when). */
export async function currentJobs(
  ask: Ask,
  namespace: string,
  deploymentId: string,
  options: CallOptions,
): Promise<readonly string[]> {
  const path = `${pathOf(namespace)}/jobs`;
  const listed = async (order: readonly QueryPair[]): Promise<readonly Job[]> => {
    const query: QueryPair[] = [['deploymentId', deploymentId], ...order];
    const found: Job[] = [];
    for await (const job of once(paged(ask, 'ListJobs', path, query, jobSchema, options), (each) => each.jobId)) {
      found.push(job);
      if (found.length === MAX_JOBS) break;
    }
    return found;
  };
  const jobs = await listed(NEWEST_FIRST).catch((thrown: unknown) => {
    const { kind } = asFailure(thrown);
    if (kind !== 'invalid' && kind !== 'rejected') throw thrown;
    // Perhaps this order was refused, whose spelling is a guess.
    return listed([]);
  });
  const running = jobs.filter(isRunning);
  return (running.length > 0 ? running : latestOf(jobs)).map((job) => job.jobId);
}

function latestOf(jobs: readonly Job[]): readonly Job[] {
  const [first, ...others] = jobs;
  if (first === undefined) return [];
  return [others.reduce((latest, job) => (startOf(job) > startOf(latest) ? job : latest), first)];
}

/** The deployments that an id or a name stands for; none when there is no such one. */
export async function deploymentsCalled(
  ask: Ask,
  by: 'id' | 'name',
  text: string,
  namespace: string,
  options: CallOptions,
): Promise<readonly Deployment[]> {
  const [operation, folder] = by === 'id' ? ['GetDeployment', ''] : ['GetDeploymentsByName', 'name/'];
  const path = `${pathOf(namespace)}/deployments/${folder}${encodeURIComponent(text)}`;
  const { data } = await ask(operation, { path }, options);
  if (data === null || data === undefined) return [];
  return parsed(operation, z.array(deploymentSchema), Array.isArray(data) ? data : [data]);
}

/** Throws `Failure` `invalid` for a namespace that cannot stand in a path. */
export function pathOf(namespace: string): string {
  if (!PLAIN_NAMESPACE.test(namespace)) {
    throw new Failure(
      'invalid',
      `The Flink namespace ${JSON.stringify(namespace)} cannot be asked for: ${namespaceRule}.`,
    );
  }
  return `/api/v2/namespaces/${encodeURIComponent(namespace)}`;
}

/**
 * All rows of a list. Pages are counted by rows, so a row that goes away while they are read pushes others past us: then the
 * list is begun again, and rows may come twice. So it is when an empty page comes before all are seen that the list said it has.
 * Throws `Failure` `unavailable` when it is no whole list to the last, and for a page that is none: `null` is one only of 0 rows.
 */
async function* paged<T extends z.ZodType>(
  ask: Ask,
  operation: string,
  path: string,
  filter: readonly QueryPair[],
  schema: T,
  options: CallOptions,
): AsyncGenerator<z.output<T>> {
  for (let walk = 1; walk <= MAX_WALKS; walk += 1) {
    let total: number | undefined;
    let changed = false;
    for (let index = 1, seen = 0; ; index += 1) {
      const query: QueryPair[] = [...filter, ['pageIndex', String(index)], ['pageSize', String(PAGE_SIZE)]];
      const { data, totalSize } = await ask(operation, { path, query }, options);
      const rows = parsed(operation, z.array(schema), totalSize === 0 ? (data ?? []) : data);
      changed ||= total !== undefined && totalSize !== undefined && totalSize < total;
      total = totalSize ?? total;
      seen += rows.length;
      yield* rows;
      if (total === undefined ? rows.length < PAGE_SIZE : seen >= total) break;
      changed ||= rows.length === 0;
      if (rows.length === 0) break;
    }
    if (!changed) return;
  }
  throw new Failure(
    'unavailable',
    `The list of ${operation} kept changing while it was read, or never came whole, so some of it may be missing. It is read again later.`,
  );
}

async function* once<T>(rows: AsyncIterable<T>, idOf: (row: T) => string): AsyncGenerator<T> {
  const seen = new Set<string>();
  for await (const row of rows) {
    if (seen.has(idOf(row))) continue;
    seen.add(idOf(row));
    yield row;
  }
}

/** Several label values are compared here: the page separates them by semicolons, its example by commas. */
function filterQuery({ name, label, status }: PipelineFilter): readonly QueryPair[] {
  const [value] = label?.values ?? [];
  const plain = label?.values?.length === 1 && value !== undefined && !/[;,]/.test(value);
  return [
    ...(name === undefined ? [] : [['name', name] as const]),
    ...(status === undefined ? [] : [['status', status] as const]),
    ...(label === undefined ? [] : [['labelKey', label.key] as const]),
    ...(plain ? [['labelValueArray', value] as const] : []),
  ];
}

function hasLabel(deployment: Deployment, { label }: PipelineFilter): boolean {
  if (label === undefined) return true;
  const value = labelsOf(deployment)[label.key];
  return value !== undefined && (label.values === undefined || label.values.includes(value));
}

function labelsOf({ labels }: Deployment): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels ?? {}).map(([key, value]) => [key, String(value)]));
}

function parsed<T extends z.ZodType>(operation: string, schema: T, data: unknown): z.output<T> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const where = result.error.issues.slice(0, 3).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Failure('unavailable', `Flink answered ${operation} with data that cannot be read (${where.join('; ')}).`);
}
