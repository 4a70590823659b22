import * as z from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { headerText } from '../header-text.ts';

const name = z.string().min(1);

/** `dataarts` block of a dataset. */
export const datasetBlock = z.strictObject({
  catalog: name.describe('Catalog, e.g. spark_catalog').optional(),
  database: name.optional(),
  schema: z.string().describe('Schema; default "" (no schema)').optional(),
  table: name.optional(),
});

/** `dataarts` block of a lineage entry. */
export const entryBlock = z.strictObject({
  jobId: name.describe('Sent as it is; default: made from what the unit is').optional(),
  nodeName: name.describe('Name of the job node; default: the job, else the output table').optional(),
  workspaceId: headerText().describe("Default: the secret's workspace_id").optional(),
  connectionId: name.optional(),
  connectionName: name.describe('Data connection of the tables, e.g. dli_test').optional(),
  clusterId: name.optional(),
  dataSourceType: name.describe('e.g. dli').optional(),
});

export type DatasetBlock = z.output<typeof datasetBlock>;
export type EntryBlock = z.output<typeof entryBlock>;

/** What is wrong between the keys of a block that fits `datasetBlock`. */
export function checkDataset(block: JsonObject): readonly string[] {
  return (block as DatasetBlock).table === undefined ? ['needs a table'] : [];
}
