import * as z from 'zod';
import { readTime } from '../../../shared/formats/openlineage/time.ts';
import { type Answer, json, type Request, type Route } from '../../../shared/triggers/http.ts';
import { problem } from '../../../shared/triggers/problem.ts';
import type { Services } from '../../../shared/wiring.ts';
import { count, problemsOf } from '../query.ts';
import { catalogOf } from './catalog.ts';
import { eventsBetween } from './events.ts';
import { namespacesIn, searchIn } from './listing.ts';
import { datasetNode, type Identity, jobNode, type NodeId, readNodeId } from './node-id.ts';
import { aroundDataset, aroundJob, jobIn, ofJob, type Walk, wholeCatalog } from './read.ts';
import { runsOf } from './runs.ts';
import { columnShape, datasetShape, jobShape, lineageShape, ownColumns } from './shapes.ts';

const MAX_DEPTH = 50;
const MAX_LIMIT = 1_000;
/** Jobs whose runs one answer tells. */
const JOBS_WITH_RUNS = 200;

// Made when they are first needed, because a new process answers one question only.
const depth = z.lazy(() =>
  z.coerce
    .number('depth is a whole number')
    .int()
    .min(0)
    .default(20)
    .transform((given) => Math.min(given, MAX_DEPTH)),
);
const offset = z.lazy(() => z.coerce.number('offset is a whole number').int().min(0).max(1_000_000).default(0));
const limit = (standard: number) => count('limit', MAX_LIMIT, standard);
const page = z.lazy(() => z.object({ limit: limit(100), offset }));
const nodeId = z.lazy(() => z.string('nodeId is missing').max(4_000));
const flag = z.lazy(() => z.enum(['true', 'false']).default('false'));
const time = z.lazy(() =>
  z
    .string()
    .transform((text) => readTime(text))
    .refine((given) => given !== undefined, 'is no time; write it as 2026-11-20T02:00:00Z'),
);

type Handle<Query> = (query: Query, request: Request, services: Services) => Promise<Answer>;

/** Parameters that are not known are passed over, as Marquez does. */
function get<Shape extends z.ZodType>(path: string, schema: Shape, handle: Handle<z.output<Shape>>): Route {
  return {
    method: 'GET',
    path: `/api/v1/${path}`,
    scope: 'fetch',
    async handle(request, services) {
      const parsed = schema.safeParse(Object.fromEntries(request.query));
      if (!parsed.success) return problem(400, 'the query has problems', problemsOf(parsed.error));
      return handle(parsed.data, request, services);
    },
  };
}

const identityIn = ({ params }: Request): Identity => ({
  namespace: params['namespace'] ?? '',
  name: params['name'] ?? '',
});
const unknown = (what: string): Answer => problem(404, `${what.slice(0, 300)} is not known`);
const NO_QUERY = z.object({});

/** The reads of Marquez that its web UI and scripts use (its API and web/src/store/requests, read 2026-11), answered from the ledger. */
export const marquezRoutes: readonly Route[] = [
  get(
    'lineage',
    z.lazy(() => z.object({ nodeId, depth })),
    async (query, _, services) => {
      const node = readNodeId(query.nodeId);
      if (node === undefined || node.type === 'datasetField')
        return problem(400, 'nodeId is dataset:<namespace>:<name> or job:<namespace>:<name>');
      const graphs = await graphsAt(node, { direction: 'both', depth: Math.max(1, query.depth) }, services);
      const catalog = catalogOf(graphs);
      if (catalog.jobs.size === 0) return unknown(query.nodeId);
      const runs = await runsOf([...catalog.jobs.values()].slice(0, JOBS_WITH_RUNS), services);
      return json(200, lineageShape(catalog, runs));
    },
  ),
  get(
    'column-lineage',
    z.lazy(() => z.object({ nodeId, depth, withDownstream: flag })),
    async (query, _, services) => {
      const node = readNodeId(query.nodeId);
      if (node === undefined)
        return problem(
          400,
          'nodeId is dataset:<namespace>:<name>, datasetField:<namespace>:<name>:<field> or job:<namespace>:<name>',
        );
      const withDownstream = query.withDownstream === 'true';
      const steps = Math.max(1, query.depth);
      const options = { depth: steps, withDownstream };
      if (node.type === 'job') {
        const own = await firstOf(node, (job) => ofJob(job, services));
        const outputs = new Set(own.flatMap((graph) => graph.edges.map((edge) => edge.to)));
        if (outputs.size === 0) return unknown(query.nodeId);
        const graphs = await graphsAt(node, { direction: 'both', depth: steps + 1 }, services);
        const graph = { nodes: [], edges: graphs.flatMap((each) => each.edges) };
        return json(
          200,
          columnShape(graph, (dataset) => outputs.has(dataset), options),
        );
      }
      const walk: Walk = { direction: withDownstream ? 'both' : 'upstream', depth: steps };
      for (const { field, ...meaning } of node.meanings) {
        const found = await aroundDataset(meaning, walk, services);
        if (!found) continue;
        const starts = (dataset: string, column: string) =>
          dataset === found.id && (field === undefined || column === field);
        return json(200, columnShape(found.graph, starts, options));
      }
      return unknown(query.nodeId);
    },
  ),
  get('namespaces', page, async ({ limit: most, offset: skip }, _, services) => {
    const namespaces = namespacesIn(await wholeCatalog(services));
    return json(200, { namespaces: namespaces.slice(skip, skip + most) });
  }),
  get('namespaces/{namespace}/datasets', page, async ({ limit: most, offset: skip }, { params }, services) => {
    const catalog = await wholeCatalog(services);
    const all = [...catalog.datasets.values()].filter((each) => each.namespace === params['namespace']);
    const datasets = all.slice(skip, skip + most).map((each) => datasetShape(each));
    return json(200, { datasets, totalCount: all.length });
  }),
  get('namespaces/{namespace}/datasets/{name}', NO_QUERY, async (_, request, services) => {
    const dataset = await oneDataset(identityIn(request), services);
    return dataset === undefined ? unknown(datasetNode(identityIn(request))) : json(200, dataset);
  }),
  get('namespaces/{namespace}/datasets/{name}/versions', page, async (_, request, services) => {
    const dataset = await oneDataset(identityIn(request), services);
    if (dataset === undefined) return unknown(datasetNode(identityIn(request)));
    // What is declared now is the only version there is.
    const version = '00000000-0000-0000-0000-000000000001';
    const versions = [
      { ...dataset, id: { ...identityIn(request), version }, version, createdByRun: null, lifecycleState: '' },
    ];
    return json(200, { versions, totalCount: 1 });
  }),
  get('namespaces/{namespace}/jobs', page, async (query, { params }, services) =>
    json(200, await jobList(query, services, params['namespace'])),
  ),
  get('jobs', page, async (query, _, services) => json(200, await jobList(query, services))),
  get('namespaces/{namespace}/jobs/{name}', NO_QUERY, async (_, request, services) => {
    const identity = identityIn(request);
    const graphs = await ofJob(identity, services);
    const job = jobIn(graphs, identity);
    if (job === undefined) return unknown(jobNode(identity));
    const runs = await runsOf([identity], services);
    return json(200, jobShape(job, catalogOf(graphs), runs.get(jobNode(identity))));
  }),
  get('namespaces/{namespace}/jobs/{name}/runs', page, async ({ limit: most, offset: skip }, request, services) => {
    const identity = identityIn(request);
    const runs = (await runsOf([identity], services)).get(jobNode(identity)) ?? [];
    return json(200, { runs: runs.slice(skip, skip + most), totalCount: runs.length });
  }),
  get(
    'events/lineage',
    z.lazy(() =>
      z.object({
        before: time.optional(),
        after: time.optional(),
        limit: limit(100),
        offset,
        sortDirection: z.enum(['asc', 'desc']).catch('desc'),
      }),
    ),
    async ({ before, after, ...rest }, { caller }, services) => {
      const query = { ...rest, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
      const { events, totalCount, cut } = await eventsBetween(query, caller, services);
      // Beside the answer, whose shape clients know.
      return json(200, { events, totalCount }, cut ? { 'x-older-events': 'not-counted' } : {});
    },
  ),
  get(
    'search',
    z.lazy(() =>
      z.object({
        q: z.string('q is missing').min(1).max(2_000),
        filter: z
          .preprocess((text) => String(text).toUpperCase(), z.enum(['DATASET', 'JOB']))
          .optional()
          .catch(undefined),
        sort: z.preprocess((text) => String(text).toUpperCase(), z.enum(['NAME', 'UPDATE_AT'])).catch('NAME'),
        namespace: z.string().max(2_000).optional(),
        limit: limit(10),
      }),
    ),
    async ({ limit: most, ...question }, _, services) => {
      const results = searchIn(await wholeCatalog(services), question);
      return json(200, { totalCount: results.length, results: results.slice(0, most) });
    },
  ),
  // The web UI asks for these on every page; there are none.
  get('tags', NO_QUERY, () => Promise.resolve(json(200, { tags: [] }))),
  get('jobs/runs/{run}/facets', NO_QUERY, (_, { params }) =>
    Promise.resolve(json(200, { runId: params['run'], facets: {} })),
  ),
];

async function jobList(query: { limit: number; offset: number }, services: Services, namespace?: string) {
  const catalog = await wholeCatalog(services);
  const all = [...catalog.jobs.values()].filter((each) => namespace === undefined || each.namespace === namespace);
  const shown = all.slice(query.offset, query.offset + query.limit);
  const runs = await runsOf(shown.slice(0, JOBS_WITH_RUNS), services);
  return { jobs: shown.map((each) => jobShape(each, catalog, runs.get(jobNode(each)))), totalCount: all.length };
}

async function oneDataset(identity: Identity, services: Services) {
  const found = await aroundDataset(identity, { direction: 'both', depth: 1 }, services);
  const dataset = found && [...catalogOf([found.graph]).datasets.values()].find((each) => each.id === found.id);
  if (!found || !dataset) return undefined;
  const columnLineage = ownColumns(found.graph, found.id);
  return {
    ...datasetShape({ ...dataset, ...identity }),
    columnLineage: columnLineage.length === 0 ? null : columnLineage,
  };
}

/** The first of the meanings of a node id that something is known of. */
async function firstOf<T>(node: NodeId, read: (identity: Identity) => Promise<readonly T[]>): Promise<readonly T[]> {
  for (const { namespace, name } of node.meanings) {
    const found = await read({ namespace, name });
    if (found.length > 0) return found;
  }
  return [];
}

function graphsAt(node: NodeId, walk: Walk, services: Services) {
  if (node.type === 'job') return firstOf(node, (job) => aroundJob(job, walk.depth, services));
  return firstOf(node, async (dataset) => {
    const found = await aroundDataset(dataset, walk, services);
    return found ? [found.graph] : [];
  });
}
