import { Failure } from '../../../shared/core/failure.ts';
import type { Graph } from '../../../shared/core/graph.ts';
import type { Services } from '../../../shared/wiring.ts';
import { type LineageQuery, lineage } from '../fetch.ts';
import { type Catalog, type CatalogJob, catalogOf } from './catalog.ts';
import { graphIds, type Identity, jobNode, ownerOfJob, ownersOf } from './node-id.ts';

/** Edges of one answer, and pages of a thousand of a whole listing. */
const MOST = 1_000;
const PAGES = 20;
/** Datasets from which the graph around a job is walked. */
const STARTS = 40;

const base = { direction: 'both', depth: 1, level: 'column', limit: MOST } as const;

async function found(query: LineageQuery, services: Services): Promise<Graph | undefined> {
  try {
    return await lineage(query, services);
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'missing') return undefined;
    throw thrown;
  }
}

export interface Walk {
  readonly direction: LineageQuery['direction'];
  readonly depth: number;
}

/** What is known around a dataset, and under which id; undefined when nothing is. */
export async function aroundDataset(
  dataset: Identity,
  walk: Walk,
  services: Services,
): Promise<{ readonly id: string; readonly graph: Graph } | undefined> {
  for (const id of graphIds(dataset)) {
    const graph = await found({ ...base, ...walk, dataset: id }, services);
    const own = graph?.nodes.find((node) => node.id === id || node.names.includes(id));
    if (graph !== undefined) return { id: own?.id ?? id, graph };
  }
  return undefined;
}

/** The edges that a job makes; empty when it makes none. */
export async function ofJob(job: Identity, services: Services): Promise<readonly Graph[]> {
  const own = ownerOfJob(job);
  const owners = own === undefined ? ownersOf(job) : [own];
  const graphs = (await Promise.all(owners.map((owner) => found({ ...base, owner }, services)))).filter(
    (graph) => graph !== undefined && jobIn([graph], job) !== undefined,
  ) as Graph[];
  if (graphs.length > 0 || own !== undefined) return graphs.map((graph) => only(graph, job));
  // Named by a manifest that somebody wrote, under a key that does not tell.
  const whole = await found({ ...base, job: `${job.namespace}/${job.name}` }, services);
  return whole === undefined ? [] : [only(whole, job)];
}

/** Without what other jobs make. */
function only(graph: Graph, job: Identity): Graph {
  const name = `${job.namespace}/${job.name}`;
  const own = ownerOfJob(job);
  const edges = graph.edges.flatMap((edge) => {
    if (own !== undefined) return edge.declaredBy.includes(own) ? [{ ...edge, jobs: [], declaredBy: [own] }] : [];
    return edge.jobs?.includes(name) ? [{ ...edge, jobs: [name] }] : [];
  });
  return { nodes: graph.nodes, edges };
}

/** A job as it is asked for, wherever its two parts were parted. */
export function jobIn(graphs: readonly Graph[], job: Identity): CatalogJob | undefined {
  const { jobs } = catalogOf(graphs);
  const whole = ({ namespace, name }: Identity) => `${namespace}/${name}`;
  const found = jobs.get(jobNode(job)) ?? [...jobs.values()].find((each) => whole(each) === whole(job));
  return found && { ...found, namespace: job.namespace, name: job.name };
}

/** What is known around a job: its edges, and what lies above its inputs and below its outputs. */
export async function aroundJob(job: Identity, depth: number, services: Services): Promise<readonly Graph[]> {
  const own = await ofJob(job, services);
  if (depth < 2) return own;
  const starts = new Set(own.flatMap((graph) => graph.edges.flatMap((edge) => [edge.from, edge.to])));
  const around: Graph[] = [];
  for (const dataset of [...starts].slice(0, STARTS)) {
    const graph = await found({ ...base, dataset, depth: depth - 1 }, services);
    if (graph !== undefined) around.push(graph);
  }
  return [...own, ...around];
}

/** Everything, as far as one answer can go. */
export async function wholeCatalog(services: Services): Promise<Catalog> {
  const graphs: Graph[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const graph = await lineage({ ...base, ...(after === undefined ? {} : { after }) }, services);
    graphs.push(graph);
    after = graph.next;
    if (after === undefined) break;
  }
  return catalogOf(graphs);
}
