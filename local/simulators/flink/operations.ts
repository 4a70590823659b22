import * as z from 'zod';
import { type Refusal, refusal } from '../alibaba-gateway.ts';
import type { Json } from '../product.ts';
import { listed, pageOf } from './listing.ts';
import { reached } from './reach.ts';
import type { Deployment, Job, Seed } from './seed.ts';

/** What an operation is asked: the decoded parts of its path, its query, and its JSON body. */
export interface Asked {
  readonly path: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  readonly body: Json | undefined;
  /** Of the header. */
  readonly workspace: string;
}

/** Data of a success with the paging around it; a failure inside HTTP 200; or a refusal of the gateway. */
export type Outcome =
  | { readonly data: Json; readonly paging?: Readonly<Record<string, number>> }
  | { readonly errorCode: string; readonly errorMessage: string }
  | { readonly refusal: Refusal };

export interface Operation {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  perform(asked: Asked, world: World): Outcome;
}

export interface World {
  readonly seed: Seed;
  readonly workspace: string;
  /** Of the credentials; deployments and jobs are in it unless seeded elsewhere. */
  readonly namespace: string;
  readonly jobIdLineFeed: boolean;
}

const anyCase = <const Value extends string>(values: readonly [Value, ...Value[]]) =>
  z.string().toUpperCase().pipe(z.enum(values));

/** GetLineageInfoParams (Alibaba, "GetLineageInfoParams", Jan 07 2026): all optional, no unknown keys. */
const paramsSchema = z.strictObject({
  id: z.string().optional(),
  idType: z.string().optional(),
  direction: anyCase(['UPSTREAM', 'DOWNSTREAM', 'BOTH']).optional(),
  depth: z.int().min(1).optional(),
  isColumnLevel: z.boolean().optional(),
  isTemporary: z.boolean().optional(),
  namespace: z.string().optional(),
  workspace: z.string().optional(),
});

/** The five operations that a walk over lineage needs (Alibaba, Realtime Compute for Apache Flink, 2022-07-18). */
export const operations: readonly Operation[] = [
  { name: 'GetLineageInfo', method: 'POST', path: /^\/meta\/v2\/lineage$/, perform: getLineageInfo },
  {
    name: 'GetDeploymentsByName',
    method: 'GET',
    path: /^\/api\/v2\/namespaces\/([^/]+)\/deployments\/name\/([^/]+)$/,
    perform: ({ path: [namespace = '', name], query }, world) =>
      bare(query) ??
      inNamespace(world, namespace, () => ({
        data: deployments(world, namespace)
          .filter((one) => one.name === name)
          .map((one) => served(one, world)),
      })),
  },
  {
    name: 'GetDeployment',
    method: 'GET',
    path: /^\/api\/v2\/namespaces\/([^/]+)\/deployments\/([^/]+)$/,
    perform: ({ path: [namespace = '', id], query }, world) =>
      bare(query) ??
      inNamespace(world, namespace, () => {
        const found = deployments(world, namespace).find((one) => one.deploymentId === id);
        return found === undefined
          ? failed('Simulated.DeploymentNotFound', `There is no deployment ${id}.`)
          : { data: served(found, world) };
      }),
  },
  {
    name: 'ListDeployments',
    method: 'GET',
    path: /^\/api\/v2\/namespaces\/([^/]+)\/deployments$/,
    perform: ({ path: [namespace = ''], query }, world) =>
      inNamespace(world, namespace, () => {
        const all = deployments(world, namespace).map((one) => served(one, world));
        return listed.deployments(all, query);
      }),
  },
  {
    name: 'ListJobs',
    method: 'GET',
    path: /^\/api\/v2\/namespaces\/([^/]+)\/jobs$/,
    perform: ({ path: [namespace = ''], query }, world) =>
      inNamespace(world, namespace, () => {
        const of = query.get('deploymentId');
        if (!of) return { refusal: refusal(400, 'MissingDeploymentId', 'deploymentId is mandatory for this action.') };
        const jobs = world.seed.jobs.filter(
          (job) => job.deploymentId === of && (job.namespace ?? world.namespace) === namespace,
        );
        return listed.jobs(
          jobs.map((job) => servedJob(job, world)),
          query,
        );
      }),
  },
];

function getLineageInfo({ query, body, workspace }: Asked, world: World): Outcome {
  const unwanted = bare(query);
  if (unwanted !== undefined) return unwanted;
  const parsed = paramsSchema.safeParse(body);
  if (!parsed.success) {
    const why = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ');
    return { refusal: refusal(400, 'InvalidParameter.Format', why) };
  }
  const { id, idType, isColumnLevel, namespace, direction, depth } = parsed.data;
  if (parsed.data.workspace !== workspace) {
    return failed('Simulated.WorkspaceMismatch', 'The workspace of the body is not the one of the header.');
  }
  if (id === undefined || id === '') return failed('Simulated.MissingId', 'id is required.');
  if (namespace === undefined || !namespaces(world).has(namespace)) {
    return failed('Simulated.NamespaceNotFound', `There is no namespace ${namespace}.`);
  }
  const type = idType?.toUpperCase();
  if (type !== 'JOB' && type !== 'TABLE') return failed('Simulated.InvalidIdType', 'idType must be JOB or TABLE.');
  const found = reached(world.seed, { id, type, direction: direction ?? 'BOTH', depth: depth ?? 1 });
  if (found === undefined) return failed('Simulated.NotFound', `There is no ${type.toLowerCase()} ${id}.`);
  const info = found.info;
  if (info === undefined) return { data: { nodes: [], edges: { tableLineage: [], columnLineage: [] }, jobInfos: [] } };
  const edges = isColumnLevel === true ? info.edges : { ...info.edges, columnLineage: [] };
  const jobInfos = info.jobInfos?.map((job) => ({
    ...job,
    id: world.jobIdLineFeed && !job.id.endsWith('\n') ? `${job.id}\n` : job.id,
  }));
  return { data: { ...info, edges, jobInfos } as unknown as Json };
}

function deployments(world: World, namespace: string): readonly Deployment[] {
  return world.seed.deployments.filter((one) => (one.namespace ?? world.namespace) === namespace);
}

/** A deployment as it is served: counts of its jobs by state, but never their ids. */
function served(deployment: Deployment, world: World): Record<string, Json> {
  const states = Object.groupBy(
    world.seed.jobs.filter((job) => job.deploymentId === deployment.deploymentId),
    (job) => statusOf(job).toLowerCase(),
  );
  const jobSummary = Object.fromEntries(Object.entries(states).map(([state, jobs]) => [state, jobs?.length ?? 0]));
  return {
    namespace: world.namespace,
    workspace: world.workspace,
    executionMode: 'STREAMING',
    jobSummary,
    ...(deployment as Record<string, Json>),
  };
}

function servedJob(job: Job, world: World): Record<string, Json> {
  const of = world.seed.deployments.find((one) => one.deploymentId === job.deploymentId);
  return {
    namespace: world.namespace,
    workspace: world.workspace,
    executionMode: of?.executionMode ?? 'STREAMING',
    ...(of === undefined ? {} : { deploymentName: of.name }),
    status: 'RUNNING',
    ...(job as Record<string, Json>),
  };
}

function statusOf(job: Job): string {
  return typeof job.status === 'string' ? job.status : String(job.status?.['currentJobStatus'] ?? 'RUNNING');
}

function namespaces(world: World): ReadonlySet<string> {
  const seeded = [...world.seed.deployments, ...world.seed.jobs].map((one) => one.namespace ?? world.namespace);
  return new Set([world.namespace, ...seeded]);
}

function inNamespace(world: World, namespace: string, work: () => Outcome): Outcome {
  return namespaces(world).has(namespace)
    ? work()
    : failed('Simulated.NamespaceNotFound', `There is no namespace ${namespace}.`);
}

/** Refuses query parameters where an operation takes none. */
function bare(query: ReadonlyMap<string, string>): Outcome | undefined {
  const problem = pageOf(query, []);
  return typeof problem === 'object' && 'refusal' in problem ? problem : undefined;
}

function failed(errorCode: string, errorMessage: string): Outcome {
  return { errorCode, errorMessage };
}
