import type { Json, JsonObject } from './json.ts';
import { type Broken, isObject, isSlipOf, unclear } from './manifest-broken.ts';
import type { Blocks, VendorBlocks } from './manifest-schema.ts';
import { mergedOver } from './merge.ts';
import type { Remark } from './problems.ts';

/**
 * What is wrong between the keys of a dataset and of its vendors' blocks, defaults included. Asked of each block by itself, so that a
 * broken one hides nothing of the others. `defaults` is what `defaultsOf` gives.
 */
export function datasetRemarks(
  alias: string,
  written: Json | undefined,
  defaults: Defaults,
  blocks: Blocks,
  broken: Broken,
): readonly Remark[] {
  if (!isObject(written)) return [];
  const path = ['datasets', alias];
  const { namespace, name, symlinks: _, ...vendors } = written;
  const remarks: Remark[] = [];
  if (namespace === undefined && name === undefined && Object.keys(vendors).length === 0) {
    const message = 'says nothing about the dataset; give namespace and name, or what a vendor calls it';
    remarks.push({ path, message });
  } else if ((namespace === undefined) !== (name === undefined)) {
    const [given, absent] = namespace === undefined ? ['name', 'namespace'] : ['namespace', 'name'];
    if (broken.member(written, path, absent) !== unclear)
      remarks.push({ path: [...path, given], message: `${given} needs ${absent} beside it` });
  }
  for (const [vendor, block] of Object.entries(vendors)) {
    const rules = Object.hasOwn(blocks, vendor) ? blocks[vendor] : undefined;
    if (rules?.check === undefined || !isObject(block)) continue;
    const whole = broken.whole('datasets', alias, vendor) && broken.whole('defaults', 'datasets', vendor);
    const complete = completed(defaults(vendor), block, rules, whole);
    if (complete === undefined) continue;
    for (const message of rules.check(complete)) remarks.push({ path: [...path, vendor], message });
  }
  return remarks;
}

/** A vendor's defaults for datasets; undefined when there are none. */
type Defaults = (vendor: string) => Json | undefined | typeof unclear;

export function defaultsOf(manifest: JsonObject, broken: Broken): Defaults {
  const defaults = broken.member(manifest, [], 'defaults');
  const datasets = defaults === unclear ? unclear : broken.member(defaults, ['defaults'], 'datasets');
  if (datasets === unclear) return () => unclear;
  return (vendor) => broken.member(datasets, ['defaults', 'datasets'], vendor);
}

/**
 * A block over its defaults. Unless both are `whole`, without the keys that the vendor does not know, and undefined when it cannot be
 * judged so: when the rest does not fit the schema, or when such a key may be an absent one misspelt.
 */
function completed(
  far: Json | undefined | typeof unclear,
  near: JsonObject,
  { dataset: schema }: VendorBlocks,
  whole: boolean,
): JsonObject | undefined {
  if (far === unclear || (far !== undefined && !isObject(far))) return undefined;
  const both = mergedOver(far, near);
  if (whole) return both;
  const known = Object.keys(schema.shape);
  const kept: Record<string, Json> = {};
  for (const key of known) if (Object.hasOwn(both, key)) kept[key] = both[key] as Json;
  const absent = known.filter((key) => !Object.hasOwn(kept, key));
  const strange = Object.keys(both).filter((key) => !known.includes(key));
  if (strange.some((key) => isSlipOf(key, absent))) return undefined;
  return schema.safeParse(kept).success ? kept : undefined;
}
