import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { passAsked } from '../../functions/scheduled-reconcile/pass.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { readSettings } from '../../shared/settings.ts';
import { guid, many, NAMING, names, ORDERS, OWNER, object, type Pair, plant, scan, seed } from './flink-world.ts';
import { local, until } from './local.ts';

describe('from Flink to the vendors', () => {
  it('brings what a deployment makes flow to Dataphin and DataArts, and nothing twice', async () => {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, seed({ orders: ORDERS }));
    expect(await scan(here)).toMatchObject({ scanned: 1, written: 1, withdrawn: 0, complete: true, problems: [] });
    await here.statusWhen(OWNER, (status) => status.state === 'converged');
    expect(await here.dataphin()).toEqual([
      { source: guid('raw'), target: guid('clean'), columns: [['id', 'id']], origin: 'registered' },
    ]);
    expect(await here.dataarts()).toMatchObject([
      { nodeName: 'orders', inputs: ['ods.raw'], outputs: ['ods.clean'], columns: [['ods.raw.id', 'ods.clean.id']] },
    ]);
    expect(await object(here, OWNER)).toMatchObject({
      version: 1,
      job: { namespace: 'default-namespace', name: 'orders' },
    });

    await here.forgetCalls();
    expect(await scan(here)).toMatchObject({ scanned: 1, written: 0, complete: true });
    await here.runtime.reconcile();
    expect(await here.writes('dataphin')).toEqual([]);
    expect(await here.writes('dataarts')).toEqual([]);
  });
});

describe('tables that no rule covers', () => {
  it('are listed, counted once for each declaration, with a rule that covers them when it is pasted', async () => {
    const here = await local();
    const listed = async () => {
      const answer = await here.request('GET', '/names/unresolved');
      return ((await answer.json()) as { unresolved: Record<string, JsonObject>[] }).unresolved;
    };
    await plant(here, seed({ orders: ORDERS }));
    await scan(here);
    await scan(here);
    const found = await listed();
    expect(found.map(({ name }) => name).sort()).toEqual(['paimon.ods.clean', 'paimon.ods.raw']);
    for (const each of found) {
      expect(each).toMatchObject({ namespace: 'flink', vendors: ['dataarts', 'dataphin'], count: 1, owner: OWNER });
      expect(each['firstSeen']).toEqual(each['lastSeen']);
    }
    const more = { pairs: [...ORDERS.pairs, ['raw', 'third']] as Pair[] };
    await plant(here, seed({ orders: more }));
    await scan(here);
    expect((await listed()).map(({ name, count }) => [name, count]).sort()).toEqual([
      ['paimon.ods.clean', 2],
      ['paimon.ods.raw', 2],
      ['paimon.ods.third', 1],
    ]);
    const rule = JSON.parse(JSON.stringify(found[0]?.['rule']).replaceAll('TENANT_ID', '300000001')) as JsonObject;
    expect(rule).toMatchObject({ match: { flink: { catalog: 'paimon' } } });
    await here.drop('naming.yaml', JSON.stringify({ version: 1, rules: [rule] }));
    await until(async () => (await here.dataphin()).some(({ source }) => source === guid('raw')));
    expect(await listed()).toEqual([]);
  });
});

it('is read when a person asks for a pass, and goes when two of them do not find it', async () => {
  const here = await local();
  await writeFile(join(here.runtime.bucket, 'naming.yaml'), NAMING);
  await plant(here, seed({ orders: ORDERS }));
  const { services } = here.runtime;
  const on = { ...services, settings: { ...services.settings, flinkSource: readSettings({}).flinkSource } };
  const ask = () => passAsked(on, Date.now() + 30_000, Date.now());
  await ask();
  expect(await object(here, OWNER)).toBeDefined();
  expect(await object(here, 'status/reconcile/latest.json')).toMatchObject({ flink: { scanned: 1, written: 1 } });
  await plant(here, seed({}));
  await ask();
  expect(await object(here, OWNER)).toBeDefined();
  await ask();
  expect(await object(here, OWNER)).toBeUndefined();
});

describe('what is looked for', () => {
  it('is every deployment, page by page', { timeout: 30_000 }, async () => {
    const here = await local();
    await plant(here, seed(many(105)));
    expect(await scan(here)).toMatchObject({ scanned: 105, written: 105, left: 0, complete: true });
    expect(await names(here)).toHaveLength(105);
    const lists = (await here.calls('flink')).filter(({ operation }) => operation === 'ListDeployments');
    expect(lists.map(({ request }) => (request as { pageIndex: string }).pageIndex)).toEqual(['1', '2']);
  });

  it('can be narrowed by name, label, status and namespace', async () => {
    const here = await local();
    const all = {
      ...many(4),
      stopped: { ...ORDERS, status: 'CANCELLED' },
      elsewhere: { ...ORDERS, namespace: 'finance' },
    };
    await plant(here, seed(all));
    const found = async (environment: Record<string, string>) => {
      expect(await scan(here, environment)).toMatchObject({ complete: true, problems: [] });
      const written = (await names(here)).map((each) => each.replace('default-namespace/', '')).sort();
      for (const each of await names(here)) await here.remove(`flink/${each}.json`);
      return written;
    };
    expect(await found({ FLINK_SOURCE_NAME: 'd*' })).toEqual(['d0', 'd1', 'd2', 'd3']);
    expect(await found({ FLINK_SOURCE_NAME: 'd2' })).toEqual(['d2']);
    expect(await found({ FLINK_SOURCE_LABEL: 'team=odd' })).toEqual(['d1', 'd3']);
    expect(await found({ FLINK_SOURCE_LABEL: 'team=odd|even', FLINK_SOURCE_NAME: '*1' })).toEqual(['d1']);
    expect(await found({ FLINK_SOURCE_STATUS: 'cancelled' })).toEqual(['stopped']);
    expect(await found({ FLINK_SOURCE_NAMESPACES: 'finance, default-namespace', FLINK_SOURCE_NAME: '*e*' })).toEqual([
      'finance/elsewhere',
      'stopped',
    ]);
    await here.forgetCalls();
    expect(await scan(here, { FLINK_SOURCE: 'off' })).toMatchObject({ scanned: 0, complete: true });
    expect(await here.calls('flink')).toEqual([]);
  });

  it('is kept apart by account', async () => {
    const here = await local();
    await plant(here, seed({ orders: ORDERS }));
    const folder = join(here.dataDir, 'secrets/lineage/flink');
    await mkdir(folder, { recursive: true });
    const { simulatedFlinkCredentials } = await import('../../local/simulators/flink/index.ts');
    const secret = { ...simulatedFlinkCredentials, endpoint: here.runtime.vendors['flink'], allow_http: true };
    await writeFile(join(folder, 'other.json'), JSON.stringify(secret), { mode: 0o600 });
    await until(async () =>
      (await here.runtime.services.deps.targets()).list.some(({ name }) => name === 'flink/other'),
    );
    expect(await scan(here)).toMatchObject({ scanned: 2, written: 2, complete: true });
    expect(await names(here)).toEqual(['default-namespace/orders', 'other/default-namespace/orders']);
    await rm(join(folder, 'other.json'));
    await plant(here, seed({}));
    await until(async () => (await here.runtime.services.deps.targets()).list.length === 3);
    for (let pass = 0; pass < 3; pass += 1) await scan(here);
    // The account that is gone is not looked at, and so loses nothing.
    expect(await names(here)).toEqual(['other/default-namespace/orders']);
  });
});

describe('temporary tables', () => {
  const chained = {
    pairs: [
      [
        'a',
        'tmp1',
        [
          ['x', 'm'],
          ['w', 'n'],
        ],
      ],
      [
        'tmp1',
        'tmp2',
        [
          ['m', 'o'],
          ['n', 'o'],
        ],
      ],
      ['tmp2', 'b', [['o', 'y']]],
      ['c', 'b', [['z', 'z']]],
      ['tmp3', 'b', [['q', 'q']]],
    ] as Pair[],
    temporary: ['tmp1', 'tmp2', 'tmp3'],
  };

  it('are passed through, columns composed; loose ends are left out and listed', async () => {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, seed({ orders: chained }));
    const result = await scan(here);
    expect(result).toMatchObject({ contracted: 2, dropped: 1, written: 1 });
    expect(result.problems).toMatchObject([
      { owner: OWNER, message: expect.stringMatching(/temporary.*left out: tmp3$/) },
    ]);
    await here.statusWhen(OWNER, (status) => status.state === 'converged');
    const held = (await here.dataphin()).map(({ source, columns }) => [source, [...columns].sort()]).sort();
    expect(held).toEqual([
      [
        guid('a'),
        [
          ['w', 'y'],
          ['x', 'y'],
        ],
      ],
      [guid('c'), [['z', 'z']]],
    ]);
  });

  it('can be left out, or kept as ordinary tables', async () => {
    const here = await local();
    await plant(here, seed({ orders: chained }));
    const dropped = await scan(here, { FLINK_SOURCE_TEMPORARY: 'drop' });
    expect(dropped).toMatchObject({ contracted: 0, dropped: 3 });
    expect(dropped.problems[0]?.message).toBe('temporary tables left out: tmp1, tmp2, tmp3');
    expect(JSON.stringify((await object(here, OWNER))?.['lineage'])).not.toContain('paimon_ods_a');
    expect(await scan(here, { FLINK_SOURCE_TEMPORARY: 'keep' })).toMatchObject({
      contracted: 0,
      dropped: 0,
      written: 1,
    });
    expect((await object(here, OWNER))?.['datasets']).toMatchObject({ tmp1: { flink: { table: 'tmp1' } } });
  });
});
