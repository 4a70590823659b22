import * as z from 'zod';

/**
 * LineageInfoRequest (Huawei, "Creating a Lineage", updated 2025-11-17): every string optional, never null, no unknown
 * keys, lists of 1..100 tables, 0..100 column lineages of 1..100 columns a side. Stricter than the page in one thing:
 * table_lineage is required.
 */
const tableInfo = z.strictObject({
  catalog: z.string().optional(),
  database: z.string().optional(),
  schema: z.string().optional(),
  table: z.string().optional(),
});

const columnDetails = z.strictObject({
  database: z.string().optional(),
  schema: z.string().optional(),
  table: z.string().optional(),
  column: z.string().optional(),
});

export const lineageInfoRequest = z.strictObject({
  cluster_id: z.string().optional(),
  data_source_type: z.string().optional(),
  connection_id: z.string().optional(),
  connection_name: z.string().optional(),
  workspace_id: z.string().optional(),
  job_id: z.string().optional(),
  node_name: z.string().optional(),
  table_lineage: z.strictObject({
    input_tables: z.array(tableInfo).min(1).max(100),
    output_tables: z.array(tableInfo).min(1).max(100),
    column_lineages: z
      .array(
        z.strictObject({
          input_columns: z.array(columnDetails).min(1).max(100),
          output_columns: z.array(columnDetails).min(1).max(100),
        }),
      )
      .max(100)
      .optional(),
  }),
});

export type LineageInfoRequest = z.output<typeof lineageInfoRequest>;
export type TableInfo = z.output<typeof tableInfo>;
export type ColumnDetails = z.output<typeof columnDetails>;
