import { mergeOptions } from '../../core/claims.ts';
import { type Dataset, identity } from '../../core/dataset.ts';
import type { ColumnEdge, Entry, Problem } from '../../core/edge.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { unitId } from '../../core/unit-id.ts';
import type { Mapping, MappingInput, Unit, UnitTable, Unresolved } from '../vendor.ts';
import { checkDataset, type DatasetBlock, datasetBlock, referenceType } from './blocks.ts';
import { readEntry } from './entry.ts';
import type { TableRef } from './wire.ts';

/** Options that say how to call and change nothing that Dataphin shows. */
export const QUIET_OPTIONS = ['checkAssetExist', 'tenantId', 'userId', 'cascadeDelete'] as const;

interface Table {
  readonly ref: TableRef;
  readonly table: UnitTable;
  readonly extProperties?: JsonObject;
}

interface Pair {
  readonly source: Table;
  readonly target: Table;
  readonly columns: Map<string, ColumnEdge>;
  readonly options: JsonObject[];
  readonly paths: string[];
  readonly warnings: Problem[];
}

/**
 * One unit per (source, target) pair, because a Dataphin call takes one pair; entries on the same pair share its unit.
 * Columns of a BY_PROPERTY table need its GUID as ParentGuid: without one they are reported, and the table edge still goes.
 */
export function units(input: MappingInput): Mapping {
  const pairs = new Map<string, Pair>();
  const unresolved: Unresolved[] = [];
  const tableOf = tables();
  const twins = twinWarnings(input.entries, tableOf);
  for (const entry of input.entries) {
    const options = readEntry(entry);
    const from = entry.from.map(tableOf);
    const to = entry.to.map(tableOf);
    from.forEach((source, fromAt) => {
      to.forEach((target, toAt) => {
        const labels = { from: labelOf(entry.from[fromAt]), to: labelOf(entry.to[toAt]) };
        const reason = options.problem ?? reasonOf(source) ?? reasonOf(target);
        if (reason !== undefined || typeof source === 'string' || typeof target === 'string') {
          unresolved.push({ path: entry.path, ...labels, reason: reason ?? 'it has no name at Dataphin' });
          return;
        }
        const id = unitId(['dataphin', input.account, nameKey(source.ref), nameKey(target.ref)]);
        const pair = pairs.get(id) ?? newPair(source, target);
        pairs.set(id, pair);
        if (!pair.paths.includes(entry.path)) pair.paths.push(entry.path);
        for (const ref of [source.ref, target.ref]) {
          const message = twins.get(nameKey(ref));
          if (message !== undefined && !pair.warnings.some((each) => each.message === message)) {
            pair.warnings.push({ path: entry.path, message });
          }
        }
        pair.options.push({ ...options.options, ...extOptions(source, target) });
        addColumns(entry, fromAt, toAt, pair, { source, target }, unresolved);
      });
    });
  }
  return { units: [...pairs].map(([id, pair]) => unitOf(id, pair)), unresolved };
}

function newPair(source: Table, target: Table): Pair {
  return { source, target, columns: new Map(), options: [], paths: [], warnings: [] };
}

function unitOf(id: string, pair: Pair): Unit {
  const { options, conflicts } = mergeOptions(pair.options);
  const warnings = [
    ...pair.warnings,
    ...conflicts.map((option) => ({
      path: pair.paths[0] ?? '',
      message: `entries on the same pair of tables differ in ${option}; the first one counts`,
    })),
  ];
  return {
    id,
    from: [pair.source.table],
    to: [pair.target.table],
    spec: { source: pair.source.ref as JsonObject, target: pair.target.ref as JsonObject },
    columns: [...pair.columns.values()],
    options,
    quietOptions: QUIET_OPTIONS,
    paths: pair.paths,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

function addColumns(
  entry: Entry,
  fromAt: number,
  toAt: number,
  pair: Pair,
  ends: { readonly source: Table; readonly target: Table },
  unresolved: Unresolved[],
): void {
  for (const { from, to, direct } of entry.columns) {
    if (from.table !== fromAt || to.table !== toAt) continue;
    const nameless = [ends.source, ends.target].find(({ ref }) => guidOf(ref) === undefined);
    if (nameless !== undefined) {
      unresolved.push({
        path: entry.path,
        from: `${ends.source.table.name}.${from.column}`,
        to: `${ends.target.table.name}.${to.column}`,
        reason: `Dataphin needs the GUID of ${nameless.table.name} for its columns; add "guid" beside its properties. The table edge is registered without this column`,
      });
      continue;
    }
    const key = JSON.stringify([from.column, to.column]);
    const known = pair.columns.get(key)?.direct ?? false;
    pair.columns.set(key, {
      from: { table: 0, column: from.column },
      to: { table: 0, column: to.column },
      direct: direct || known,
    });
  }
}

type TableOf = (dataset: Dataset) => Table | string;

/** Reads each dataset once, however many entries it stands in. */
function tables(): TableOf {
  const known = new Map<Dataset, Table | string>();
  return (dataset) => {
    let table = known.get(dataset);
    if (table === undefined) {
      table = readTable(dataset);
      known.set(dataset, table);
    }
    return table;
  };
}

/** A table as Dataphin knows it, or the reason why it cannot be named there. */
function readTable(dataset: Dataset): Table | string {
  const given = dataset.vendors['dataphin'];
  if (given === undefined)
    return `${labelOf(dataset)} has no name at Dataphin; give it a dataphin block or a naming rule`;
  const parsed = datasetBlock.safeParse(given);
  if (!parsed.success) return `${labelOf(dataset)}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`;
  const problems = checkDataset(given);
  if (problems.length > 0) return `${labelOf(dataset)}: ${problems.join('; ')}`;
  const { extProperties } = parsed.data;
  const ref = refOf(parsed.data);
  return {
    ref,
    table: tableAs(nameOf(ref), dataset),
    ...(extProperties === undefined ? {} : { extProperties: extProperties as JsonObject }),
  };
}

function tableAs(name: string, dataset: Dataset): UnitTable {
  const known = identity(dataset);
  const { same } = dataset;
  return { name, ...(known === undefined ? {} : { dataset: known }), ...(same === undefined ? {} : { same }) };
}

/** A dataset block as its tables are called in graphs and status documents. */
export function label(block: JsonObject): string | undefined {
  const parsed = datasetBlock.safeParse(block);
  return parsed.success && checkDataset(block).length === 0 ? nameOf(refOf(parsed.data)) : undefined;
}

/** Keys that do not matter for the way of referring are left out, so that one table has one reference. */
function refOf(block: DatasetBlock): TableRef {
  const metadataType = block.metadataType ?? 'TABLE';
  if (referenceType(block) === 'BY_GUID') return { referenceType: 'BY_GUID', guid: block.guid ?? '', metadataType };
  return {
    referenceType: 'BY_PROPERTY',
    metadataType,
    ...(block.metadataSubType === undefined ? {} : { metadataSubType: block.metadataSubType }),
    ...(block.catalog === undefined ? {} : { catalog: block.catalog }),
    ...(block.schema === undefined ? {} : { schema: block.schema }),
    ...(block.env === undefined ? {} : { env: block.env }),
    name: block.name ?? '',
    ...(block.guid === undefined ? {} : { parentGuid: block.guid }),
  };
}

/** GUID or property tuple: what the unit is keyed by. A MetadataSubType or ParentGuid only adds to the same table. */
function nameKey(ref: TableRef): string {
  const kind: Json[] = ref.metadataType === 'TABLE' ? [] : [ref.metadataType];
  const tuple: Json[] =
    ref.referenceType === 'BY_GUID'
      ? ['guid', ref.guid]
      : ['property', ref.catalog ?? null, ref.schema ?? null, ref.env ?? null, ref.name];
  return JSON.stringify([...tuple, ...kind]);
}

function nameOf(ref: TableRef): string {
  if (ref.referenceType === 'BY_GUID') return ref.guid;
  return [ref.catalog, ref.schema, ref.name].filter((part) => part !== undefined).join('.');
}

/** The table's GUID, whichever way it is referred to. */
function guidOf(ref: TableRef): string | undefined {
  return ref.referenceType === 'BY_GUID' ? ref.guid : ref.parentGuid;
}

function extOptions(source: Table, target: Table): JsonObject {
  return {
    ...(source.extProperties === undefined ? {} : { sourceExtProperties: source.extProperties }),
    ...(target.extProperties === undefined ? {} : { targetExtProperties: target.extProperties }),
  };
}

/** Warnings, by name key, for tables that seem to be given once by GUID and once by properties: Dataphin's edges do not meet there. */
function twinWarnings(entries: readonly Entry[], tableOf: TableOf): ReadonlyMap<string, string> {
  const datasets = new Set(entries.flatMap((entry) => [...entry.from, ...entry.to]));
  const tables = [...datasets].map(tableOf).filter((table) => typeof table !== 'string');
  const [first] = tables;
  if (tables.every(({ ref }) => ref.referenceType === first?.ref.referenceType)) return new Map();
  const seen = new Map<string, { guid?: TableRef; property?: TableRef }>();
  for (const { ref, table } of tables) {
    const guid = guidOf(ref);
    const tail =
      ref.referenceType === 'BY_GUID'
        ? ref.guid.split('.').slice(-2).join('.')
        : ref.schema === undefined
          ? undefined
          : `${ref.schema}.${ref.name}`;
    const known = table.dataset;
    for (const sign of [guid && `guid ${guid}`, tail && `tail ${tail}`, known && `dataset ${known}`]) {
      if (!sign) continue;
      const both = seen.get(sign) ?? {};
      seen.set(sign, ref.referenceType === 'BY_GUID' ? { ...both, guid: ref } : { ...both, property: ref });
    }
  }
  const warnings = new Map<string, string>();
  for (const { guid, property } of seen.values()) {
    if (guid === undefined || property === undefined) continue;
    const message = `${nameOf(property)} (BY_PROPERTY) and ${nameOf(guid)} (BY_GUID) look like one table; Dataphin's edges of the two cannot be recognised as one. Refer to it in one way`;
    warnings.set(nameKey(guid), message);
    warnings.set(nameKey(property), message);
  }
  return warnings;
}

function reasonOf(table: Table | string): string | undefined {
  return typeof table === 'string' ? table : undefined;
}

function labelOf(dataset: Dataset | undefined): string {
  if (dataset === undefined) return '(unnamed)';
  return identity(dataset) ?? dataset.alias ?? '(unnamed)';
}
