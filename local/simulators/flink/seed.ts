import * as z from 'zod';

const text = z.string().min(1);
const map = z.record(z.string(), z.json());

const relation = z.strictObject({ source: z.string(), destination: z.string(), jobId: z.string().optional() });
const column = z.looseObject({ id: z.string(), columnName: z.string() });
const table = z.looseObject({
  id: z.string(),
  tableName: z.string(),
  with: map.optional(),
  properties: map.optional(),
  columns: z.array(column).optional(),
});
const node = z.looseObject({
  id: z.string(),
  catalogName: z.string().optional(),
  databaseName: z.string().optional(),
  tables: z.array(table).optional(),
});

/** LineageInfo as it is served, word for word: ends of relations may be ids or names, values of maps numbers or text. */
const lineageInfo = z.strictObject({
  nodes: z.array(node).optional(),
  edges: z
    .strictObject({ tableLineage: z.array(relation).optional(), columnLineage: z.array(relation).optional() })
    .optional(),
  jobInfos: z.array(z.strictObject({ id: z.string(), properties: map.optional() })).optional(),
});

/**
 * What `PUT /_sandbox/seed` takes; it replaces the whole seed. `lineage` maps a job id or table id to what
 * GetLineageInfo answers for it; a job without lineage is answered with empty lists. Further fields of deployments
 * and jobs are served as they are; `namespace` is the one of the credentials unless given.
 */
export const seedSchema = z.strictObject({
  deployments: z
    .array(
      z.looseObject({
        deploymentId: text,
        name: text,
        namespace: text.optional(),
        executionMode: z.enum(['STREAMING', 'BATCH']).optional(),
        labels: z.record(z.string(), z.string()).optional(),
        createdAt: z.number().optional(),
        modifiedAt: z.number().optional(),
        creator: z.string().optional(),
        modifier: z.string().optional(),
      }),
    )
    .default([]),
  jobs: z
    .array(
      z.looseObject({
        jobId: text,
        deploymentId: text,
        namespace: text.optional(),
        status: z.union([z.string(), z.record(z.string(), z.json())]).optional(),
        startTime: z.number().optional(),
      }),
    )
    .default([]),
  lineage: z.record(z.string(), lineageInfo).default({}),
});

export type Seed = z.output<typeof seedSchema>;
export type Deployment = Seed['deployments'][number];
export type Job = Seed['jobs'][number];
export type LineageInfo = z.output<typeof lineageInfo>;
export const emptySeed: Seed = { deployments: [], jobs: [], lineage: {} };
