import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sourceFlink } from '../../functions/scheduled-reconcile/flink-source.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import { guid, many, NAMING, names, ORDERS, OWNER, plant, scan, seed } from './flink-world.ts';
import { local, until } from './local.ts';

describe('interruptions', () => {
  it('go on where they were: each deployment is read once per scan', async () => {
    const here = await local();
    await plant(here, seed(many(9)));
    const { services } = here.runtime;
    let ahead = 0;
    let reads = 0;
    const targets = async () => {
      const { list, problems } = await services.deps.targets();
      return {
        problems,
        list: list.map((target) => ({
          ...target,
          client: {
            ...target.client,
            ...(target.client.jobsOf && {
              jobsOf: async (...asked: Parameters<NonNullable<typeof target.client.jobsOf>>) => {
                reads += 1;
                if (reads === 3) ahead = 60_000;
                return (await target.client.jobsOf?.(...asked)) ?? [];
              },
            }),
          },
        })),
      };
    };
    const deps = { ...services.deps, targets, now: () => Date.now() + ahead };
    const on = { ...services, deps, settings: { ...services.settings, flinkSource: readSettings({}).flinkSource } };
    const first = await sourceFlink(on, { deadlineMs: Date.now() + 30_000 });
    expect(first.complete).toBe(false);
    expect(first.left).toBeGreaterThan(0);
    ahead = 120_000;
    const second = await sourceFlink(on, { deadlineMs: Date.now() + 200_000 });
    expect(second).toMatchObject({ complete: true, left: 0 });
    expect(first.scanned + second.scanned).toBe(9);
    expect(await names(here)).toHaveLength(9);
  });

  it('by another pass do nothing twice', async () => {
    const here = await local();
    await plant(here, seed(many(5)));
    const [left, right] = await Promise.all([scan(here), scan(here)]);
    expect(left.scanned + right.scanned).toBe(5);
    expect([...left.problems, ...right.problems].map(({ message }) => message)).toEqual([
      expect.stringMatching(/another pass/),
    ]);
  });

  it('of the ledger stop it: nothing is written that would be taken for registered', async () => {
    const first = await local();
    await first.drop('naming.yaml', NAMING);
    await plant(first, seed({ orders: ORDERS }));
    await scan(first);
    await first.statusWhen(OWNER, (status) => status.state === 'converged');
    await first.close();
    for (const name of await readdir(first.dataDir)) {
      if (name.startsWith('lineage.db')) await rm(join(first.dataDir, name));
    }
    const second = await local({}, first.dataDir);
    await plant(second, seed({ more: { pairs: [['x', 'y']] } }));
    expect(await scan(second)).toMatchObject({ scanned: 0, written: 0, complete: false });
    await second.request('POST', '/reconcile', '{"adopt":true}');
    // Nobody remembers the old one: it counts as seen once, and goes after two scans without it.
    expect(await scan(second)).toMatchObject({ written: 1, withdrawn: 0 });
    expect(await scan(second)).toMatchObject({ withdrawn: 0, absent: 1 });
    expect(await scan(second)).toMatchObject({ withdrawn: 1 });
    await until(async () => (await second.dataphin()).map(({ target }) => target).join() === guid('y'));
  });

  it('by a pass that comes while another reads, do not end up in two scans', async () => {
    const here = await local();
    await plant(here, seed(many(3)));
    const { services } = here.runtime;
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { list, problems } = await services.deps.targets();
    const targets = async () => ({
      problems,
      list: list.map(({ client, ...target }) => {
        const { jobsOf } = client;
        if (jobsOf === undefined) return { ...target, client };
        const slow: typeof jobsOf = async (...asked) => {
          reached.resolve();
          await gate.promise;
          return jobsOf(...asked);
        };
        return { ...target, client: { ...client, jobsOf: slow } };
      }),
    });
    const deps = { ...services.deps, targets };
    const on = { ...services, deps, settings: { ...services.settings, flinkSource: readSettings({}).flinkSource } };
    const first = sourceFlink(on, { deadlineMs: Date.now() + 30_000 });
    await reached.promise;
    expect(await scan(here)).toMatchObject({ scanned: 0, complete: false });
    gate.resolve();
    expect(await first).toMatchObject({ scanned: 3, complete: true, problems: [] });
  });

  it('at any write lose nothing and withdraw nothing too early', async () => {
    const here = await local();
    const { services } = here.runtime;
    const killedAt = (effect: number): Services => {
      let done = 0;
      const dies = async <T>(work: () => Promise<T>, after: boolean): Promise<T> => {
        done += 1;
        if (done === effect && !after) throw new Error('killed');
        const result = await work();
        if (done === effect) throw new Error('killed');
        return result;
      };
      const { ledger, manifests } = services.deps;
      const late = effect % 2 === 0;
      const deps = {
        ...services.deps,
        // The next process finds leases of dead ones.
        alive: () => false,
        ledger: {
          ...ledger,
          write: (...given: Parameters<typeof ledger.write>) => dies(() => ledger.write(...given), late),
          remove: (...given: Parameters<typeof ledger.remove>) => dies(() => ledger.remove(...given), late),
        },
        manifests: {
          ...manifests,
          put: (...given: Parameters<typeof manifests.put>) => dies(() => manifests.put(...given), late),
          delete: (...given: Parameters<typeof manifests.delete>) => dies(() => manifests.delete(...given), late),
        },
      };
      return { ...services, deps, settings: { ...services.settings, flinkSource: readSettings({}).flinkSource } };
    };
    const run = (effect: number) =>
      sourceFlink(killedAt(effect), { deadlineMs: Date.now() + 30_000 }).catch(() => undefined);
    await plant(here, seed(many(3)));
    for (let effect = 1; effect <= 14; effect += 1) await run(effect);
    await run(Number.POSITIVE_INFINITY);
    expect(await names(here)).toHaveLength(3);
    await run(Number.POSITIVE_INFINITY);
    await plant(here, seed(many(2)));
    // None of these is complete, so none counts.
    for (let effect = 1; effect <= 3; effect += 1) await run(effect);
    expect(await names(here)).toHaveLength(3);
    for (let pass = 0; pass < 3; pass += 1) await run(Number.POSITIVE_INFINITY);
    expect(await names(here)).toHaveLength(2);
  });
});
