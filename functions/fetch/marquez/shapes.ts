import type { Graph } from '../../../shared/core/graph.ts';
import type { JsonObject } from '../../../shared/core/json.ts';
import { type Catalog, type CatalogDataset, type CatalogJob, declared } from './catalog.ts';
import { fieldNode, identityOf } from './node-id.ts';
import type { MarquezRun } from './runs.ts';

/** Of what was never registered anywhere. */
const NEVER = '1970-01-01T00:00:00.000Z';

const times = ({ since = NEVER, changed = since }: { readonly since?: string; readonly changed?: string }) => ({
  createdAt: since,
  updatedAt: changed,
});

/** A dataset as Marquez answers it (web, types/api.ts, read 2026-11). Of columns only the names are known here. */
export function datasetShape(dataset: CatalogDataset, facets: JsonObject = {}): JsonObject {
  const { namespace, name } = dataset;
  return {
    id: { namespace, name },
    type: /^(kafka|pubsub|kinesis|pulsar)\b/i.test(namespace) ? 'STREAM' : 'DB_TABLE',
    name,
    physicalName: name,
    ...times(dataset),
    namespace,
    sourceName: namespace,
    fields: [...dataset.fields].sort().map((field) => ({ name: field, type: null, tags: [], description: null })),
    tags: [],
    lastModifiedAt: dataset.changed ?? null,
    lastLifecycleState: null,
    description: null,
    currentVersion: null,
    columnLineage: null,
    facets: { ...symlinks(dataset), ...facets },
    deleted: false,
  };
}

function symlinks({ names }: CatalogDataset): JsonObject {
  if (names.length === 0) return {};
  return { symlinks: { identifiers: names.map((each) => ({ ...identityOf(each), type: 'TABLE' })) } };
}

export function jobShape(job: CatalogJob, catalog: Catalog, runs: readonly MarquezRun[] = []): JsonObject {
  const { namespace, name } = job;
  const ids = (keys: ReadonlySet<string>) =>
    [...keys].sort().flatMap((key) => {
      const dataset = catalog.datasets.get(key);
      return dataset ? [{ namespace: dataset.namespace, name: dataset.name }] : [];
    });
  return {
    id: { namespace, name },
    type: 'BATCH',
    name,
    simpleName: name.slice(name.lastIndexOf('.') + 1),
    parentJobName: null,
    parentJobUuid: null,
    ...times(job),
    namespace,
    inputs: ids(job.inputs),
    outputs: ids(job.outputs),
    location: null,
    description: null,
    latestRun: runs[0] ? { ...runs[0] } : null,
    latestRuns: runs.map((run) => ({ ...run })),
    tags: [],
    facets: {},
    labels: [],
  };
}

/** The lineage graph: datasets and jobs take turns (Marquez, LineageService, read 2026-11). */
export function lineageShape(catalog: Catalog, runs: ReadonlyMap<string, readonly MarquezRun[]>): JsonObject {
  const edges = (ends: ReadonlySet<string>, edge: (end: string) => JsonObject) => [...ends].sort().map(edge);
  return {
    graph: [
      ...[...catalog.datasets].map(([id, dataset]) => ({
        id,
        type: 'DATASET',
        data: datasetShape(dataset),
        inEdges: edges(dataset.writers, (origin) => ({ origin, destination: id })),
        outEdges: edges(dataset.readers, (destination) => ({ origin: id, destination })),
      })),
      ...[...catalog.jobs].map(([id, job]) => ({
        id,
        type: 'JOB',
        data: jobShape(job, catalog, runs.get(id)),
        inEdges: edges(job.inputs, (origin) => ({ origin, destination: id })),
        outEdges: edges(job.outputs, (destination) => ({ origin: id, destination })),
      })),
    ],
  };
}

interface Field {
  readonly id: string;
  readonly dataset: string;
  readonly field: string;
  readonly inputs: Map<string, { readonly field: Field; readonly direct: boolean }>;
  readonly outputs: Set<string>;
}

/**
 * Column lineage around the columns `starts` picks, so many steps up, and down if asked. Both ends' edges lead away from their node, as
 * Marquez has it (ColumnLineageService, read 2026-11).
 */
export function columnShape(
  graph: Graph,
  starts: (dataset: string, field: string) => boolean,
  options: { readonly depth: number; readonly withDownstream: boolean },
): JsonObject {
  const fields = fieldsOf(graph);
  const seen = new Set([...fields.values()].filter((each) => starts(each.dataset, each.field)).map((each) => each.id));
  const walk = (next: (field: Field) => Iterable<string>) => {
    let frontier = [...seen].filter((id) => starts(fields.get(id)?.dataset ?? '', fields.get(id)?.field ?? ''));
    for (let step = 0; step < options.depth && frontier.length > 0; step += 1) {
      const found = frontier.flatMap((id) => [...next(fields.get(id) as Field)]);
      frontier = [...new Set(found)].filter((id) => !seen.has(id));
      for (const id of frontier) seen.add(id);
    }
  };
  walk((field) => field.inputs.keys());
  if (options.withDownstream) walk((field) => field.outputs);
  return { graph: [...seen].sort().map((id) => fieldShape(fields.get(id) as Field, seen)) };
}

function fieldsOf(graph: Graph): Map<string, Field> {
  const fields = new Map<string, Field>();
  const fieldAt = (dataset: string, field: string): Field => {
    const id = fieldNode(identityOf(dataset), field);
    const known = fields.get(id) ?? { id, dataset, field, inputs: new Map(), outputs: new Set() };
    fields.set(id, known);
    return known;
  };
  for (const edge of declared(graph)) {
    for (const column of edge.columns ?? []) {
      const from = fieldAt(edge.from, column.from);
      const to = fieldAt(edge.to, column.to);
      to.inputs.set(from.id, { field: from, direct: column.direct });
      from.outputs.add(to.id);
    }
  }
  return fields;
}

function fieldShape(field: Field, seen: ReadonlySet<string>): JsonObject {
  const { namespace, name } = identityOf(field.dataset);
  const inputs = [...field.inputs.values()].filter((input) => seen.has(input.field.id));
  const outputs = [...field.outputs].filter((id) => seen.has(id));
  const plain = { datasetVersion: null, transformationDescription: null };
  return {
    id: field.id,
    type: 'DATASET_FIELD',
    data: {
      namespace,
      dataset: name,
      field: field.field,
      fieldType: null,
      transformationType: null,
      ...plain,
      inputFields: inputs.map((input) => {
        const from = identityOf(input.field.dataset);
        const transformationType = input.direct ? 'DIRECT' : 'INDIRECT';
        return {
          namespace: from.namespace,
          dataset: from.name,
          field: input.field.field,
          transformationType,
          ...plain,
        };
      }),
    },
    inEdges: inputs.map((input) => ({ origin: field.id, destination: input.field.id })),
    outEdges: outputs.sort().map((destination) => ({ origin: field.id, destination })),
  };
}

/** `columnLineage` of one dataset, per column. */
export function ownColumns(graph: Graph, id: string): readonly JsonObject[] {
  return [...fieldsOf(graph).values()]
    .filter((field) => field.dataset === id && field.inputs.size > 0)
    .map((field) => ({
      name: field.field,
      transformationDescription: null,
      transformationType: null,
      inputFields: [...field.inputs.values()].map((input) => {
        const { namespace, name } = identityOf(input.field.dataset);
        return {
          namespace,
          dataset: name,
          field: input.field.field,
          transformationDescription: null,
          transformationType: input.direct ? 'DIRECT' : 'INDIRECT',
        };
      }),
    }));
}
