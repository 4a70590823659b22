import type { Graph, GraphEdge } from '../../../shared/core/graph.ts';
import { by } from '../../../shared/core/order.ts';
import { datasetNode, type Identity, identityOf, jobNode, jobsOf } from './node-id.ts';

export interface CatalogDataset extends Identity {
  readonly id: string;
  /** Other names of it. */
  readonly names: readonly string[];
  readonly fields: ReadonlySet<string>;
  /** Node ids of the jobs that write and read it. */
  readonly writers: ReadonlySet<string>;
  readonly readers: ReadonlySet<string>;
  readonly since?: string;
  readonly changed?: string;
}

export interface CatalogJob extends Identity {
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  readonly since?: string;
  readonly changed?: string;
}

/** A graph with jobs between its datasets, by node id. */
export interface Catalog {
  readonly datasets: ReadonlyMap<string, CatalogDataset>;
  readonly jobs: ReadonlyMap<string, CatalogJob>;
}

interface Building {
  fields: Set<string>;
  in: Set<string>;
  out: Set<string>;
  since?: string;
  changed?: string;
}

const building = (): Building => ({ fields: new Set(), in: new Set(), out: new Set() });

/** What is declared now; an edge that nobody declares any more is not shown, even if a vendor that cannot delete still has it. */
export const declared = (graph: Graph): readonly GraphEdge[] =>
  graph.edges.filter((edge) => edge.declaredBy.length > 0);

/** Puts jobs between the datasets of graphs (which may overlap). Sorted by node id. */
export function catalogOf(graphs: readonly Graph[]): Catalog {
  const datasets = new Map<string, Building & { readonly identity: Identity; readonly id: string }>();
  const jobs = new Map<string, Building & { readonly identity: Identity }>();
  const names = new Map(graphs.flatMap((graph) => graph.nodes.map((node) => [node.id, node.names] as const)));
  const dataset = (id: string) => {
    const identity = identityOf(id);
    const key = datasetNode(identity);
    const known = datasets.get(key) ?? { ...building(), identity, id };
    datasets.set(key, known);
    return { key, known };
  };
  for (const edge of graphs.flatMap(declared)) {
    const from = dataset(edge.from);
    const to = dataset(edge.to);
    for (const column of edge.columns ?? []) {
      from.known.fields.add(column.from);
      to.known.fields.add(column.to);
    }
    for (const identity of jobsOf(edge)) {
      const key = jobNode(identity);
      const job = jobs.get(key) ?? { ...building(), identity };
      jobs.set(key, job);
      job.in.add(from.key);
      job.out.add(to.key);
      from.known.out.add(key);
      to.known.in.add(key);
      age(job, edge);
    }
    age(from.known, edge);
    age(to.known, edge);
  }
  return {
    datasets: new Map(
      [...datasets]
        .sort(by(([key]) => key))
        .map(([key, { identity, id, fields, in: writers, out: readers, ...ages }]) => [
          key,
          { ...identity, id, names: names.get(id) ?? [], fields, writers, readers, ...ages },
        ]),
    ),
    jobs: new Map(
      [...jobs]
        .sort(by(([key]) => key))
        .map(([key, { identity, in: inputs, out: outputs, fields: _, ...ages }]) => [
          key,
          { ...identity, inputs, outputs, ...ages },
        ]),
    ),
  };
}

function age(known: Building, { changedAt, registeredAt = changedAt }: GraphEdge): void {
  if (registeredAt !== undefined && (known.since === undefined || registeredAt < known.since))
    known.since = registeredAt;
  if (changedAt !== undefined && (known.changed === undefined || changedAt > known.changed)) known.changed = changedAt;
}
