import type { ConvergeDeps } from '../converge/deps.ts';
import { identity } from '../core/dataset.ts';
import type { Graph, GraphEdge } from '../core/graph.ts';
import type { Manifest, ManifestEvidence } from '../core/manifest-schema.ts';

/** The event that an owner's edge was last seen in. */
export interface EdgeEvidence extends Omit<ManifestEvidence, 'edges'> {
  readonly owner: string;
}

/** Declarations read for one answer; edges of further ones come without their events. */
const MAX_OWNERS = 100;
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
  const known = new Map<string, EdgeEvidence[]>();
  await Promise.all(
    owners.slice(0, MAX_OWNERS).map(async (owner) => {
      const object = await deps.manifests.get(owner);
      if (object)
        for (const [edge, evidence] of evidenceOf(owner, object.bytes))
          known.set(edge, [...(known.get(edge) ?? []), evidence]);
    }),
  );
  const edges = graph.edges.map((edge) => {
    const events = known.get(JSON.stringify([edge.from, edge.to]));
    return events ? { ...edge, events: [...events].sort((a, b) => (a.owner < b.owner ? -1 : 1)) } : edge;
  });
  return { ...graph, edges };
}

function* evidenceOf(owner: string, bytes: Uint8Array): Generator<readonly [string, EdgeEvidence]> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest;
  } catch {
    return;
  }
  const name = (alias: string) => identity(manifest.datasets?.[alias] ?? {});
  for (const { edges, ...evidence } of manifest.evidence ?? []) {
    for (const [from, to] of edges) yield [JSON.stringify([name(from), name(to)]), { owner, ...evidence }];
  }
}
