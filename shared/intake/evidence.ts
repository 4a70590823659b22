import pMap from 'p-map';
import type { ConvergeDeps } from '../converge/deps.ts';
import { identity } from '../core/dataset.ts';
import type { Graph, GraphEdge } from '../core/graph.ts';
import { MAX_BYTES } from '../core/manifest.ts';
import type { Manifest, ManifestEvidence } from '../core/manifest-schema.ts';

/** The event that an owner's edge was last seen in. */
export interface EdgeEvidence extends Omit<ManifestEvidence, 'edges'> {
  readonly owner: string;
}

/** Declarations read for one answer; edges of further ones come without their events. */
const MAX_OWNERS = 100;
const AT_ONCE = 8;
const PREFIX = 'openlineage/';

/** The graph with, per edge, the events it came from (`events`), for edges that orchestrators' events declare. Reads each declaration once. */
export async function withEvidence<Whole extends Graph>(
  graph: Whole,
  deps: Pick<ConvergeDeps, 'manifests'>,
): Promise<
  Omit<Whole, 'edges'> & { readonly edges: readonly (GraphEdge & { readonly events?: readonly EdgeEvidence[] })[] }
> {
  const owners = [...new Set(graph.edges.flatMap((edge) => edge.declaredBy))].filter((owner) =>
    owner.startsWith(PREFIX),
  );
  // The graph may show a dataset under another of its names than its events do.
  const ids = new Map(graph.nodes.flatMap(({ id, names }) => names.map((name) => [name, id] as const)));
  const key = (from: string, to: string) => JSON.stringify([ids.get(from) ?? from, ids.get(to) ?? to]);
  const known = new Map<string, EdgeEvidence[]>();
  await pMap(
    owners.slice(0, MAX_OWNERS),
    async (owner) => {
      for (const [from, to, evidence] of evidenceOf(owner, await declarationOf(owner, deps))) {
        const edge = key(from, to);
        known.set(edge, [...(known.get(edge) ?? []), evidence]);
      }
    },
    { concurrency: AT_ONCE },
  );
  const edges = graph.edges.map((edge) => {
    const events = known.get(key(edge.from, edge.to));
    return events ? { ...edge, events: [...events].sort((a, b) => (a.owner < b.owner ? -1 : 1)) } : edge;
  });
  return { ...graph, edges };
}

/** Undefined when it is gone or cannot be read: the graph does not depend on it. */
async function declarationOf(owner: string, deps: Pick<ConvergeDeps, 'manifests'>): Promise<Manifest | undefined> {
  try {
    const object = await deps.manifests.get(owner, { maxBytes: MAX_BYTES.json });
    return object && (JSON.parse(Buffer.from(object.bytes).toString('utf8')) as Manifest);
  } catch {
    return undefined;
  }
}

function* evidenceOf(
  owner: string,
  manifest: Manifest | undefined,
): Generator<readonly [from: string, to: string, EdgeEvidence]> {
  if (manifest === undefined) return;
  const name = (alias: string) => identity(manifest.datasets?.[alias] ?? {});
  for (const { edges, ...evidence } of manifest.evidence ?? []) {
    for (const [from, to] of edges) yield [name(from) ?? '', name(to) ?? '', { owner, ...evidence }];
  }
}
