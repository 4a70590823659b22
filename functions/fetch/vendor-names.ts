import type { Target } from '../../shared/converge/deps.ts';
import type { Graph } from '../../shared/core/graph.ts';
import { graphOf, namesOf } from '../../shared/core/graph.ts';
import { mergedGraph } from '../../shared/core/graph-merge.ts';
import { type Naming, nameDataset } from '../../shared/core/naming.ts';
import { titleOf } from '../../shared/formats/words.ts';
import type { Services } from '../../shared/wiring.ts';
import { ledgerReader, type UnitReader } from './units.ts';

/** A target as far as its names go. */
export type Named = Pick<Target, 'name'> & { readonly vendor: Pick<Target['vendor'], 'name' | 'label'> };

/**
 * How a target calls a dataset (without the vendor in front): as given, as its manifests say, else as naming.yaml does. None when nobody
 * says it.
 */
export async function namesAt(
  dataset: string,
  { vendor }: Named,
  naming: Naming | undefined,
  reader: UnitReader,
): Promise<readonly string[]> {
  const prefix = `${vendor.name}:`;
  const sides = await Promise.all(
    (['upstream', 'downstream'] as const).map(async (way) => (await reader.at([dataset], way, 1)).get(dataset)?.units),
  );
  const units = [...sides.flatMap((each) => each ?? []), ...(await reader.alike([dataset]))];
  const groups = units.flatMap((unit) => [...unit.from, ...unit.to].map((table) => namesOf(table, unit.vendor)));
  const known = groups.filter((names) => names.includes(dataset)).flat();
  const own = [dataset, ...known].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  if (own.length > 0) return [...new Set(own)];
  const ruled = ruledName(dataset, vendor, naming);
  return ruled === undefined ? [] : [ruled];
}

/** What naming.yaml calls `namespace/name` at a vendor. */
export function ruledName(id: string, vendor: Named['vendor'], naming: Naming | undefined): string | undefined {
  const { place: namespace, title: name } = titleOf(id);
  if (naming === undefined || namespace === '' || id.startsWith(`${vendor.name}:`)) return undefined;
  const block = nameDataset({ namespace, name, vendors: {} }, naming).vendors[vendor.name];
  return block && vendor.label?.(block);
}

/** A vendor's graph with its datasets under the names that the ledger has for them. */
export async function withLedgerNames<G extends Graph>(graph: G, { deps }: Services): Promise<G> {
  const reader = ledgerReader(deps.ledger);
  const units = await reader.alike(graph.nodes.flatMap((node) => [node.id, ...node.names]));
  const known = graphOf(units, { columns: false });
  const { nodes, edges } = mergedGraph({ nodes: known.nodes, edges: [] }, graph);
  const here = new Set(graph.nodes.flatMap((node) => [node.id, ...node.names]));
  return { ...graph, nodes: nodes.filter((node) => [node.id, ...node.names].some((name) => here.has(name))), edges };
}
