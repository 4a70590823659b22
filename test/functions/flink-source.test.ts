import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type SourceResult, sourceFlink } from '../../functions/scheduled-reconcile/flink-source.ts';
import { passAsked } from '../../functions/scheduled-reconcile/pass.ts';
import type { Targets } from '../../shared/converge/deps.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { readSettings } from '../../shared/settings.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Local, local, until } from './local.ts';

const NAMING = `version: 1
rules:
  - match: { flink: { catalog: paimon } }
    dataset: { namespace: "paimon://warehouse", name: "{database}.{table}" }
    dataphin: { guid: "odps.300000001.{database}.{table}" }
    dataarts: { catalog: paimon, database: "{database}", table: "{table}" }
`;

interface Made {
  readonly deployments: object[];
  readonly jobs: object[];
  readonly lineage: Record<string, object>;
}
type Pair = readonly [from: string, to: string, columns?: readonly (readonly [string, string])[]];

/** LineageInfo of a job: tables of `paimon.ods`, temporary ones in a node of their own. */
function info(job: string, pairs: readonly Pair[], temporary: readonly string[] = []) {
  const names = [...new Set(pairs.flatMap(([from, to]) => [from, to] as const))];
  const columns = (table: string) => [
    ...new Set(
      pairs.flatMap(([from, to, list = []]) =>
        list.flatMap(([a, b]) => [...(from === table ? [a] : []), ...(to === table ? [b] : [])]),
      ),
    ),
  ];
  const node = (id: string, tables: readonly string[], rest: object) => ({
    id,
    ...rest,
    tables: tables.map((name) => ({
      id: `${job}-${name}`,
      tableName: name,
      columns: columns(name).map((column) => ({ id: `${job}-${name}-${column}`, columnName: column })),
    })),
  });
  return {
    nodes: [
      node(
        `${job}-n`,
        names.filter((name) => !temporary.includes(name)),
        {
          catalogName: 'paimon',
          databaseName: 'ods',
          isTemporary: false,
        },
      ),
      node(`${job}-t`, temporary, { isTemporary: true }),
    ],
    edges: {
      tableLineage: pairs.map(([from, to]) => ({ source: `${job}-${from}`, destination: `${job}-${to}`, jobId: job })),
      columnLineage: pairs.flatMap(([from, to, list = []]) =>
        list.map(([a, b]) => ({ source: `${job}-${from}-${a}`, destination: `${job}-${to}-${b}`, jobId: job })),
      ),
    },
    jobInfos: [{ id: job }],
  };
}

/** A seed of deployments, each with one job. */
function seed(
  deployments: Readonly<
    Record<
      string,
      {
        pairs: readonly Pair[];
        temporary?: readonly string[];
        labels?: object;
        status?: string;
        namespace?: string;
        id?: string;
      }
    >
  >,
): Made {
  const all = Object.entries(deployments);
  return {
    deployments: all.map(([name, { labels, namespace, id = `d-${name}` }], at) => ({
      deploymentId: id,
      name,
      createdAt: 1_767_000_000 - at,
      ...(labels ? { labels } : {}),
      ...(namespace ? { namespace } : {}),
    })),
    jobs: all.map(([name, { status = 'RUNNING', namespace, id = `d-${name}` }]) => ({
      jobId: `j-${name}`,
      deploymentId: id,
      status,
      ...(namespace ? { namespace } : {}),
    })),
    lineage: Object.fromEntries(
      all.map(([name, { pairs, temporary }]) => [`j-${name}`, info(`j-${name}`, pairs, temporary)]),
    ),
  };
}

const plant = (here: Local, made: Made) => here.sandbox('flink', 'PUT', 'seed', made);

/** One call of the source, with settings of its own. */
function scan(
  here: Local,
  environment: Record<string, string> = {},
  withinMs = 30_000,
  given?: Targets,
): Promise<SourceResult> {
  const { services } = here.runtime;
  const deps = given === undefined ? services.deps : { ...services.deps, targets: async () => given };
  const { flinkSource } = readSettings({ FLINK_SOURCE: 'on', ...environment });
  const with_: Services = { ...services, deps, settings: { ...services.settings, flinkSource } };
  return sourceFlink(with_, { deadlineMs: Date.now() + withinMs });
}

const object = async (here: Local, key: string) =>
  readFile(join(here.runtime.bucket, key), 'utf8').then(
    (text) => JSON.parse(text) as Record<string, unknown>,
    () => undefined,
  );
const OWNER = 'flink/default-namespace/orders.json';
const guid = (name: string) => `odps.300000001.ods.${name}`;
const ORDERS = { pairs: [['raw', 'clean', [['id', 'id']]]] as Pair[] };

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

const many = (count: number, from = 0) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `d${from + at}`,
      { pairs: [[`a${from + at}`, `b${from + at}`]] as Pair[], labels: { team: at % 2 === 0 ? 'even' : 'odd' } },
    ]),
  );
const names = async (here: Local) => {
  const { items } = await here.runtime.services.deps.manifests.list('flink/');
  return items.map(({ key }) => decodeURIComponent(key.replace(/^flink\//, '').replace(/\.json$/, '')));
};

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

describe('what is gone', () => {
  const two = seed({ orders: ORDERS, other: { pairs: [['x', 'y']] } });
  const one = seed({ other: { pairs: [['x', 'y']] } });

  async function settled() {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, two);
    await scan(here);
    await here.statusWhen(OWNER, (status) => status.state === 'converged');
    return here;
  }

  it('is withdrawn after two complete scans, not after one', async () => {
    const here = await settled();
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1, complete: true });
    expect(await object(here, OWNER)).toBeDefined();
    expect(await scan(here)).toMatchObject({ withdrawn: 1, absent: 0, complete: true });
    await here.statusWhen(OWNER, (status) => status.state === 'withdrawn');
    expect((await here.dataphin()).map(({ target }) => target)).toEqual([guid('y')]);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 0, written: 0 });
  });

  it('counts from the start again when it came back in between', async () => {
    const here = await settled();
    await plant(here, one);
    await scan(here);
    await plant(here, two);
    await scan(here);
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1 });
    expect(await object(here, OWNER)).toBeDefined();
  });

  it('is not judged by scans that failed, were denied or did not end, and only consecutive ones count', async () => {
    const here = await settled();
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ absent: 1 });
    const faults = [
      { kind: 'unavailable', operation: 'ListDeployments', times: 3 },
      { kind: 'denied', operation: 'ListJobs', times: 1 },
      { kind: 'unavailable', operation: 'GetLineageInfo', times: 3 },
      { kind: 'bad-json', operation: 'ListDeployments', times: 3 },
    ];
    for (const fault of faults) {
      await here.fault('flink', fault);
      const failed = await scan(here);
      expect(failed).toMatchObject({ withdrawn: 0, complete: false });
      expect(failed.problems[0]?.message).toMatch(/nothing is withdrawn/);
      await here.clearFaults('flink');
    }
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1, complete: true });
    expect(await scan(here, {}, 1_000)).toMatchObject({ left: 1, withdrawn: 0, complete: false });
    expect(await object(here, OWNER)).toBeDefined();
    expect(await scan(here)).toMatchObject({ withdrawn: 1, complete: true });
  });

  it('is remembered across a restart', async () => {
    const first = await settled();
    await plant(first, one);
    await scan(first);
    await first.close();
    const second = await local({}, first.dataDir);
    expect(await scan(second)).toMatchObject({ withdrawn: 1 });
    await second.statusWhen(OWNER, (status) => status.state === 'withdrawn');
  });

  it('stays while the secret is lost or wrong', async () => {
    const here = await settled();
    await plant(here, one);
    await scan(here);
    const { list } = await here.runtime.services.deps.targets();
    const others = list.filter(({ name }) => name !== 'flink');
    const problems = [{ target: 'flink', message: 'secret lineage/flink: it is gone', registers: false }];
    for (let pass = 0; pass < 2; pass += 1) {
      const result = await scan(here, {}, 30_000, { list: others, problems });
      expect(result).toMatchObject({ scanned: 0, withdrawn: 0, complete: false });
      expect(result.problems[0]?.message).toMatch(/nothing withdrawn.*lineage\/flink/);
    }
    // Another account in its place: what the first one declared is not this one's to withdraw.
    const moved = list.map((target) => (target.name === 'flink' ? { ...target, account: 'elsewhere#w/n' } : target));
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here, {}, 30_000, { list: moved, problems: [] });
      expect(result).toMatchObject({ withdrawn: 0, complete: true });
      expect(result.problems).toMatchObject([{ owner: OWNER, message: expect.stringMatching(/simulated flink/) }]);
    }
    expect(await object(here, OWNER)).toBeDefined();
  });

  it('and what changed are nothing to the vendors while naming.yaml is broken', async () => {
    const here = await settled();
    await here.forgetCalls();
    await here.drop('naming.yaml', 'rules: [');
    await plant(
      here,
      seed({
        orders: {
          pairs: [
            ['raw', 'clean'],
            ['more', 'clean'],
          ],
        },
        other: { pairs: [['x', 'y']] },
      }),
    );
    expect(await scan(here)).toMatchObject({ written: 1, complete: true });
    await here.statusWhen(OWNER, (status) => status.state === 'invalid');
    await here.runtime.reconcile();
    expect(await here.writes('dataphin')).toEqual([]);
    await here.drop('naming.yaml', NAMING);
    await until(async () => (await here.dataphin()).length === 3);
  });

  it('costs no call at Dataphin when it was only renamed', async () => {
    const here = await settled();
    await here.forgetCalls();
    await plant(here, seed({ renamed: { ...ORDERS, id: 'd-orders' }, other: { pairs: [['x', 'y']] } }));
    await scan(here);
    await here.statusWhen('flink/default-namespace/renamed.json', (status) => status.state === 'converged');
    await scan(here);
    await scan(here);
    await here.statusWhen(OWNER, (status) => status.state === 'withdrawn');
    expect(await here.writes('dataphin')).toEqual([]);
    expect(await here.dataphin()).toHaveLength(2);
  });

  it('of its lineage goes after two scans; more comes at once; none at all changes nothing', async () => {
    const here = await local();
    const declared = async () => JSON.stringify((await object(here, OWNER))?.['lineage']);
    const say = (pairs: readonly Pair[]) => plant(here, seed({ orders: { pairs } }));
    await say([
      [
        'a',
        'b',
        [
          ['x', 'x'],
          ['y', 'y'],
        ],
      ],
      ['c', 'b'],
    ]);
    await scan(here);
    const full = await declared();
    await say([
      ['a', 'b', [['x', 'x']]],
      ['d', 'b'],
    ]);
    expect(await scan(here)).toMatchObject({ written: 1 });
    expect(await declared()).toMatch(/"paimon_ods_a","paimon_ods_c","paimon_ods_d"/);
    expect(await declared()).toMatch(/"column":"y"/);
    await here.fault('flink', { kind: 'denied', operation: 'ListDeployments', times: 1 });
    expect(await scan(here)).toMatchObject({ written: 0, complete: false });
    expect(await scan(here)).toMatchObject({ written: 0, complete: true });
    expect(await scan(here)).toMatchObject({ written: 1 });
    expect(await declared()).toMatch(/"paimon_ods_a","paimon_ods_d"/);
    expect(await declared()).not.toMatch(/"column":"y"|paimon_ods_c/);
    await say([]);
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here);
      expect(result).toMatchObject({ written: 0, withdrawn: 0, complete: true });
      expect(result.problems[0]).toMatchObject({ owner: OWNER, message: expect.stringMatching(/no lineage.*stays/) });
    }
    expect(await declared()).not.toBe(full);
  });

  it('cannot be told where lineage names no table, so nothing of it goes', async () => {
    const here = await local();
    await plant(
      here,
      seed({
        orders: {
          pairs: [
            ['a', 'b'],
            ['c', 'b'],
          ],
        },
      }),
    );
    await scan(here);
    await plant(here, seed({ orders: { pairs: [['a', 'b']] } }));
    expect((await scan(here)).problems).toEqual([]);
    const odd = seed({ orders: { pairs: [['a', 'b']] } });
    (odd.lineage['j-orders'] as { edges: { tableLineage: object[] } }).edges.tableLineage.push({
      source: '??',
      destination: 'j-orders-b',
      jobId: 'j-orders',
    });
    await plant(here, odd);
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here);
      expect(result.problems[0]?.message).toMatch(/name no table.*\?\?/);
    }
    expect(JSON.stringify(await object(here, OWNER))).toContain('paimon_ods_c');
  });

  it('is held when it is most of what a target shows', async () => {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, seed(many(12)));
    await scan(here);
    await until(async () => (await here.dataphin()).length === 12);
    await plant(here, seed({}));
    await scan(here);
    expect(await scan(here)).toMatchObject({ withdrawn: 12 });
    await here.statusWhen('flink/default-namespace/d0.json', (status) => status.state === 'held');
    expect(await here.dataphin()).toHaveLength(12);
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
