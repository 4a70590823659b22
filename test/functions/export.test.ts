import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { exportLedger } from '../../local/export-ledger.ts';
import { type Local, local } from './local.ts';

const run = promisify(execFile);

async function exported(here: Local, ...given: string[]) {
  const command = ['--disable-warning=ExperimentalWarning', 'local/export.ts', ...given];
  return run(process.execPath, command, { env: { ...process.env, DATA_DIR: here.dataDir } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** Everything below a folder by the key it would have in the bucket. */
async function filesIn(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json')).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

/** Verdicts of a plan with these manifests, those that make or take away something. */
async function planned(here: Local, manifests: Record<string, string>, deep = false) {
  const answer = await here.request('POST', '/reconcile', JSON.stringify({ dryRun: true, deep, manifests }));
  const { changes } = (await answer.json()) as { changes: { verdict: string }[] };
  expect(answer.status).toBe(200);
  return changes.map(({ verdict }) => verdict).filter((verdict) => /create|update|withdraw/.test(verdict));
}

const writes = async (here: Local) => [...(await here.writes('dataphin')), ...(await here.writes('dataarts'))];
const guid = (name: string) => `odps.300000001.p.${name}`;

const RICH = `version: 1
job: { namespace: airflow-prod, name: orders.load }
datasets:
  raw: { namespace: "maxcompute://cn", name: p.raw, dataphin: { guid: ${guid('raw')} }, dataarts: { database: db, table: raw } }
  more: { dataphin: { guid: ${guid('more')}, extProperties: { k: v } }, dataarts: { catalog: c, database: db, schema: s, table: more } }
  odd: { dataphin: { schema: p, name: odd, env: PROD, metadataSubType: PHYSICAL_TABLE }, dataarts: { database: db, table: odd } }
  clean: { dataphin: { guid: ${guid('clean')} }, dataarts: { database: db, table: clean } }
lineage:
  - from: [raw, more]
    to: clean
    columns:
      - { from: [raw.a.b, more.x], to: clean.y }
      - { from: raw.z, to: clean.y2, direct: false }
    dataphin: { checkAssetExist: false, relationProperties: { p: 1 } }
    dataarts: { nodeName: load, connectionName: conn, dataSourceType: dli }
  - { from: odd, to: clean }
  - { from: odd, to: raw, dataarts: { jobId: given-job, workspaceId: w2 } }
`;

describe('npm run export -- --from ledger', () => {
  it('writes manifests that declare the very same: nothing is sent for them', async () => {
    const here = await local();
    await here.drop('manifests/team/rich.yaml', RICH);
    const status = await here.statusWhen('manifests/team/rich.yaml', (each) => each.state !== 'pending');
    const out = join(here.dataDir, 'out');
    const told = await exported(here, '--from', 'ledger', '--out', out);
    expect(told).toMatchObject({ code: 0, stderr: '', stdout: `2 manifests written below ${out}\n` });
    const files = await filesIn(out);
    expect(Object.keys(files)).toEqual(['manifests/team/rich.dataarts.json', 'manifests/team/rich.dataphin.json']);
    expect(await planned(here, files)).toEqual([]);

    const before = [await here.dataphin(), await here.dataarts()];
    await here.forgetCalls();
    for (const [key, text] of Object.entries(files)) await here.drop(key, text);
    for (const key of Object.keys(files)) await here.statusWhen(key, (each) => each.state === status.state);
    await here.remove('manifests/team/rich.yaml');
    await here.statusWhen('manifests/team/rich.yaml', (each) => each.state === 'withdrawn');
    await here.runtime.reconcile();
    expect(await writes(here)).toEqual([]);
    expect([await here.dataphin(), await here.dataarts()]).toEqual(before);

    await writeFile(join(out, 'manifests/team/rich.dataarts.dataarts.json'), 'mine');
    expect(await exported(here, '--from', 'ledger', '--out', out)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nothing was written.*--force.*\n.*rich\.dataarts\.dataarts\.json/),
    });
    expect((await exported(here, '--from', 'ledger', '--out', out, '--force')).code).toBe(0);
  });

  it('leaves out what would become another node at DataArts, and says so', async () => {
    const here = await local();
    await here.drop('manifests/rich.yaml', RICH);
    await here.statusWhen('manifests/rich.yaml', (each) => each.state !== 'pending');
    const { services } = here.runtime;
    const manifests = { ...services.deps.manifests, get: async () => undefined };
    const { files, notes } = await exportLedger({ ...services, deps: { ...services.deps, manifests } });
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/^manifests\/rich\.yaml: .*db\.clean is left out.*job/);
    expect(await planned(here, Object.fromEntries(files))).toEqual([]);
    expect(files.get('manifests/rich.dataarts.json')).toContain('given-job');
  });
});

describe('npm run export -- --from dataphin', () => {
  it('follows lineage from the tables given, and what it writes can be adopted without a call', async () => {
    const here = await local();
    const parsed = (source: string, target: string, columns: [string, string][] = []) => ({
      source: guid(source),
      target: guid(target),
      columns,
    });
    await here.sandbox('dataphin', 'PUT', 'seed', {
      parsedLineage: [parsed('a', 'b', [['x', 'y']]), parsed('b', 'c'), parsed('d', 'c'), parsed('far', 'away')],
    });
    const out = join(here.dataDir, 'out');
    const told = await exported(here, '--from', 'dataphin', '--table', guid('a'), '--out', out);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    const files = await filesIn(out);
    expect(Object.keys(files)).toEqual(['manifests/dataphin.json']);
    expect(await planned(here, files, true)).toEqual([]);
    const { stdout } = await run(process.execPath, ['local/adopt.ts', '--json', join(out, 'manifests')], {
      env: { ...process.env, DATA_DIR: here.dataDir },
    });
    expect(JSON.parse(stdout)).toMatchObject({ adopted: [{ target: 'dataphin', counted: 3, columns: 1 }] });
    expect(await here.writes('dataphin')).toEqual([]);

    const some = await exported(
      here,
      '--from',
      'dataphin',
      '--direction',
      'upstream',
      '--table',
      guid('c'),
      '--depth',
      '1',
    );
    expect(some.stderr).toMatch(/1 edges away.*--depth/);
    expect(Object.keys((JSON.parse(some.stdout) as { datasets: object }).datasets)).toEqual(['p_b', 'p_c', 'p_d']);
    const few = await exported(here, '--from', 'dataphin', '--most', '1');
    expect(few.stderr).toMatch(/stopped after 1 tables.*--most/);
  });

  it('needs somewhere to start', async () => {
    const here = await local();
    expect(await exported(here, '--from', 'dataphin')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/--table/),
    });
    expect(await exported(here, '--from', 'elsewhere')).toMatchObject({ code: 2 });
    expect(await exported(here, '--from', 'dataphin/finance')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/lineage\/dataphin\/finance/),
    });
    expect(await here.calls('dataphin')).toEqual([]);
  });
});

describe('npm run export -- --from flink', () => {
  it('writes what the source would declare', async () => {
    const here = await local();
    await here.sandbox('flink', 'PUT', 'seed', JSON.parse(await readFile('events/flink-seed.json', 'utf8')));
    const out = join(here.dataDir, 'out');
    expect(await exported(here, '--from', 'flink', '--out', out)).toMatchObject({ code: 0 });
    const files = await filesIn(out);
    expect(Object.keys(files)).toEqual([
      'manifests/flink/default-namespace/orders-clean.json',
      'manifests/flink/default-namespace/orders-daily.json',
    ]);
    expect(JSON.parse(files['manifests/flink/default-namespace/orders-clean.json'] ?? '')).toMatchObject({
      job: { namespace: 'default-namespace', name: 'orders-clean' },
      datasets: { mysql_shop_orders_raw: { flink: { catalog: 'mysql', database: 'shop', table: 'orders_raw' } } },
    });
    expect(JSON.stringify(files)).not.toContain('sample-only');
    const again = await exported(here, '--from', 'flink', '--out', out);
    expect(again.code).toBe(0);
    expect((await exported(here, '--from', 'flink')).stderr).toMatch(/2 manifests.*--out/);
  });
});
