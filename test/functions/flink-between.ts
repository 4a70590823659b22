import { expect } from 'vitest';
import { type SourceResult, sourceFlink } from '../../functions/scheduled-reconcile/flink-source.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import { many, object, type Pair, plant, seed } from './flink-world.ts';
import { type Local, local } from './local.ts';

export const BAD = 'flink/default-namespace/d4.json';
export const owner = (at: number) => `flink/default-namespace/d${at}.json`;

/** What stands between a pass and the real thing; each may throw, and `ahead` moves the clock. */
export interface Between {
  lineage?(job: string): void | Promise<void>;
  list?(): void;
  write?(key: string): void;
  head?(key: string): void;
  put?(key: string): void;
  delete?(key: string): void;
  ahead?: number;
}

/** One pass with something in between. */
export async function pass(here: Local, between: Between = {}): Promise<SourceResult> {
  const { services } = here.runtime;
  const { ledger, manifests } = services.deps;
  const now = () => Date.now() + (between.ahead ?? 0);
  const targets = async () => {
    const { list, problems } = await services.deps.targets();
    return {
      problems,
      list: list.map((target) => {
        const { lineage: read, pipelines } = target.client;
        if (!read || !pipelines) return target;
        const client: typeof target.client = {
          ...target.client,
          lineage: async (query, options) => {
            await between.lineage?.('jobId' in query.start ? query.start.jobId : '');
            return read(query, { ...options, deadlineMs: Date.now() + 30_000 });
          },
          pipelines: (filter, options) => {
            between.list?.();
            return pipelines(filter, { ...options, deadlineMs: Date.now() + 30_000 });
          },
        };
        return { ...target, client };
      }),
    };
  };
  const deps: Services['deps'] = {
    ...services.deps,
    now,
    alive: ({ until }) => until > now(),
    targets,
    ledger: {
      ...ledger,
      write: async (row, expected) => {
        between.write?.(row.key);
        return ledger.write(row, expected);
      },
    },
    manifests: {
      ...manifests,
      head: async (key) => {
        between.head?.(key);
        return manifests.head(key);
      },
      put: async (key, bytes, type) => {
        between.put?.(key);
        return manifests.put(key, bytes, type);
      },
      delete: async (key) => {
        between.delete?.(key);
        return manifests.delete(key);
      },
    },
  };
  const settings = { ...services.settings, flinkSource: readSettings({}).flinkSource };
  return sourceFlink({ ...services, deps, settings }, { deadlineMs: now() + 30_000 });
}

/** Ten deployments; those of `changed` show a further table. */
export const world = (changed: readonly number[] = [], gone: readonly number[] = []) =>
  seed(
    Object.fromEntries(
      Object.entries(many(10))
        .filter((_, at) => !gone.includes(at))
        .map(([name, each]) => {
          const more: Pair[] = changed.some((at) => name === `d${at}`) ? [[`more${name}`, `b${name.slice(1)}`]] : [];
          return [name, { ...each, pairs: [...each.pairs, ...more] }];
        }),
    ),
  );
export const shows = async (here: Local, at: number) =>
  JSON.stringify(await object(here, owner(at)))?.includes(`mored${at}`) === true;
export const HEALTHY = [0, 1, 2, 3, 5, 6, 7, 8, 9];

export async function settled(): Promise<Local> {
  const here = await local();
  await plant(here, world());
  expect(await pass(here)).toMatchObject({ scanned: 10, written: 10, complete: true, problems: [] });
  return here;
}
