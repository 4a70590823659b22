import * as z from 'zod';

/**
 * What `PUT /_sandbox/seed` takes; it replaces the whole seed. `bulkRead`: whether ShowLineageBulk, which is by invitation,
 * is open (default no). `workspaces`: those that exist; unset: all.
 */
export const seedSchema = z.strictObject({
  bulkRead: z.boolean().optional(),
  workspaces: z.array(z.string().min(1)).optional(),
});
export type Seed = z.output<typeof seedSchema>;
