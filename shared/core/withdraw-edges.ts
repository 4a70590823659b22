import { expandEntry } from './columns.ts';
import { type Dataset, identity } from './dataset.ts';
import type { JsonObject } from './json.ts';
import type { DatasetRef, LineageEntry, Manifest } from './manifest-schema.ts';
import type { Naming } from './naming.ts';
import { resolveManifest } from './resolve.ts';

/** One edge that is to be withdrawn: all names of either end, and which columns; none: the edge with all of them. */
export interface UnwantedEdge {
  readonly from: ReadonlySet<string>;
  readonly to: ReadonlySet<string>;
  readonly columns: readonly (readonly [from: string, to: string])[];
}

/** How a vendor calls a dataset block; undefined for one that names no table. */
export type Label = (vendor: string, block: JsonObject) => string | undefined;

/** Every name a dataset goes by: `namespace/name` and `vendor:name`. */
export function namesOfDataset(dataset: Dataset, label: Label): ReadonlySet<string> {
  const known = identity(dataset);
  const own = Object.entries(dataset.vendors).flatMap(([vendor, block]) => {
    const name = label(vendor, block);
    return name === undefined ? [] : [`${vendor}:${name}`];
  });
  return new Set([...(known === undefined ? [] : [known]), ...own]);
}

/** The edges that a manifest declares, each pair of datasets once per entry. */
export function edgesToWithdraw(manifest: Manifest, naming: Naming, label: Label): UnwantedEdge[] {
  return resolveManifest(manifest, naming).entries.flatMap((entry) =>
    entry.from.flatMap((from, fromAt) =>
      entry.to.map((to, toAt) => ({
        from: namesOfDataset(from, label),
        to: namesOfDataset(to, label),
        columns: entry.columns
          .filter((each) => each.from.table === fromAt && each.to.table === toAt)
          .map((each) => [each.from.column, each.to.column] as const),
      })),
    ),
  );
}

/**
 * A manifest without these edges: whole pairs, or only their columns; a pair whose last column goes, goes too. Entries that are not
 * touched stay as they were written. `removed` are positions in `unwanted`.
 */
export function withoutEdges(
  manifest: Manifest,
  unwanted: readonly UnwantedEdge[],
  naming: Naming,
  label: Label,
): { readonly manifest: Manifest; readonly removed: ReadonlySet<number> } {
  const removed = new Set<number>();
  const lineage = manifest.lineage.flatMap((entry) => {
    const left = entryWithout({ ...manifest, lineage: [entry] }, entry, unwanted, naming, label);
    for (const at of left.removed) removed.add(at);
    return left.entries;
  });
  if (removed.size === 0) return { manifest, removed };
  const used = new Set(lineage.flatMap(({ from, to }) => [from, to].flat()).filter((ref) => typeof ref === 'string'));
  const datasets = Object.fromEntries(Object.entries(manifest.datasets ?? {}).filter(([alias]) => used.has(alias)));
  return { manifest: { ...manifest, datasets, lineage }, removed };
}

function entryWithout(
  alone: Manifest,
  entry: LineageEntry,
  unwanted: readonly UnwantedEdge[],
  naming: Naming,
  label: Label,
): { readonly entries: readonly LineageEntry[]; readonly removed: readonly number[] } {
  const { from, to, expansion } = expandEntry(alone.lineage, 0);
  const [resolved] = resolveManifest(alone, naming).entries;
  if (resolved === undefined) return { entries: [entry], removed: [] };
  const fromNames = resolved.from.map((each) => namesOfDataset(each, label));
  const toNames = resolved.to.map((each) => namesOfDataset(each, label));
  const removed = new Set<number>();
  const gone = (at: number, other: number): readonly UnwantedEdge[] =>
    unwanted.filter((each, index) => {
      const meant = meets(each.from, fromNames[at]) && meets(each.to, toNames[other]);
      if (meant) removed.add(index);
      return meant;
    });
  const entries = to.refs.flatMap((target, toAt): LineageEntry[] => {
    const kept: { readonly ref: DatasetRef; readonly columns: JsonObject[] }[] = [];
    for (const [fromAt, source] of from.refs.entries()) {
      const meant = gone(fromAt, toAt);
      const own = expansion.edges.filter((each) => each.from.table === fromAt && each.to.table === toAt);
      const whole = meant.some((each) => each.columns.length === 0);
      const dropped = new Set(meant.flatMap((each) => each.columns).map((pair) => JSON.stringify(pair)));
      const left = own.filter((each) => !dropped.has(JSON.stringify([each.from.column, each.to.column])));
      if (whole || (meant.length > 0 && left.length === 0)) continue;
      const columns = left.map((each) => ({
        from: { dataset: source as never, column: each.from.column },
        to: { dataset: target as never, column: each.to.column },
        direct: each.direct,
      }));
      kept.push({ ref: source, columns });
    }
    if (kept.length === 0) return [];
    const columns = kept.flatMap((each) => each.columns);
    const { columns: _written, ...rest } = entry;
    return [
      {
        ...rest,
        from: kept.map((each) => each.ref),
        to: target,
        ...(columns.length === 0 ? {} : { columns: columns as never }),
      },
    ];
  });
  return removed.size === 0 ? { entries: [entry], removed: [] } : { entries, removed: [...removed] };
}

function meets(one: ReadonlySet<string>, other: ReadonlySet<string> | undefined): boolean {
  return [...one].some((name) => other?.has(name));
}
