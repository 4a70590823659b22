import { canonicalJson, type Json, type JsonObject } from '../../core/json.ts';
import { type AsSent, asSentOf, formsKey, type SentColumn, sentColumn } from './as-sent.ts';
import type { DatasetBlock, EntryBlock } from './blocks.ts';
import { columnEntry, commandToDocument, readCall, type Said, type WireCall } from './document.ts';
import type { Asset } from './wire.ts';

/** Pure: what calls in Dataphin's own format make of the document that keeps what the same pair was told before. */
export { commandToDocument, documentToCommand, readCall, type WireCall } from './document.ts';
export { label as tableName } from './mapping.ts';
export { checkReferences } from './references.ts';
export { API_VERSION } from './wire.ts';

/** What tells two pairs apart; the key of their owner is made of it. ExtProperties and MetadataSubType only add to the same table. */
export function identityOf({ opTenantId, operation, command }: WireCall): Json {
  const { Source, Target } = readCall({ operation, command }).command;
  return [opTenantId, endOf(Source), endOf(Target)];
}

function endOf(asset: Asset): Json {
  const { ReferenceType, Guid, MetadataType, Catalog, Schema, Env, Name } = asset;
  return ReferenceType === 'BY_GUID'
    ? [MetadataType, Guid ?? null]
    : [MetadataType, Catalog ?? null, Schema ?? null, Env ?? null, Name ?? null];
}

/** What is left of a document after a Delete. */
export type Subtracted =
  /** Nothing of what was to be deleted is declared. */
  | { readonly kind: 'nothing' }
  /** The pair goes; `document` is what to say before, so that the Delete's own fields are sent. */
  | { readonly kind: 'gone'; readonly document: JsonObject }
  | { readonly kind: 'less'; readonly document: JsonObject };

interface Stored {
  readonly targets?: readonly string[];
  readonly datasets: Readonly<Record<'source' | 'target', { readonly dataphin: DatasetBlock }>>;
  readonly lineage: readonly [{ readonly columns?: readonly JsonObject[]; readonly dataphin: EntryBlock }];
  readonly wire: {
    readonly opTenantId: string;
    readonly command: JsonObject;
    readonly earlier?: readonly JsonObject[];
    readonly deleted?: JsonObject;
  };
}

/** The document after one more Add: columns join those known, of options the last word counts, maps merge by key. */
export function added(known: JsonObject | undefined, call: WireCall, targets: string | readonly string[]): JsonObject {
  const next = commandToDocument(call, targets);
  if (known === undefined) return next;
  const before = known as unknown as Stored;
  const now = next as unknown as Stored;
  const said = readCall(call);
  const columns = new Map([...columnsOf(before), ...said.columns.map((each) => [keyOf(each), each] as const)]);
  const [entry] = now.lineage;
  const [old] = before.lineage;
  const datasets = {
    source: { dataphin: tableOf(before.datasets.source.dataphin, now.datasets.source.dataphin) },
    target: { dataphin: tableOf(before.datasets.target.dataphin, now.datasets.target.dataphin) },
  };
  const asSent = formsOf(entry.dataphin.asSent ?? {}, [...columns.values()], datasets);
  const properties = { ...old.dataphin.relationProperties, ...entry.dataphin.relationProperties };
  const options: EntryBlock = {
    ...old.dataphin,
    ...entry.dataphin,
    ...(Object.keys(properties).length === 0 ? {} : { relationProperties: properties }),
    asSent,
    sentLike: formsKey(asSent),
  };
  const earlier = stillSaying([...(before.wire.earlier ?? []), before.wire.command], call.command, columns);
  return {
    ...next,
    datasets: datasets as unknown as JsonObject,
    lineage: [entryOf(columns, options)],
    wire: { ...(next['wire'] as JsonObject), ...(earlier.length === 0 ? {} : { earlier }) },
  };
}

/**
 * The document after a Delete. Without DetailedLineages the pair goes; with them these columns, and the pair with the last of them
 * unless CascadeDeleteLineage is false (Alibaba Dataphin, "Register data lineage using OpenAPI", updated 2026-06-23).
 */
export function subtracted(known: JsonObject, call: WireCall): Subtracted {
  const before = known as unknown as Stored;
  const { command, columns: named } = readCall(call);
  const columns = columnsOf(before);
  const taken = named.filter((each) => columns.has(keyOf(each)));
  if (named.length > 0 && taken.length === 0) return { kind: 'nothing' };
  const [entry] = before.lineage;
  const forms = new Map(columns);
  for (const each of taken) forms.set(keyOf(each), each);
  const tables = { source: call.command['Source'], target: call.command['Target'] } as AsSent;
  const options: EntryBlock = {
    ...entry.dataphin,
    ...(command.TenantId === undefined ? {} : { tenantId: command.TenantId }),
    ...(command.UserId === undefined ? {} : { userId: command.UserId }),
    asSent: formsOf(tables, [...forms.values()], before.datasets),
  };
  const wire = { ...(known['wire'] as JsonObject), deleted: call.command };
  for (const each of taken) columns.delete(keyOf(each));
  const gone = named.length === 0 || (columns.size === 0 && command.CascadeDeleteLineage !== false);
  if (gone) return { kind: 'gone', document: { ...known, lineage: [entryOf(columnsOf(before), options)], wire } };
  return { kind: 'less', document: { ...known, lineage: [entryOf(columns, options)], wire } };
}

type Columns = Map<string, Said['columns'][number]>;

function keyOf({ from, to }: { readonly from: string; readonly to: string }): string {
  return JSON.stringify([from, to]);
}

/** The columns of a document, each as it was referred to. */
function columnsOf({ lineage: [entry], datasets }: Stored): Columns {
  const parents = { source: datasets.source.dataphin.guid, target: datasets.target.dataphin.guid };
  const listed = (entry.columns ?? []) as unknown as readonly {
    readonly from: { readonly column: string };
    readonly to: { readonly column: string };
    readonly direct: boolean;
  }[];
  return new Map(
    listed.map(({ from: { column: from }, to: { column: to }, direct: isDirect }) => {
      const sent = sentColumn(entry.dataphin.asSent, from, to, parents);
      const column = { from, to, source: {}, target: {}, direct: true, ...sent, isDirect };
      return [keyOf(column), column] as const;
    }),
  );
}

function formsOf(tables: AsSent, columns: readonly SentColumn[], datasets: Stored['datasets']): AsSent {
  const parents = { source: datasets.source.dataphin.guid, target: datasets.target.dataphin.guid };
  return asSentOf({ source: tables.source ?? {}, target: tables.target ?? {} }, columns, parents);
}

function entryOf(columns: Columns, options: EntryBlock): JsonObject {
  return {
    from: 'source',
    to: 'target',
    ...(columns.size === 0 ? {} : { columns: [...columns.values()].map(columnEntry) }),
    dataphin: options as unknown as JsonObject,
  };
}

function tableOf(before: DatasetBlock, now: DatasetBlock): DatasetBlock {
  const ext = { ...before.extProperties, ...now.extProperties };
  return {
    ...now,
    ...(now.guid === undefined && before.guid !== undefined ? { guid: before.guid } : {}),
    ...(Object.keys(ext).length === 0 ? {} : { extProperties: ext }),
  };
}

/** Of earlier bodies those that were the last to say something that is still declared; so their number has an end. */
function stillSaying(earlier: readonly JsonObject[], last: JsonObject, declared: Columns): JsonObject[] {
  const said = (command: JsonObject) => readCall({ operation: 'AddRegisterLineage', command }).columns.map(keyOf);
  const told = new Set(said(last));
  const kept: JsonObject[] = [];
  for (const command of earlier.toReversed()) {
    const news = said(command).filter((key) => declared.has(key) && !told.has(key));
    if (news.length === 0 || canonicalJson(command) === canonicalJson(last)) continue;
    for (const key of news) told.add(key);
    kept.unshift(command);
  }
  return kept;
}
