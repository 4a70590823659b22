import * as z from 'zod';
import type { Mapping } from '../vendor.ts';

const name = z.string().min(1);

/** `flink` block of a dataset; naming.yaml matches on it. */
export const datasetBlock = z.strictObject({
  catalog: name.describe('Catalog name').optional(),
  database: name.describe('Database name').optional(),
  table: name.describe('Table name').optional(),
});
export type DatasetBlock = z.output<typeof datasetBlock>;

/** Flink finds its lineage out by itself and has no call that takes any: nothing is ever registered, so there are no units. */
export function units(): Mapping {
  return { units: [], unresolved: [] };
}

/** `catalog.database.table`, without the parts that are not known (temporary tables have no catalog). */
export function nameOf(block: DatasetBlock): string {
  return [block.catalog, block.database, block.table].filter((part) => part !== undefined).join('.');
}
