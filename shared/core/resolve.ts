import { expandEntry, put, type Side } from './columns.ts';
import { type Dataset, identity } from './dataset.ts';
import type { ColumnEdge, Declaration, Entry, Problem } from './edge.ts';
import { canonicalJson, type JsonObject } from './json.ts';
import { append } from './large-lists.ts';
import {
  type DatasetEntry,
  type DatasetRef,
  type LineageEntry,
  MAX_PAIRS,
  type Manifest,
  type ManifestOmitted,
} from './manifest-schema.ts';
import { mergedOver } from './merge.ts';
import { type Naming, nameDataset } from './naming.ts';
import { pairNumber } from './pair-number.ts';
import { formatPath } from './position.ts';

/**
 * A checked manifest with everything looked up: aliases, defaults, naming rules, columns as indexes. Entries with the same
 * sides and options become one. Linear in the size of the manifest.
 *
 * Which vendors an entry concerns follows from its datasets' blocks alone. `defaults.datasets` therefore fills only blocks
 * that the manifest writes; `defaults.lineage` applies to every entry, with or without a block of that vendor in it.
 */
export function resolveManifest(manifest: Manifest, naming: Naming): Declaration {
  const datasets = datasetLookup(manifest, naming);
  const entries: Entry[] = [];
  const places = new Map<string | number, number>();
  /** Columns of entries that come again, by the place of the first one. */
  const again = new Map<number, (readonly ColumnEdge[])[]>();
  const warnings: Problem[] = [];
  manifest.lineage.forEach((written, at) => {
    const { from, to, expansion } = expandEntry(manifest.lineage, at);
    const columns = expansion.edges;
    const options = entryOptions(written, manifest);
    const inputs = datasets.used(from);
    const outputs = datasets.used(to);
    const key = groupKey(inputs, outputs, options);
    const place = places.get(key);
    if (place === undefined) {
      places.set(key, entries.length);
      entries.push({ path: `lineage[${at}]`, from: inputs.datasets, to: outputs.datasets, options, columns });
    } else {
      const more = again.get(place);
      if (more === undefined) again.set(place, [columns]);
      else more.push(columns);
    }
    if (from.refs.length > 1 && to.refs.length > 1 && columns.length === 0) {
      warnings.push({ path: `lineage[${at}]`, message: everyPair(from.refs.length, to.refs.length) });
    }
  });
  for (const alias of Object.keys(manifest.datasets ?? {})) {
    if (!datasets.aliases.has(alias))
      warnings.push({ path: formatPath(['datasets', alias]), message: 'is not used by any entry' });
  }
  for (const [place, more] of again) {
    const first = entries[place] as Entry;
    entries[place] = { ...first, columns: together([first.columns, ...more]) };
  }
  append(warnings, differentNames([...datasets.aliases.values()]));
  if (manifest.omitted !== undefined) warnings.unshift({ path: 'omitted', message: leftOut(manifest.omitted) });
  return {
    ...(manifest.job === undefined ? {} : { job: manifest.job }),
    ...(manifest.wire?.['kept'] === true
      ? { targets: [] }
      : manifest.targets === undefined
        ? {}
        : { targets: [...new Set(manifest.targets)] }),
    entries,
    warnings,
  };
}

/** The datasets of a side, numbered in the order of first use. */
interface Used {
  readonly datasets: readonly Dataset[];
  readonly numbers: readonly number[];
}

/** Each dataset is built and named once, however many entries use it. */
function datasetLookup(manifest: Manifest, naming: Naming) {
  const built: Dataset[] = [];
  const numbers = new Map<string, number>();
  const aliases = new Map<string, Dataset>();
  const sides = new Map<Side, Used>();
  const numberOf = (ref: DatasetRef, key: string): number => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const dataset = nameDataset(typeof ref === 'string' ? aliased(ref, manifest) : { ...ref, vendors: {} }, naming);
    if (typeof ref === 'string') aliases.set(ref, dataset);
    numbers.set(key, built.length);
    return built.push(dataset) - 1;
  };
  const used = (side: Side): Used => {
    const known = sides.get(side);
    if (known !== undefined) return known;
    const own = side.refs.map((ref, at) => numberOf(ref, side.keys[at] as string));
    const now = { datasets: own.map((number) => built[number] as Dataset), numbers: own };
    sides.set(side, now);
    return now;
  };
  return { aliases, used };
}

/** Equal for entries with the same sides and options. Most have one dataset a side and no options: for them a number will do. */
function groupKey(from: Used, to: Used, options: Entry['options']): string | number {
  const input = from.numbers[0];
  const output = to.numbers[0];
  if (from.numbers.length === 1 && to.numbers.length === 1 && options === NONE) {
    return pairNumber(input as number, output as number);
  }
  return JSON.stringify([from.numbers, to.numbers, canonicalJson(options)]);
}

const NOT_BLOCKS: ReadonlySet<string> = new Set(['namespace', 'name', 'symlinks']);

function aliased(alias: string, manifest: Manifest): Dataset {
  const written: DatasetEntry = manifest.datasets?.[alias] ?? {};
  const { namespace, name, symlinks } = written;
  const vendors: Record<string, JsonObject> = {};
  for (const vendor of Object.keys(written)) {
    if (NOT_BLOCKS.has(vendor)) continue;
    vendors[vendor] = mergedOver(manifest.defaults?.datasets?.[vendor], written[vendor] as JsonObject);
  }
  return {
    alias,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(symlinks === undefined ? {} : { symlinks }),
    vendors,
  };
}

const NONE: Readonly<Record<string, JsonObject>> = {};
const NOT_OPTIONS: ReadonlySet<string> = new Set(['from', 'to', 'columns']);

/** Per vendor: the entry's own options over `defaults.lineage`. What naming rules say stays with the datasets: vendors weigh it. */
function entryOptions(written: LineageEntry, manifest: Manifest): Readonly<Record<string, JsonObject>> {
  if (manifest.defaults?.lineage === undefined && saysNoMore(written)) return NONE;
  const own = Object.fromEntries(Object.entries(written).filter(([key]) => !NOT_OPTIONS.has(key))) as Record<
    string,
    JsonObject
  >;
  const defaults = manifest.defaults?.lineage ?? {};
  const options: Record<string, JsonObject> = {};
  for (const vendor of new Set([...Object.keys(defaults), ...Object.keys(own)])) {
    options[vendor] = mergedOver(defaults[vendor], own[vendor]);
  }
  return options;
}

function saysNoMore(written: LineageEntry): boolean {
  for (const key in written) if (!NOT_OPTIONS.has(key)) return false;
  return true;
}

function together(lists: readonly (readonly ColumnEdge[])[]): readonly ColumnEdge[] {
  const [first = [], ...more] = lists;
  if (more.length === 0) return first;
  const edges = new Map<string, ColumnEdge>();
  for (const edge of lists.flat()) put(edges, edge);
  return [...edges.values()];
}

function leftOut({ edges, columns }: ManifestOmitted): string {
  const parts = [
    ...(edges > 0 ? [`${edges} edges`] : []),
    ...(columns > 0 ? [`${columns} column pairs of the edges that are there`] : []),
  ];
  return `the events declare more than a manifest holds (${MAX_PAIRS} pairs), so ${parts.join(' and ')} are not registered; split the job, set OPENLINEAGE_INDIRECT to table or drop, or lower OPENLINEAGE_RUNS`;
}

function everyPair(inputs: number, outputs: number): string {
  return `${inputs} inputs and ${outputs} outputs without columns declare all ${inputs * outputs} pairs; split the entry if not every input feeds every output`;
}

/** One identity under two vendor names: a vendor cannot recognise them as one table. */
function differentNames(datasets: readonly Dataset[]): readonly Problem[] {
  const twice = identitiesTwice(datasets);
  const first = new Map<string, Dataset>();
  const warnings: Problem[] = [];
  for (const dataset of twice.size === 0 ? [] : datasets) {
    const label = identity(dataset);
    if (label === undefined || !twice.has(label)) continue;
    for (const [vendor, block] of Object.entries(dataset.vendors)) {
      const key = `${vendor} ${label}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, dataset);
      else if (canonicalJson(other.vendors[vendor] ?? null) !== canonicalJson(block)) {
        const message = `${label} has another ${vendor} name under the alias ${other.alias}; ${vendor} will see two datasets`;
        warnings.push({ path: formatPath(['datasets', dataset.alias ?? '', vendor]), message });
      }
    }
  }
  return warnings;
}

function identitiesTwice(datasets: readonly Dataset[]): ReadonlySet<string> {
  const once = new Set<string>();
  const twice = new Set<string>();
  for (const dataset of datasets) {
    const label = identity(dataset);
    if (label === undefined) continue;
    if (once.has(label)) twice.add(label);
    else once.add(label);
  }
  return twice;
}
