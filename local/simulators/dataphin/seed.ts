import * as z from 'zod';

const guid = z.string().min(1);

/**
 * What `PUT /_sandbox/seed` takes; it replaces the whole seed.
 *
 * - `sources`: projects, business units and data sources that exist, as `odps.300000001.project1` or `project1`. Unset: all.
 * - `assets`: tables that exist, by GUID or `catalog.schema.name`. Unset: all. With `CheckAssetExist` a missing one is
 *   refused; reads hide pairs with a missing end unless `NeedNotExistObject` is true.
 * - `parsedLineage`: what Dataphin found by itself. It can be read and is never deleted. `nodeId` and `nodeEnv` (`dev`,
 *   `prod`) name the task it was parsed from.
 */
export const seedSchema = z.strictObject({
  sources: z.array(z.string().min(1)).optional(),
  assets: z.array(guid).optional(),
  parsedLineage: z
    .array(
      z.strictObject({
        source: guid,
        target: guid,
        columns: z.array(z.tuple([z.string().min(1), z.string().min(1)])).default([]),
        origin: z.string().min(1).default('parsed'),
        nodeId: z.string().optional(),
        nodeEnv: z.enum(['dev', 'prod']).optional(),
      }),
    )
    .optional(),
});

export type Seed = z.output<typeof seedSchema>;
export type ParsedPair = NonNullable<Seed['parsedLineage']>[number];

/** A seed, ready to be asked. */
export interface Surroundings {
  readonly seed: Seed;
  /** Undefined: every source exists. */
  readonly sources?: ReadonlySet<string>;
  /** Undefined: every asset exists. */
  readonly assets?: ReadonlySet<string>;
  /** Parsed pairs by the GUID of their target. */
  readonly upstream: ReadonlyMap<string, readonly ParsedPair[]>;
  /** Parsed pairs by the GUID of their source. */
  readonly downstream: ReadonlyMap<string, readonly ParsedPair[]>;
}

export function surroundings(seed: Seed): Surroundings {
  const parsed = seed.parsedLineage ?? [];
  return {
    seed,
    ...(seed.sources === undefined ? {} : { sources: new Set(seed.sources) }),
    ...(seed.assets === undefined ? {} : { assets: new Set(seed.assets) }),
    upstream: Map.groupBy(parsed, (pair) => pair.target),
    downstream: Map.groupBy(parsed, (pair) => pair.source),
  };
}
