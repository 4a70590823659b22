import * as z from 'zod';
import { type Refusal, refusal } from '../alibaba-gateway.ts';

/**
 * The two commands, field by field (Alibaba Dataphin, "Register data lineage using OpenAPI", updated 2026-06-23, and the
 * models of the public SDK, version 2023-06-30). Optional keys may be left out, never null; unknown keys are refused.
 */
const text = z.string().min(1);
/** Of 2^63 - 1 and 2^63 JSON makes the same number here, so the last of a long's range is refused with what lies beyond it. */
const long = z
  .number()
  .refine(
    (value) => Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63,
    'must be a whole number, a long',
  );
const properties = z.record(z.string(), z.json());

export const SUB_TYPES = [
  'PHYSICAL_TABLE',
  'PHYSICAL_VIEW',
  'PHYSICAL_MATERIALIZED_VIEW',
  'DATASOURCE_TABLE',
  'DATASOURCE_VIEW',
  'DATASOURCE_MATERIALIZED_VIEW',
  'DIM_NORMAL',
  'DIM_LEVEL',
  'DIM_ENUM',
  'DIM_VIRTUAL',
  'FACT_EVENT',
  'FACT_PROCESS',
  'FACT_SNAPSHOT',
  'SUM_BIZ_UNIT',
] as const;

const naming = {
  Guid: text.optional(),
  Catalog: text.optional(),
  Schema: text.optional(),
  Env: z.enum(['DEV', 'PROD']).optional(),
  Name: text.optional(),
  ExtProperties: properties.optional(),
};

const assetRef = z
  .strictObject({
    ReferenceType: z.enum(['BY_GUID', 'BY_PROPERTY']),
    MetadataType: text,
    MetadataSubType: z.enum(SUB_TYPES).optional(),
    ...naming,
  })
  .superRefine((ref, context) => {
    const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    const byGuid = ref.ReferenceType === 'BY_GUID';
    if (byGuid && ref.Guid === undefined) wrong('Guid', 'is required when ReferenceType is BY_GUID');
    if (!byGuid && ref.Guid !== undefined) wrong('Guid', 'goes only with ReferenceType BY_GUID');
    // Stricter than the tables, which ask for no property at all: without a name nothing is referred to.
    if (!byGuid && ref.Name === undefined) wrong('Name', 'is required when ReferenceType is BY_PROPERTY');
    if (ref.MetadataSubType !== undefined && (byGuid || ref.MetadataType !== 'TABLE')) {
      wrong('MetadataSubType', 'goes only with MetadataType TABLE, and not with BY_GUID');
    }
    if (ref.Guid !== undefined && ref.MetadataType === 'TABLE' && !isTableGuid(ref.Guid)) {
      wrong('Guid', 'is not <EngineType>.<TenantId>.<ProjectName>.<TableName>, dp_table.… or dp_ds_table.…');
    }
  });

const columnRef = z
  .strictObject({
    ReferenceType: z.enum(['BY_GUID', 'BY_PROPERTY']).optional(),
    MetadataType: text.optional(),
    ParentGuid: text.optional(),
    ...naming,
  })
  .superRefine((ref, context) => {
    const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (ref.ReferenceType === 'BY_GUID' && ref.Guid === undefined)
      wrong('Guid', 'is required when ReferenceType is BY_GUID');
    if (ref.ReferenceType === 'BY_PROPERTY' && ref.Guid !== undefined)
      wrong('Guid', 'goes only with ReferenceType BY_GUID');
    if (ref.Guid === undefined && ref.Name === undefined) wrong('Name', 'is required without a Guid');
  });

const pair = {
  Source: assetRef,
  Target: assetRef,
  DetailedLineages: z
    .array(z.strictObject({ Source: columnRef, Target: columnRef, IsDirect: z.boolean().optional() }))
    .optional(),
  TenantId: long.optional(),
  UserId: text.optional(),
};

export const addCommand = z.strictObject({
  ...pair,
  CheckAssetExist: z.boolean().optional(),
  RelationProperties: properties.optional(),
});
export const deleteCommand = z.strictObject({ ...pair, CascadeDeleteLineage: z.boolean().optional() });

/** `FilterQuery` of the two lineage reads. */
export const filterQuery = z.strictObject({
  NeedUpstream: z.boolean().optional(),
  NeedDownstream: z.boolean().optional(),
  NeedNotExistObject: z.boolean().optional(),
  NodeEnv: z.enum(['dev', 'prod']).optional(),
  NodeIdList: z.array(text).optional(),
});

export type AddCommand = z.output<typeof addCommand>;
export type DeleteCommand = z.output<typeof deleteCommand>;
export type AssetRef = z.output<typeof assetRef>;
export type ColumnRef = z.output<typeof columnRef>;
export type FilterQuery = z.output<typeof filterQuery>;

/** `Missing<Param>` or `Invalid<Param>` for the first thing that is wrong with a parameter. */
export function parameterRefusal(parameter: string, value: unknown, error: z.ZodError): Refusal {
  const issue = error.issues[0];
  const path = issue?.path ?? [];
  const where = [parameter, ...path].join('.');
  if (issue?.code === 'unrecognized_keys') {
    return refusal(400, 'InvalidParameter.Format', `${where} has unknown fields: ${issue.keys.join(', ')}.`);
  }
  const last = [parameter, ...path].findLast((key) => typeof key === 'string');
  const absent = path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
  return absent === undefined
    ? refusal(400, `Missing${String(last)}`, `${where} is mandatory for this action: ${issue?.message}.`)
    : refusal(400, `Invalid${String(last)}`, `${where} is not valid: ${issue?.message}.`);
}

/** `<EngineType>.<TenantId>.<ProjectName>.<TableName>` or `dp_ds_table.<TenantId>.<DataSourceId>.<SchemaName>.<TableName>`. */
function isTableGuid(guid: string): boolean {
  const segments = guid.split('.');
  const least = segments[0] === 'dp_ds_table' ? 5 : 4;
  return segments.length >= least && segments.every((segment) => segment !== '') && /^\d+$/.test(segments[1] ?? '');
}
