import type { Graph, GraphEdge } from '../core/graph.ts';
import type { JsonObject } from '../core/json.ts';
import { titleOf } from './words.ts';

export interface ExportOptions {
  /** Of the events, ISO 8601 with zone. */
  readonly eventTime: string;
  /** URI that says who sends them. */
  readonly producer: string;
}

const SPEC = 'https://openlineage.io/spec';
/** Namespace of the jobs that stand for manifests without a job of their own. */
export const MANIFESTS = 'lineage-functions';

interface Id {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The graph as OpenLineage JobEvents (2-0-2) with the lineage facet (1-0-0), one per job, else per manifest: a JobEvent replaces what was
 * known of its job, so posting them again changes nothing. Names at vendors go along as symlinks.
 */
export function openlineage(graph: Graph, { eventTime, producer }: ExportOptions): readonly JsonObject[] {
  const facet = (name: string, version: string) => ({
    _producer: producer,
    _schemaURL: `${SPEC}/facets/${version}/${name}`,
  });
  const names = new Map(graph.nodes.map((node) => [node.id, node.names]));
  const dataset = (id: string): JsonObject => {
    const identifiers = (names.get(id) ?? []).map((other) => ({ ...idOf(other), type: 'TABLE' }));
    const symlinks = { ...facet('SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet', '1-0-1'), identifiers };
    return { ...idOf(id), ...(identifiers.length === 0 ? {} : { facets: { symlinks } }) };
  };
  const jobs = new Map<string, { readonly job: Id; readonly edges: GraphEdge[] }>();
  for (const edge of graph.edges) {
    for (const job of jobsOf(edge)) {
      const key = JSON.stringify([job.namespace, job.name]);
      const known = jobs.get(key) ?? { job, edges: [] };
      jobs.set(key, known);
      known.edges.push(edge);
    }
  }
  return [...jobs.values()].map(({ job, edges }) => ({
    eventTime,
    producer,
    schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/JobEvent`,
    job: {
      namespace: job.namespace,
      name: job.name,
      facets: {
        lineage: { ...facet('LineageFacet.json#/$defs/LineageJobFacet', '1-0-0'), entries: entriesOf(edges) },
      },
    },
    inputs: [...new Set(edges.map((edge) => edge.from))].sort().map(dataset),
    outputs: [...new Set(edges.map((edge) => edge.to))].sort().map(dataset),
  }));
}

function entriesOf(edges: readonly GraphEdge[]): JsonObject[] {
  const targets = new Map<string, GraphEdge[]>();
  for (const edge of edges) targets.set(edge.to, [...(targets.get(edge.to) ?? []), edge]);
  return [...targets].map(([to, sources]) => {
    const fields = new Map<string, JsonObject[]>();
    for (const { from, columns = [] } of sources) {
      for (const column of columns) {
        const type = column.direct ? 'DIRECT' : 'INDIRECT';
        const input = { ...idOf(from), type: 'DATASET', field: column.from, transformations: [{ type }] };
        fields.set(column.to, [...(fields.get(column.to) ?? []), input]);
      }
    }
    return {
      ...idOf(to),
      type: 'DATASET',
      inputs: sources.map(({ from }) => ({ ...idOf(from), type: 'DATASET' })),
      ...(fields.size === 0
        ? {}
        : { fields: Object.fromEntries([...fields].map(([column, inputs]) => [column, { inputs }])) }),
    };
  });
}

function jobsOf(edge: GraphEdge): readonly Id[] {
  if (edge.jobs && edge.jobs.length > 0) return edge.jobs.map(idOf);
  return edge.declaredBy.map((owner) => ({ namespace: MANIFESTS, name: owner }));
}

/** `namespace/name` as its two parts; a vendor's name has the vendor for its namespace. */
function idOf(id: string): Id {
  const { title, place } = titleOf(id);
  return { namespace: place === '' ? MANIFESTS : place, name: title };
}
