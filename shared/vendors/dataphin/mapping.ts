import { mergeOptions } from '../../core/claims.ts';
import { type Dataset, identity } from '../../core/dataset.ts';
import type { ColumnEdge, Entry, Problem } from '../../core/edge.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { pairNumber } from '../../core/pair-number.ts';
import { unitIds } from '../../core/unit-id.ts';
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
  /** `key` as JSON text. */
  readonly keyText: string;
  /** The same for the same key, within one mapping. */
  readonly number: number;
  readonly table: UnitTable;
  /** The table alone, as a side of a unit. */
  readonly side: readonly UnitTable[];
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
  const tables = tablesOf(input.entries);
  const twins = twinWarnings(tables);
  for (const entry of input.entries) {
    const { options: own, problem } = readEntry(entry);
    // Whoever sent the columns in Dataphin's own format said how they are called there.
    const said = own['asSent'] !== undefined;
    for (let fromAt = 0; fromAt < entry.from.length; fromAt += 1) {
      for (let toAt = 0; toAt < entry.to.length; toAt += 1) {
        const source = tableAt(tables, entry.from, fromAt);
        const target = tableAt(tables, entry.to, toAt);
        if (problem !== undefined || typeof source === 'string' || typeof target === 'string') {
          const reason = problem ?? reasonOf(source) ?? reasonOf(target) ?? 'it has no name at Dataphin';
          const labels = { from: labelOf(entry.from[fromAt]), to: labelOf(entry.to[toAt]) };
          unresolved.push({ path: entry.path, ...labels, reason });
          continue;
        }
        const columns = columnsOf(entry, fromAt, toAt, { source, target, said }, unresolved);
        const options = withExt(own, source, target);
        const place = pairNumber(source.number, target.number);
        let pair = pairs.get(place);
        if (pair === undefined) {
          pair = { source, target, columns: [columns], options: [options], paths: [entry.path], warnings: [] };
          pairs.set(place, pair);
        } else addTo(pair, columns, options, entry.path);
        if (twins.size > 0) warnOfTwins(pair, twins, entry.path);
      }
    }
  }
  const idOf = unitIds(['dataphin', input.account]);
  return { units: Array.from(pairs.values(), (pair) => unitOf(pair, idOf, unresolved)), unresolved };
}

function addTo(pair: Pair, columns: readonly ColumnEdge[], options: JsonObject, path: string): void {
  pair.columns.push(columns);
  pair.options.push(options);
  if (!pair.paths.includes(path)) pair.paths.push(path);
}

function warnOfTwins({ source, target, warnings }: Pair, twins: ReadonlyMap<string, string>, path: string): void {
  for (const { key } of [source, target]) {
    const message = twins.get(key);
    if (message === undefined || warnings.some((each) => each.message === message)) continue;
    warnings.push({ path, message });
  }
}

function unitOf(pair: Pair, idOf: ReturnType<typeof unitIds>, unresolved: Unresolved[]): Unit {
  const { options, conflicts } = mergeOptions(pair.options);
  const unit: Unit = {
    id: idOf(pair.source.keyText, pair.target.keyText),
    from: pair.source.side,
    to: pair.target.side,
    spec: { source: pair.source.ref as JsonObject, target: pair.target.ref as JsonObject },
    columns: within(together(pair.columns), pair, unresolved),
    options,
    quietOptions: QUIET_OPTIONS,
    paths: pair.paths,
  };
  if (pair.warnings.length === 0 && conflicts.length === 0) return unit;
  const differing = conflicts.map((option) => ({
    path: pair.paths[0] ?? '',
    message: `entries on the same pair of tables differ in ${option}; the first one counts`,
  }));
  return { ...unit, warnings: [...pair.warnings, ...differing] };
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

/** A number for each text: cheaper to put together than the texts. */
function numbers(): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    const number = known.get(text) ?? known.size;
    known.set(text, number);
    return number;
  };
}

/** Each dataset with its table, or the reason why it has none. */
type Tables = ReadonlyMap<Dataset, Table | string>;

/** Reads each dataset once, however many entries it stands in. */
function tablesOf(entries: readonly Entry[]): Tables {
  const numberOf = numbers();
  const tables = new Map<Dataset, Table | string>();
  const read = (dataset: Dataset): void => {
    if (!tables.has(dataset)) tables.set(dataset, readTable(dataset, numberOf));
  };
  for (const { from, to } of entries) {
    for (const dataset of from) read(dataset);
    for (const dataset of to) read(dataset);
  }
  return tables;
}

function tableAt(tables: Tables, side: readonly Dataset[], at: number): Table | string {
  return tables.get(side[at] as Dataset) as Table | string;
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
  const table = tableAs(nameOf(ref), dataset);
  return {
    ref,
    key,
    keyText: JSON.stringify(key),
    number: numberOf(key),
    table,
    side: [table],
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
function twinWarnings(tables: Tables): ReadonlyMap<string, string> {
  const named = [...tables.values()].filter((table) => typeof table !== 'string');
  const [first] = named;
  if (named.every(({ ref }) => ref.referenceType === first?.ref.referenceType)) return new Map();
  const seen = new Map<string, { guid?: TableRef; property?: TableRef }>();
  for (const { ref, table } of named) {
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
