import { expandColumns, refKey, type Side, sideOf } from './columns.ts';
import { type Dataset, identity } from './dataset.ts';
import type { ColumnEdge, Declaration, Entry, Problem } from './edge.ts';
import { canonicalJson, type JsonObject } from './json.ts';
import type { DatasetRef, LineageEntry, Manifest } from './manifest-schema.ts';
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
  const groups = new Map<string, { entry: Omit<Entry, 'columns'>; columns: Map<string, ColumnEdge> }>();
  const warnings: Problem[] = [];
  const used = new Set<string>();
  manifest.lineage.forEach((written, at) => {
    const from = sideOf(written.from, 'inputs');
    const to = sideOf(written.to, 'outputs');
    for (const ref of [...from.refs, ...to.refs]) if (typeof ref === 'string') used.add(ref);
    const outputs = to.refs.map(datasets);
    const options = entryOptions(written, manifest);
    const columns = expandColumns(written, from, to, ['lineage', at]).edges;
    const key = `${keysOf(from)}\u0002${keysOf(to)}\u0002${canonicalJson(options)}`;
    let group = groups.get(key);
    if (group === undefined) {
      const entry = { path: `lineage[${at}]`, from: from.refs.map(datasets), to: outputs, options };
      group = { entry, columns: new Map() };
      groups.set(key, group);
    }
    addColumns(group.columns, columns);
    if (from.refs.length > 1 && to.refs.length > 1 && columns.length === 0) {
      warnings.push({ path: `lineage[${at}]`, message: everyPair(from.refs.length, to.refs.length) });
    }
  });
  for (const alias of Object.keys(manifest.datasets ?? {})) {
    if (!used.has(alias)) warnings.push({ path: formatPath(['datasets', alias]), message: 'is not used by any entry' });
  }
  warnings.push(...differentNames([...used].map(datasets)));
  return {
    ...(manifest.job === undefined ? {} : { job: manifest.job }),
    ...(manifest.targets === undefined ? {} : { targets: [...new Set(manifest.targets)] }),
    entries: [...groups.values()].map(({ entry, columns }) => ({ ...entry, columns: [...columns.values()] })),
    warnings,
  };
}

/** Each dataset is built and named once, however many entries use it. */
function datasetLookup(manifest: Manifest, naming: Naming): (ref: DatasetRef) => Dataset {
  const built = new Map<string, Dataset>();
  return (ref) => {
    const key = refKey(ref);
    const known = built.get(key);
    if (known !== undefined) return known;
    const dataset = nameDataset(typeof ref === 'string' ? aliased(ref, manifest) : { ...ref, vendors: {} }, naming);
    built.set(key, dataset);
    return dataset;
  };
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

const NOT_OPTIONS: ReadonlySet<string> = new Set(['from', 'to', 'columns']);

/** Per vendor: the entry's own options over `defaults.lineage`. What naming rules say stays with the datasets: vendors weigh it. */
function entryOptions(written: LineageEntry, manifest: Manifest): Readonly<Record<string, JsonObject>> {
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

function keysOf(side: Side): string {
  return side.refs.map(refKey).join('\u0001');
}

function addColumns(known: Map<string, ColumnEdge>, more: readonly ColumnEdge[]): void {
  for (const edge of more) {
    const key = `${edge.from.table}:${edge.from.column}\u0000${edge.to.table}:${edge.to.column}`;
    if (known.get(key)?.direct !== true) known.set(key, edge);
  }
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
