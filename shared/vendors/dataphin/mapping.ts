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
export const QUIET_OPTIONS = ['checkAssetExist', 'tenantId', 'userId', 'cascadeDelete', 'asSent'] as const;

interface Table {
  readonly ref: TableRef;
  /** What a unit is keyed by. */
  readonly key: string;
  /** The same for the same key, within one mapping. */
  readonly number: number;
  readonly table: UnitTable;
  readonly extProperties?: JsonObject;
}

interface Pair {
  readonly source: Table;
  readonly target: Table;
  /** One list for each entry, in which each pair of columns stands once. */
  readonly columns: (readonly ColumnEdge[])[];
  readonly options: JsonObject[];
  readonly paths: string[];
  readonly warnings: Problem[];
}

/**
 * One unit per (source, target) pair, because a Dataphin call takes one pair; entries on the same pair share its unit.
 * Columns of a BY_PROPERTY table need its GUID as ParentGuid: without one they are reported, and the table edge still goes.
 */
export function units(input: MappingInput): Mapping {
  const pairs = new Map<number, Pair>();
  const unresolved: Unresolved[] = [];
  const tableOf = tables();
  const twins = twinWarnings(input.entries, tableOf);
  for (const entry of input.entries) {
    const options = readEntry(entry);
    const from = entry.from.map(tableOf);
    const to = entry.to.map(tableOf);
    from.forEach((source, fromAt) => {
      to.forEach((target, toAt) => {
        const reason = options.problem ?? reasonOf(source) ?? reasonOf(target);
        if (reason !== undefined || typeof source === 'string' || typeof target === 'string') {
          const labels = { from: labelOf(entry.from[fromAt]), to: labelOf(entry.to[toAt]) };
          unresolved.push({ path: entry.path, ...labels, reason: reason ?? 'it has no name at Dataphin' });
          return;
        }
        const place = source.number * MAX_KEYS + target.number;
        const pair = pairs.get(place) ?? newPair(source, target);
        pairs.set(place, pair);
        if (!pair.paths.includes(entry.path)) pair.paths.push(entry.path);
        for (const { key } of twins.size === 0 ? [] : [source, target]) {
          const message = twins.get(key);
          if (message !== undefined && !pair.warnings.some((each) => each.message === message)) {
            pair.warnings.push({ path: entry.path, message });
          }
        }
        pair.options.push(withExt(options.options, source, target));
        // Whoever sent the columns in Dataphin's own format said how they are called there.
        const said = options.options['asSent'] !== undefined;
        pair.columns.push(columnsOf(entry, fromAt, toAt, { source, target, said }, unresolved));
      });
    });
  }
  return { units: [...pairs.values()].map((pair) => unitOf(pair, input.account, unresolved)), unresolved };
}

function newPair(source: Table, target: Table): Pair {
  return { source, target, columns: [], options: [], paths: [], warnings: [] };
}

function unitOf(pair: Pair, account: string, unresolved: Unresolved[]): Unit {
  const { options, conflicts } = mergeOptions(pair.options);
  const warnings = [
    ...pair.warnings,
    ...conflicts.map((option) => ({
      path: pair.paths[0] ?? '',
      message: `entries on the same pair of tables differ in ${option}; the first one counts`,
    })),
  ];
  return {
    id: unitId(['dataphin', account, pair.source.key, pair.target.key]),
    from: [pair.source.table],
    to: [pair.target.table],
    spec: { source: pair.source.ref as JsonObject, target: pair.target.ref as JsonObject },
    columns: within(together(pair.columns), pair, unresolved),
    options,
    quietOptions: QUIET_OPTIONS,
    paths: pair.paths,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

function columnsOf(
  entry: Entry,
  fromAt: number,
  toAt: number,
  ends: { readonly source: Table; readonly target: Table; readonly said: boolean },
  unresolved: Unresolved[],
): readonly ColumnEdge[] {
  const columns: ColumnEdge[] = [];
  const nameless = ends.said ? undefined : [ends.source, ends.target].find(({ ref }) => guidOf(ref) === undefined);
  if (nameless === undefined && entry.from.length === 1 && entry.to.length === 1) return entry.columns;
  for (const edge of entry.columns) {
    const { from, to, direct } = edge;
    if (from.table !== fromAt || to.table !== toAt) continue;
    if (nameless !== undefined) {
      unresolved.push({
        path: entry.path,
        from: `${ends.source.table.name}.${from.column}`,
        to: `${ends.target.table.name}.${to.column}`,
        reason: `Dataphin needs the GUID of ${nameless.table.name} for its columns; add "guid" beside its properties. The table edge is registered without this column`,
      });
      continue;
    }
    columns.push(
      fromAt === 0 && toAt === 0
        ? edge
        : { from: { table: 0, column: from.column }, to: { table: 0, column: to.column }, direct },
    );
  }
  return columns;
}

/** Column pairs that one pair of tables may have: each call rewrites what the ledger knows about all of them. */
const MOST_COLUMNS = 10_000;

/** What is beyond the limit is reported; the edge and the columns up to it are registered. */
function within(columns: readonly ColumnEdge[], pair: Pair, unresolved: Unresolved[]): readonly ColumnEdge[] {
  if (columns.length <= MOST_COLUMNS) return columns;
  const { source, target, paths } = pair;
  unresolved.push({
    path: paths[0] ?? '',
    from: source.table.name,
    to: target.table.name,
    reason: `it has ${columns.length} pairs of columns, and only the first ${MOST_COLUMNS} are registered. Declare the columns that matter; entries or manifests with other columns of the same two tables do not split it, a table in between does`,
  });
  return columns.slice(0, MOST_COLUMNS);
}

/** Each pair of columns once; direct if any entry says so. */
function together(lists: readonly (readonly ColumnEdge[])[]): readonly ColumnEdge[] {
  const [first = [], ...more] = lists;
  if (more.length === 0) return first;
  const columns = new Map<string, ColumnEdge>();
  for (const edge of lists.flat()) {
    const key = JSON.stringify([edge.from.column, edge.to.column]);
    if (columns.get(key)?.direct !== true) columns.set(key, edge);
  }
  return [...columns.values()];
}

/** Above anything a manifest can name. */
const MAX_KEYS = 2 ** 26;

/** A number for each text: cheaper to put together than the texts. */
function numbers(): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    const number = known.get(text) ?? known.size;
    known.set(text, number);
    return number;
  };
}

type TableOf = (dataset: Dataset) => Table | string;

/** Reads each dataset once, however many entries it stands in. */
function tables(): TableOf {
  const numberOf = numbers();
  const known = new Map<Dataset, Table | string>();
  return (dataset) => {
    let table = known.get(dataset);
    if (table === undefined) {
      table = readTable(dataset, numberOf);
      known.set(dataset, table);
    }
    return table;
  };
}

/** A table as Dataphin knows it, or the reason why it cannot be named there. */
function readTable(dataset: Dataset, numberOf: (key: string) => number): Table | string {
  const given = dataset.vendors['dataphin'];
  if (given === undefined)
    return `${labelOf(dataset)} has no name at Dataphin; give it a dataphin block or a naming rule`;
  const parsed = datasetBlock.safeParse(given);
  if (!parsed.success) return `${labelOf(dataset)}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`;
  const problems = checkDataset(given);
  if (problems.length > 0) return `${labelOf(dataset)}: ${problems.join('; ')}`;
  const { extProperties } = parsed.data;
  const ref = refOf(parsed.data);
  const key = nameKey(ref);
  return {
    ref,
    key,
    number: numberOf(key),
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

/** Only a GUID says all by itself; properties joined by dots leave open which is which. */
export function blockOf(name: string): JsonObject | undefined {
  return /^[A-Za-z_]+(\.[^.]+){3,}$/.test(name) ? { guid: name } : undefined;
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

function withExt(options: JsonObject, source: Table, target: Table): JsonObject {
  if (source.extProperties === undefined && target.extProperties === undefined) return options;
  return {
    ...options,
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
