import { type Dataset, identity } from '../core/dataset.ts';
import type { Entry } from '../core/edge.ts';
import type { JsonObject } from '../core/json.ts';
import { blocks } from '../vendors/blocks.ts';
import type { Vendor } from '../vendors/vendor.ts';

type Named = Pick<Vendor, 'name' | 'label' | 'block'>;

/**
 * Entries whose datasets say all that is known of their names at vendors. A dataset or symlink in a vendor's own namespace (`dataphin`, as
 * our OpenLineage export writes it) is that vendor's table, unless the manifest or a rule says otherwise. One without an identity but with
 * several vendor names says which of them stands for all.
 */
export function named(entries: readonly Entry[], vendors: readonly Named[]): readonly Entry[] {
  const known = new Map(vendors.map((vendor) => [vendor.name, vendor]));
  const done = new Map<Dataset, Dataset>();
  const name = (dataset: Dataset): Dataset => {
    const before = done.get(dataset);
    if (before !== undefined) return before;
    const told = withOwnNames(dataset, known);
    const same = sameOf(told, known);
    const after = same === undefined ? told : { ...told, same };
    done.set(dataset, after);
    return after;
  };
  return entries.map((entry) => ({ ...entry, from: entry.from.map(name), to: entry.to.map(name) }));
}

function withOwnNames(dataset: Dataset, vendors: ReadonlyMap<string, Named>): Dataset {
  const blockOf = (namespace: string | undefined, name: string | undefined): JsonObject | undefined =>
    namespace === undefined || name === undefined ? undefined : vendors.get(namespace)?.block?.(name);
  const told: Record<string, JsonObject> = {};
  for (const { namespace, name } of dataset.symlinks ?? []) {
    const block = blockOf(namespace, name);
    if (block !== undefined) told[namespace] ??= block;
  }
  const { namespace = '', name, ...rest } = dataset;
  const own = blockOf(namespace, name);
  if (own !== undefined) return { ...rest, vendors: { ...told, [namespace]: own, ...dataset.vendors } };
  return Object.keys(told).length === 0 ? dataset : { ...dataset, vendors: { ...told, ...dataset.vendors } };
}

/** Always the same vendor's, whichever of them are targets today. */
function sameOf(dataset: Dataset, vendors: ReadonlyMap<string, Named>): string | undefined {
  if (identity(dataset) !== undefined || Object.keys(dataset.vendors).length < 2) return undefined;
  for (const vendor of Object.keys(blocks)) {
    const block = dataset.vendors[vendor];
    const name = block && vendors.get(vendor)?.label?.(block);
    if (name !== undefined) return `${vendor}:${name}`;
  }
  return undefined;
}
