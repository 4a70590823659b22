import { expandEntry, put, type Side } from './columns.ts';
import { type Dataset, identity } from './dataset.ts';
import type { ColumnEdge, Declaration, Entry, Problem } from './edge.ts';
import { canonicalJson, type JsonObject } from './json.ts';
import {
  type DatasetRef,
  type LineageEntry,
  MAX_PAIRS,
  type Manifest,
  type ManifestOmitted,
} from './manifest-schema.ts';
import { mergedOver } from './merge.ts';
import { type Naming, nameDataset } from './naming.ts';
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
  const groups = new Map<string | number, Omit<Entry, 'columns'> & { readonly columns: (readonly ColumnEdge[])[] }>();
  const warnings: Problem[] = [];
  manifest.lineage.forEach((written, at) => {
    const { from, to, expansion } = expandEntry(manifest.lineage, at);
    const columns = expansion.edges;
    const options = entryOptions(written, manifest);
    const [inputs, outputs] = [datasets.all(from), datasets.all(to)];
    const key = groupKey(inputs, outputs, options);
    const group = groups.get(key);
    if (group === undefined) {
      const sides = { from: inputs.map((each) => each.dataset), to: outputs.map((each) => each.dataset) };
      groups.set(key, { path: `lineage[${at}]`, ...sides, options, columns: [columns] });
    } else group.columns.push(columns);
    if (from.refs.length > 1 && to.refs.length > 1 && columns.length === 0) {
      warnings.push({ path: `lineage[${at}]`, message: everyPair(from.refs.length, to.refs.length) });
    }
  });
  for (const alias of Object.keys(manifest.datasets ?? {})) {
    if (!datasets.aliases.has(alias))
      warnings.push({ path: formatPath(['datasets', alias]), message: 'is not used by any entry' });
  }
  warnings.push(...differentNames([...datasets.aliases.values()]));
  if (manifest.omitted !== undefined) warnings.unshift({ path: 'omitted', message: leftOut(manifest.omitted) });
  return {
    ...(manifest.job === undefined ? {} : { job: manifest.job }),
    ...(manifest.wire?.['kept'] === true
      ? { targets: [] }
      : manifest.targets === undefined
        ? {}
        : { targets: [...new Set(manifest.targets)] }),
    entries: Array.from(groups.values(), ({ path, from, to, options, columns }) => ({
      path,
      from,
      to,
      options,
      columns: together(columns),
    })),
    warnings,
  };
}

/** A dataset that entries use, numbered in the order of first use. */
interface Used {
  readonly dataset: Dataset;
  readonly number: number;
}

/** Each dataset is built and named once, however many entries use it. */
function datasetLookup(manifest: Manifest, naming: Naming) {
  const built = new Map<string, Used>();
  const aliases = new Map<string, Dataset>();
  const one = (ref: DatasetRef, key: string): Used => {
    const known = built.get(key);
    if (known !== undefined) return known;
    const dataset = nameDataset(typeof ref === 'string' ? aliased(ref, manifest) : { ...ref, vendors: {} }, naming);
    if (typeof ref === 'string') aliases.set(ref, dataset);
    const used = { dataset, number: built.size };
    built.set(key, used);
    return used;
  };
  return { aliases, all: ({ refs, keys }: Side) => refs.map((ref, at) => one(ref, keys[at] as string)) };
}

/** Above the number of any manifest's datasets. */
const MAX_DATASETS = 2 ** 26;

/** Equal for entries with the same sides and options. Most have one dataset a side and no options: for them a number will do. */
function groupKey(from: readonly Used[], to: readonly Used[], options: Entry['options']): string | number {
  const [input, output] = [from[0], to[0]];
  if (from.length === 1 && to.length === 1 && input && output && options === NONE) {
    return input.number * MAX_DATASETS + output.number;
  }
  const numbers = (side: readonly Used[]) => side.map((each) => each.number);
  return JSON.stringify([numbers(from), numbers(to), canonicalJson(options)]);
}

function aliased(alias: string, manifest: Manifest): Dataset {
  const { namespace, name, symlinks, ...blocks } = manifest.datasets?.[alias] ?? {};
  const vendors: Record<string, JsonObject> = {};
  for (const [vendor, block] of Object.entries(blocks)) {
    vendors[vendor] = mergedOver(manifest.defaults?.datasets?.[vendor], block as JsonObject);
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
  if (manifest.defaults?.lineage === undefined && Object.keys(written).every((key) => NOT_OPTIONS.has(key)))
    return NONE;
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
  const first = new Map<string, Dataset>();
  const warnings: Problem[] = [];
  for (const dataset of datasets) {
    const label = identity(dataset);
    if (label === undefined) continue;
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
