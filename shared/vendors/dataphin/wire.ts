import * as z from 'zod';
import { anyMap as properties } from '../../core/any-json.ts';
import { Failure } from '../../core/failure.ts';
import { onFirstUse } from '../../core/first-use.ts';
import type { Call, WithdrawCall } from '../vendor.ts';
import { asSentSchema, sentColumn } from './as-sent.ts';
import { METADATA_SUB_TYPES } from './blocks.ts';

/**
 * What goes over the wire to and from Dataphin. Sources: Alibaba Dataphin, "Register data lineage using OpenAPI", updated
 * 2026-06-23 (fields), and the public SDK dataphin-public 2023-06-30 (operation names, RPC style, places of parameters).
 */
export const API_VERSION = '2023-06-30';
export const MAX_DETAILS = 100;

export type Operation = 'AddRegisterLineage' | 'DeleteRegisterLineage';

const name = z.string().min(1);
const environment = z.enum(['DEV', 'PROD']);
const long = z.int().nonnegative();

/** One end of a unit, as it stands in `Unit.spec`. */
const tableRef = onFirstUse(() =>
  z.discriminatedUnion('referenceType', [
    z.strictObject({ referenceType: z.literal('BY_GUID'), guid: name, metadataType: name }),
    z.strictObject({
      referenceType: z.literal('BY_PROPERTY'),
      metadataType: name,
      metadataSubType: z.enum(METADATA_SUB_TYPES).exactOptional(),
      catalog: name.exactOptional(),
      schema: name.exactOptional(),
      env: environment.exactOptional(),
      name,
      /** The table's GUID, where its columns need it. */
      parentGuid: name.exactOptional(),
    }),
  ]),
);
export type TableRef = z.output<ReturnType<typeof tableRef>>;

const spec = onFirstUse(() => z.strictObject({ source: tableRef(), target: tableRef() }));

const options = onFirstUse(() =>
  z.strictObject({
    checkAssetExist: z.boolean().exactOptional(),
    relationProperties: properties.exactOptional(),
    cascadeDelete: z.boolean().exactOptional(),
    tenantId: z.union([long, z.string()]).exactOptional(),
    userId: name.exactOptional(),
    sourceExtProperties: properties.exactOptional(),
    targetExtProperties: properties.exactOptional(),
    asSent: asSentSchema.exactOptional(),
    sentLike: name.exactOptional(),
  }),
);

const naming = {
  Guid: name.exactOptional(),
  Catalog: name.exactOptional(),
  Schema: name.exactOptional(),
  Env: environment.exactOptional(),
  Name: name.exactOptional(),
  ExtProperties: properties.exactOptional(),
};

/** `Source` and `Target` of a command. */
export const assetSchema = z.lazy(() =>
  z.strictObject({
    ReferenceType: z.enum(['BY_GUID', 'BY_PROPERTY']),
    MetadataType: name,
    MetadataSubType: z.enum(METADATA_SUB_TYPES).exactOptional(),
    ...naming,
  }),
);

/** `Source` and `Target` of one of `DetailedLineages`; every field is optional on the page. */
export const columnSchema = z.lazy(() =>
  z.strictObject({
    ReferenceType: z.enum(['BY_GUID', 'BY_PROPERTY']).exactOptional(),
    MetadataType: name.exactOptional(),
    ParentGuid: name.exactOptional(),
    ...naming,
  }),
);

const detail = z.lazy(() =>
  z.strictObject({ Source: columnSchema, Target: columnSchema, IsDirect: z.boolean().exactOptional() }),
);

const common = {
  Source: assetSchema,
  Target: assetSchema,
  DetailedLineages: z.array(detail).max(MAX_DETAILS).exactOptional(),
  TenantId: long.exactOptional(),
  UserId: name.exactOptional(),
};

/** JSON of the form field `AddRegisterLineageCommand`. */
export const addCommandSchema = z.lazy(() =>
  z.strictObject({
    ...common,
    CheckAssetExist: z.boolean().exactOptional(),
    RelationProperties: properties.exactOptional(),
  }),
);

/** JSON of the form field `DeleteRegisterLineageCommand`. */
export const deleteCommandSchema = z.lazy(() =>
  z.strictObject({ ...common, CascadeDeleteLineage: z.boolean().exactOptional() }),
);

export type Asset = z.output<typeof assetSchema>;
export type Column = z.output<typeof columnSchema>;
export type AddCommand = z.output<typeof addCommandSchema>;
export type DeleteCommand = z.output<typeof deleteCommandSchema>;

/** What every answer holds; tolerant, because the page contradicts itself (Success is a boolean there, and "Success"). */
export const answerSchema = onFirstUse(() =>
  z.looseObject({
    RequestId: z.string().nullish(),
    Message: z.string().nullish(),
    HttpStatusCode: z.coerce.number().nullish().catch(undefined),
    Code: z.string().nullish(),
    Success: z.union([z.boolean(), z.string()]).nullish(),
  }),
);
export type DataphinAnswer = z.output<ReturnType<typeof answerSchema>>;

/** `TableLineageList` of GetTableLineages, as far as it is read. */
export const tableLineagesSchema = z.lazy(() =>
  z.looseObject({
    TableLineageList: z
      .array(z.looseObject({ InputTableGuid: z.string().nullish(), OutputTableGuid: z.string().nullish() }))
      .nullish(),
  }),
);
/** `TableColumnLineageList` of GetTableColumnLineages, as far as it is read. */
export const columnLineagesSchema = z.lazy(() =>
  z.looseObject({
    TableColumnLineageList: z
      .array(z.looseObject({ InputColumnGuid: z.string().nullish(), OutputColumnGuid: z.string().nullish() }))
      .nullish(),
  }),
);

/**
 * Whether an answer with a 2xx status says that it was done: Success is true, "true" or "Success", Code is OK or absent, and
 * the status inside is not an error. Message is never looked at: the page's own success example says "internal error".
 */
export function succeeded(answer: DataphinAnswer): boolean {
  const flag = answer.Success === true || /^(true|success)$/i.test(String(answer.Success ?? ''));
  const code = answer.Code === undefined || answer.Code === null || answer.Code === '' || answer.Code === 'OK';
  return flag && code && (answer.HttpStatusCode ?? 200) < 400;
}

/** The command that registers a call's pair with its columns. Throws `Failure` `invalid` on a call that is not Dataphin's. */
export function addCommand(call: Call, defaults: Defaults): AddCommand {
  const { pair, given } = readCall(call, defaults);
  return {
    ...pair,
    ...(given.checkAssetExist === undefined ? {} : { CheckAssetExist: given.checkAssetExist }),
    ...(given.relationProperties === undefined ? {} : { RelationProperties: given.relationProperties }),
  };
}

/** The command that withdraws the call's columns and, if it cascades or has no columns, the pair. */
export function deleteCommand(call: WithdrawCall, defaults: Defaults): DeleteCommand {
  const { pair, given } = readCall(call, defaults);
  return { ...pair, CascadeDeleteLineage: call.cascade && given.cascadeDelete !== false };
}

/** TenantId and UserId to send when the entry gives none. */
export interface Defaults {
  readonly tenantId?: number | string;
  readonly userId?: string;
}

/** The GUIDs of both tables, if both have one: reading lineage back needs them. */
export function guidsOf(call: Pick<Call, 'spec'>): { readonly source: string; readonly target: string } | undefined {
  const { source, target } = parsed(spec(), call.spec);
  const [from, to] = [source, target].map(guidOf);
  return from === undefined || to === undefined ? undefined : { source: from, target: to };
}

function guidOf(ref: TableRef): string | undefined {
  return ref.referenceType === 'BY_GUID' ? ref.guid : ref.parentGuid;
}

const NO_OPTIONS: z.output<ReturnType<typeof options>> = {};

function readCall(call: Call, defaults: Defaults) {
  if (call.columns.length > MAX_DETAILS) {
    throw new Failure(
      'invalid',
      `A Dataphin call takes at most ${MAX_DETAILS} column pairs; this one has ${call.columns.length}.`,
    );
  }
  const { source, target } = parsed(spec(), call.spec);
  const given = Object.keys(call.options).length === 0 ? NO_OPTIONS : parsed(options(), call.options);
  const { asSent } = given;
  // What came in Dataphin's own format goes on as it came.
  const tenantId = given.tenantId ?? (asSent === undefined ? defaults.tenantId : undefined);
  const userId = given.userId ?? (asSent === undefined ? defaults.userId : undefined);
  const parents = { source: guidOf(source), target: guidOf(target) };
  const details = call.columns.map(({ from, to, direct }) => {
    const sent = sentColumn(asSent, from.column, to.column, parents);
    return {
      Source: sent ? parsed(columnSchema, sent.source) : columnOf(source, from.column),
      Target: sent ? parsed(columnSchema, sent.target) : columnOf(target, to.column),
      ...(sent?.direct === false && direct ? {} : { IsDirect: direct }),
    };
  });
  const pair = {
    Source: assetOf(source, given.sourceExtProperties, asSent?.source),
    Target: assetOf(target, given.targetExtProperties, asSent?.target),
    ...(details.length === 0 ? {} : { DetailedLineages: details }),
    ...(tenantId === undefined ? {} : { TenantId: Number(tenantId) }),
    ...(userId === undefined ? {} : { UserId: userId }),
  };
  return { pair, given };
}

function assetOf(ref: TableRef, ext: Asset['ExtProperties'], sent: unknown): Asset {
  if (sent !== undefined) return { ...parsed(assetSchema, sent), ...(ext === undefined ? {} : { ExtProperties: ext }) };
  return {
    ReferenceType: ref.referenceType,
    ...(ref.referenceType === 'BY_GUID' ? { Guid: ref.guid } : {}),
    MetadataType: ref.metadataType,
    ...(ref.referenceType === 'BY_PROPERTY' ? propertiesOf(ref) : {}),
    ...(ext === undefined ? {} : { ExtProperties: ext }),
  };
}

function propertiesOf(ref: Extract<TableRef, { referenceType: 'BY_PROPERTY' }>) {
  return {
    ...(ref.metadataSubType === undefined ? {} : { MetadataSubType: ref.metadataSubType }),
    ...(ref.catalog === undefined ? {} : { Catalog: ref.catalog }),
    ...(ref.schema === undefined ? {} : { Schema: ref.schema }),
    ...(ref.env === undefined ? {} : { Env: ref.env }),
    Name: ref.name,
  };
}

/** How a BY_PROPERTY column names its table is not documented; ParentGuid is the one field that the page gives for it. */
function columnOf(ref: TableRef, column: string): Column {
  if (ref.referenceType === 'BY_GUID') {
    return { ReferenceType: 'BY_GUID', Guid: `${ref.guid}.${column}`, ParentGuid: ref.guid, MetadataType: 'COLUMN' };
  }
  const { MetadataSubType: _only, ...table } = propertiesOf(ref);
  return {
    ReferenceType: 'BY_PROPERTY',
    ...(ref.parentGuid === undefined ? {} : { ParentGuid: ref.parentGuid }),
    MetadataType: 'COLUMN',
    ...table,
    Name: column,
  };
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new Failure('invalid', `This call was not made for Dataphin (${where}). Plan the owner again.`);
}
