import * as z from 'zod';
import { anyMap as properties } from '../../core/any-json.ts';
import type { JsonObject } from '../../core/json.ts';
import { asSentSchema } from './as-sent.ts';

/** MetadataSubType (Alibaba Dataphin, "Register data lineage using OpenAPI", updated 2026-06-23; its FACT_SNAPSHO is a slip). */
export const METADATA_SUB_TYPES = [
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

const name = z.string().min(1);

const DIGITS = /^\d+$/;

/** A long that JSON numbers carry exactly; as a number or as digits. */
export const long = z.union([
  z.int().nonnegative(),
  z
    .string()
    .regex(DIGITS, 'must be a whole number')
    .refine((digits) => Number.isSafeInteger(Number(digits)), 'is too large'),
]);

const MOST_LONG = 2n ** 63n - 1n;

/** A long that is only ever sent as text, so digits may use its whole range; a number must be one that JSON carries exactly. */
export const longAsText = z.union([
  z.int().nonnegative(),
  z
    .string()
    .regex(DIGITS, 'must be a whole number')
    .refine((digits) => !DIGITS.test(digits) || BigInt(digits) <= MOST_LONG, 'is too large'),
]);

/** `dataphin` block of a dataset. */
export const datasetBlock = z.strictObject({
  guid: name.describe('GUID of the table, e.g. odps.300000001.project1.table1').optional(),
  catalog: name.describe('`dataphin` for compute-source and logical tables').optional(),
  schema: name.describe('Project or business unit').optional(),
  env: z.enum(['DEV', 'PROD']).optional(),
  name: name.describe('Table name; with catalog, schema and env instead of a GUID').optional(),
  metadataType: name.describe('Default TABLE').optional(),
  metadataSubType: z.enum(METADATA_SUB_TYPES).describe('Only for TABLE, and not with BY_GUID').optional(),
  referenceType: z.enum(['BY_GUID', 'BY_PROPERTY']).describe('Default BY_GUID when guid is given').optional(),
  extProperties: properties.optional(),
});

/** `dataphin` block of a lineage entry. */
export const entryBlock = z.strictObject({
  checkAssetExist: z.boolean().describe('Let Dataphin refuse tables it does not know; default false').optional(),
  relationProperties: properties.optional(),
  cascadeDelete: z
    .boolean()
    .describe('Matters only when the edge itself is withdrawn: the edge goes with its last column; default true')
    .optional(),
  tenantId: long.optional(),
  userId: name.optional(),
  asSent: asSentSchema
    .describe(
      "Written for calls in Dataphin's own format: how they referred to tables and columns, to be sent on unchanged",
    )
    .optional(),
  sentLike: name.describe('Written beside asSent: another value has the lineage sent again').optional(),
});

export type DatasetBlock = z.output<typeof datasetBlock>;
export type EntryBlock = z.output<typeof entryBlock>;

/** How a block refers to its table. */
export function referenceType(block: DatasetBlock): 'BY_GUID' | 'BY_PROPERTY' {
  return block.referenceType ?? (block.guid === undefined ? 'BY_PROPERTY' : 'BY_GUID');
}

/** What is wrong between the keys of a block that fits `datasetBlock`. */
export function checkDataset(block: JsonObject): readonly string[] {
  const dataset = block as DatasetBlock;
  const byGuid = referenceType(dataset) === 'BY_GUID';
  const problems: string[] = [];
  if (byGuid && dataset.guid === undefined) problems.push('referenceType BY_GUID needs a guid');
  if (!byGuid && dataset.name === undefined) {
    problems.push('needs a guid, or a name (with catalog, schema and env where the table has them)');
  }
  if (dataset.metadataSubType !== undefined && byGuid) {
    problems.push('metadataSubType goes only with referenceType BY_PROPERTY; leave it out beside a guid');
  }
  if (dataset.metadataSubType !== undefined && (dataset.metadataType ?? 'TABLE') !== 'TABLE') {
    problems.push('metadataSubType goes only with metadataType TABLE');
  }
  return problems;
}
