import type { Json, JsonObject } from '../../core/json.ts';
import { type DatasetBlock, datasetBlock, entryBlock, referenceType } from './blocks.ts';

/** A dataset block as nothing but what says which table it is; its GUID besides, where its columns are named by that. */
export function tablesOf(block: JsonObject): readonly JsonObject[] {
  const parsed = datasetBlock.safeParse(block);
  if (!parsed.success) return [];
  const { metadataType = 'TABLE', ...named }: DatasetBlock = parsed.data;
  const kind = metadataType === 'TABLE' ? {} : { metadataType };
  const { guid, catalog, schema, env, name } = named;
  const byGuid = guid === undefined ? [] : [{ guid, ...kind }];
  if (referenceType(parsed.data) === 'BY_GUID') return byGuid;
  return [present({ catalog, schema, env, name, ...kind }), ...byGuid];
}

/** Tables that `asSent` refers to: it is sent on unchanged, whatever the entry's datasets say. */
export function mentions(block: JsonObject): readonly JsonObject[] {
  const parsed = entryBlock.safeParse(block);
  const { source, target, columns = [] } = (parsed.success ? parsed.data.asSent : undefined) ?? {};
  return [
    ...[source, target].flatMap((each) => (each === undefined ? [] : tableIn(each))),
    ...columns.flatMap((each) => [each.source, each.target].flatMap(parentsIn)),
  ];
}

type Reference = Readonly<Record<string, Json>>;

function tableIn(reference: Reference): JsonObject[] {
  const { ReferenceType, MetadataType, Guid, Catalog, Schema, Env, Name } = reference;
  const kind = MetadataType === undefined || MetadataType === 'TABLE' ? {} : { metadataType: MetadataType };
  if (ReferenceType === 'BY_GUID') return [present({ guid: Guid, ...kind })];
  return [present({ catalog: Catalog, schema: Schema, env: Env, name: Name, ...kind })];
}

/** A column names its table by `ParentGuid`, and by the beginning of its own Guid; `true` there follows from the table. */
function parentsIn({ Guid, ParentGuid }: Reference): JsonObject[] {
  return [
    ...(typeof ParentGuid === 'string' ? [{ guid: ParentGuid }] : []),
    ...(typeof Guid === 'string' ? [{ guid: Guid.slice(0, Math.max(0, Guid.lastIndexOf('.'))) }] : []),
  ];
}

function present(block: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(block).filter(([, part]) => part !== undefined)) as JsonObject;
}
