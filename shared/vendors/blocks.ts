import * as z from 'zod';
import type { Blocks, VendorBlocks } from '../core/manifest-schema.ts';
import { vendors } from './index.ts';

/** Flink is only read: it names datasets, and takes no options and no lineage. */
const flink: VendorBlocks = {
  dataset: z.strictObject({
    catalog: z.string().min(1).optional().describe('Catalog name'),
    database: z.string().min(1).optional().describe('Database name'),
    table: z.string().min(1).optional().describe('Table name'),
  }),
};

/** What each vendor lets a manifest and naming.yaml say. Vendors of the list win over what stands here. */
export const blocks: Blocks = { flink, ...Object.fromEntries(vendors.map((vendor) => [vendor.name, vendor.blocks])) };
