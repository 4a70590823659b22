import * as z from 'zod';
import type { Blocks } from '../../shared/core/manifest.ts';

const text = z.string().min(1).optional();

/** Small copies of the vendors' blocks: what these tests need, whatever the vendors add. */
export const sampleBlocks: Blocks = {
  dataphin: {
    dataset: z.strictObject({
      guid: text,
      catalog: text,
      schema: text,
      env: z.enum(['DEV', 'PROD']).optional(),
      name: text,
      metadataType: text,
      extProperties: z.record(z.string(), z.string()).optional(),
    }),
    entry: z.strictObject({
      checkAssetExist: z.boolean().optional(),
      relationProperties: z.record(z.string(), z.string()).optional(),
      userId: text,
    }),
    check: (dataset) =>
      dataset['guid'] !== undefined && dataset['name'] !== undefined ? ['give guid or name, not both'] : [],
  },
  dataarts: {
    dataset: z.strictObject({ catalog: text, database: text, schema: z.string().optional(), table: text }),
    entry: z.strictObject({ nodeName: text, jobId: text, connectionName: text, dataSourceType: text }),
  },
  flink: { dataset: z.strictObject({ catalog: text, database: text, table: text }) },
};

export const bytesOf = (content: string): Uint8Array => new TextEncoder().encode(content);
