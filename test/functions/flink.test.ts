import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { liveLineage, liveProblem } from '../../functions/fetch/live.ts';
import { Failure } from '../../shared/core/failure.ts';
import { type Local, local, manifest, until } from './local.ts';

const SEED = JSON.parse(await readFile('events/flink-seed.json', 'utf8'));
const RAW = 'flink:mysql.shop.orders_raw';
const CLEAN = 'flink:paimon.ods.orders_clean';
const DAILY = 'flink:paimon.dws.orders_daily';
const CLEAN_JOB = '664cc64d-5dea-4ad3-9ee4-8432a8740001';

interface Body {
  nodes: { id: string; names: string[] }[];
  edges: { from: string; to: string; jobs: string[]; targets: object[]; columns?: object[] }[];
  details: { tables: Record<string, unknown>[]; jobs: object[]; unresolved: string[] };
  detail: string;
  errors?: { path: string; message: string }[];
}

async function ask(here: Local, parameters: Record<string, string>) {
  const answer = await here.request('GET', `/lineage?${new URLSearchParams({ from: 'flink', ...parameters })}`);
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
}
const arrows = (body: Body) => body.edges.map(({ from, to }) => `${from} > ${to}`);

async function seeded() {
  const here = await local();
  await here.sandbox('flink', 'PUT', 'seed', SEED);
  return here;
}

describe('GET /lineage?from=flink', () => {
  it('answers in the shape of the ledger, with jobs, columns and masked details', async () => {
    const here = await seeded();
    const { status, body } = await ask(here, { job: 'orders-clean', level: 'column', depth: '1' });
    expect(status).toBe(200);
    expect(body.nodes).toEqual([
      { id: RAW, names: [RAW] },
      { id: CLEAN, names: [CLEAN] },
    ]);
    expect(body.edges).toEqual([
      {
        from: RAW,
        to: CLEAN,
        declaredBy: [],
        jobs: [CLEAN_JOB],
        targets: [{ target: 'flink', state: 'shown', receipt: expect.stringMatching(/^[0-9A-F-]{36}$/) }],
        columns: [
          { from: 'id', to: 'id', direct: true },
          { from: 'price', to: 'total', direct: true },
          { from: 'qty', to: 'total', direct: true },
        ],
      },
    ]);
    expect(body.details.jobs).toEqual([{ id: CLEAN_JOB, properties: { 'parallelism.default': 4 } }]);
    expect(body.details.tables[0]).toMatchObject({
      node: RAW,
      id: '434501',
      with: { hostname: 'mysql.example', port: 3306, password: '[redacted]' },
      group: { id: '97383', connector: 'mysql-cdc' },
    });
    expect(body.details.unresolved).toEqual([]);
    expect(JSON.stringify(body)).not.toContain('sample-only');
    expect(JSON.stringify(here.log.lines)).not.toContain('sample-only');
  });

  it('takes job ids, deployment ids and names, and table ids; directions, depth and level', async () => {
    const here = await seeded();
    for (const job of [CLEAN_JOB, SEED.deployments[0].deploymentId, 'orders-clean']) {
      expect(arrows((await ask(here, { job, depth: '1' })).body)).toEqual([`${RAW} > ${CLEAN}`]);
    }
    const from = async (more: Record<string, string>) => arrows((await ask(here, { table: '434502', ...more })).body);
    expect(await from({ direction: 'upstream' })).toEqual([`${RAW} > ${CLEAN}`]);
    expect(await from({ direction: 'downstream' })).toEqual([`${CLEAN} > ${DAILY}`]);
    expect(await from({ direction: 'both' })).toEqual([`${RAW} > ${CLEAN}`, `${CLEAN} > ${DAILY}`]);
    expect(arrows((await ask(here, { table: '434503', depth: '1' })).body)).toHaveLength(1);
    expect(arrows((await ask(here, { table: '434503', depth: '2' })).body)).toHaveLength(2);
    expect((await ask(here, { table: '434502' })).body.edges[0]).not.toHaveProperty('columns');

    await here.forgetCalls();
    await ask(here, { table: '434502', namespace: 'default-namespace', temporary: 'true', direction: 'upstream' });
    expect((await here.calls('flink')).map((call) => call.request)).toEqual([
      {
        id: '434502',
        idType: 'TABLE',
        direction: 'UPSTREAM',
        depth: 5,
        isColumnLevel: false,
        isTemporary: true,
        namespace: 'default-namespace',
        workspace: '710d6a64d8f34a',
      },
    ]);
  });

  it('names datasets as naming.yaml does, so that both graphs meet', async () => {
    const here = await seeded();
    await here.drop('naming.yaml', await readFile('events/naming.yaml', 'utf8'));
    const { body } = await ask(here, { job: 'orders-clean', depth: '1' });
    expect(body.nodes).toContainEqual({ id: 'paimon://warehouse/ods.orders_clean', names: [CLEAN] });
    expect(arrows(body)).toEqual([`${RAW} > paimon://warehouse/ods.orders_clean`]);
    expect(body.details.tables.map(({ node }) => node)).toContain('paimon://warehouse/ods.orders_clean');
    await here.drop('naming.yaml', 'version: 7');
    expect((await ask(here, { job: 'orders-clean', depth: '1' })).status).toBe(200);
  });

  it('keeps ends that it cannot resolve', async () => {
    const here = await local();
    const relation = { source: 'TableA', destination: 'TableB', jobId: 'j' };
    await here.sandbox('flink', 'PUT', 'seed', {
      jobs: [{ jobId: 'j', deploymentId: 'd' }],
      lineage: { j: { edges: { tableLineage: [relation], columnLineage: [relation] } } },
    });
    const { body } = await ask(here, { job: 'j', level: 'column' });
    expect(arrows(body)).toEqual(['flink:TableA > flink:TableB']);
    expect(body.details.unresolved).toEqual(['TableA', 'TableB']);
  });

  it('refuses what it cannot ask, with every problem, and asks nothing', async () => {
    const here = await local();
    const wrong: [Record<string, string>, string[]][] = [
      [{}, ['job']],
      [{ job: 'a', table: 'b' }, ['table']],
      [{ dataset: 'a/b' }, ['dataset', 'job']],
      [{ job: 'a', after: 'x' }, ['after']],
      [{ job: ' ' }, ['job']],
      [{ job: 'a', direction: 'up', depth: '0', temporary: 'yes' }, ['direction', 'depth', 'temporary']],
      [{ from: 'ledger', job: 'a', temporary: 'true' }, ['temporary']],
      [{ from: 'elsewhere', job: 'a' }, ['from']],
    ];
    for (const [parameters, paths] of wrong) {
      const { status, headers, body } = await ask(here, parameters);
      expect([status, headers.get('content-type')]).toEqual([400, 'application/problem+json']);
      expect(body.errors?.map(({ path }) => path)).toEqual(paths);
    }
    expect(await here.calls('flink')).toEqual([]);
  });

  it('answers 404 to what Flink does not know', async () => {
    const here = await seeded();
    const unknown = [{ job: 'nobody' }, { table: '1' }, { job: 'orders-clean', namespace: 'nowhere' }];
    for (const parameters of unknown) {
      const { status, body } = await ask(here, parameters);
      expect(status).toBe(404);
      expect(body.detail).toMatch(/"workspace"/);
    }
  });

  it('passes failures on as 502 or 503, with what to do', async () => {
    const here = await seeded();
    const failures: [string, number, RegExp][] = [
      ['throttle', 503, /calls_per_second/],
      ['unavailable', 503, /try again later/],
      ['bad-json', 503, /"endpoint"/],
      ['denied', 502, /RAM.*"workspace"/],
      ['invalid', 502, /"namespace"/],
    ];
    for (const [kind, expected, names] of failures) {
      await here.fault('flink', { kind, times: 3 });
      const { status, headers, body } = await ask(here, { table: '434502' });
      expect([kind, status, headers.get('content-type')]).toEqual([kind, expected, 'application/problem+json']);
      expect(body.detail).toMatch(names);
      expect(headers.get('retry-after')).toBe(expected === 503 ? '5' : null);
      await here.clearFaults('flink');
    }
    expect(here.log.lines.filter((line) => line.message === 'a vendor could not be asked')).toHaveLength(5);
  });

  it('gets over a short outage by itself', async () => {
    const here = await seeded();
    await here.fault('flink', { kind: 'reset', times: 1 });
    expect((await ask(here, { table: '434502' })).status).toBe(200);
  });

  it('names the secret when it cannot be used, and no value of it', async () => {
    const here = await local();
    const folder = join(here.dataDir, 'secrets/lineage');
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'flink.json'),
      JSON.stringify({ access_key_id: 'x', access_key_secret: 'top-value' }),
      {
        mode: 0o600,
      },
    );
    await until(async () => (await ask(here, { job: 'a' })).status === 409);
    const { body } = await ask(here, { job: 'a' });
    expect(body.detail).toMatch(/lineage\/flink.*workspace/);
    expect(JSON.stringify(body)).not.toContain('top-value');
  });

  it('names the secret when there is none', async () => {
    const here = await local();
    const { services } = here.runtime;
    const bare = { ...services, deps: { ...services.deps, targets: async () => ({ list: [], problems: [] }) } };
    const query = { start: { job: 'a' }, direction: 'both', depth: 1, level: 'table', temporary: false } as const;
    const thrown = await liveLineage('flink', query, Date.now() + 5_000, bare).catch((error: unknown) => error);
    const answer = liveProblem(thrown);
    expect(answer.status).toBe(409);
    expect(String(answer.body)).toMatch(/flink is not configured.*secret lineage\/flink/);
    expect((await ask(here, { from: 'flink/finance', job: 'a' })).body.detail).toMatch(
      /secret lineage\/flink\/finance/,
    );
  });

  it('says how long to wait in the vendor’s own measure', () => {
    const answer = liveProblem(new Failure('throttled', 'slow', { retryAfterMs: 12_300 }));
    expect([answer.status, answer.headers?.['retry-after']]).toEqual([503, '13']);
    expect(() => liveProblem(new TypeError('ours'))).toThrow('ours');
  });
});

describe('a configured Flink and the manifests', () => {
  it('is never registered with', async () => {
    const here = await seeded();
    await here.drop('manifests/a.json', manifest([['a', 'b']]).replace('"targets":["dataphin"],', ''));
    const status = await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    expect([...new Set(status.edges.map((edge) => edge.target))].sort()).toEqual(['dataarts', 'dataphin']);
    expect(await here.calls('flink')).toEqual([]);
    await here.remove('manifests/a.json');
    await here.statusWhen('manifests/a.json', (each) => each.state === 'withdrawn');
  });
  it('is a problem as a target', async () => {
    const here = await local();
    const answer = await here.request('PUT', '/manifests/a.json', manifest([['a', 'b']], { targets: ['flink'] }));
    expect(answer.status).toBe(400);
    expect(JSON.stringify(await answer.json())).toMatch(/targets\[0\].*flink.*no target/);
  });
});
