import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { expectAdoption } from '../../shared/converge/adopt.ts';
import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { mapped } from '../../shared/converge/desired.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import { parse } from '../../shared/parse.ts';
import { type Local, local, manifest, outcomes, pairs, until } from './local.ts';

const BOTH = ['dataphin', 'dataarts'];
const run = promisify(execFile);

/** `npm run adopt -- …` against the runtime. */
async function adopt(here: Local, ...given: string[]) {
  const command = ['--disable-warning=ExperimentalWarning', 'local/adopt.ts', ...given];
  return run(process.execPath, command, { env: { ...process.env, DATA_DIR: here.dataDir } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** Ids of the units that a manifest declares. */
async function unitsOf(text: string, deps: ConvergeDeps): Promise<Set<string>> {
  const parsed = await parse(Buffer.from(text), 'json');
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { naming = NO_NAMING } = await deps.naming();
  const { units } = mapped(resolveManifest(parsed.manifest, naming), await deps.targets(), deps.settings.deployment);
  return new Set(units.keys());
}

/** A runtime at whose vendors somebody else has registered these pairs; it knows nothing of them. */
async function registered(list: readonly (readonly [string, string])[]): Promise<Local> {
  const first = await local();
  await first.drop('manifests/theirs.json', manifest(list, { targets: BOTH }));
  await first.statusWhen('manifests/theirs.json', (each) => each.state === 'converged');
  await first.close();
  for (const name of await readdir(first.dataDir)) {
    if (name.startsWith('lineage.db')) await rm(join(first.dataDir, name));
  }
  await rm(join(first.dataDir, 'bucket'), { recursive: true });
  const second = await local({}, first.dataDir);
  await second.forgetCalls();
  return second;
}

describe('npm run adopt', () => {
  it('takes a folder of manifests for ours without a call, says what that allows, and holds to it', async () => {
    const here = await registered(pairs('a', 5));
    const folder = join(here.dataDir, 'lineage');
    await mkdir(join(folder, 'team'), { recursive: true });
    await writeFile(join(folder, 'one.json'), manifest(pairs('a', 3), { targets: BOTH }));
    await writeFile(join(folder, 'team/two.json'), manifest(pairs('a', 5).slice(3), { targets: BOTH }));
    await writeFile(join(folder, 'README.md'), 'not a manifest');

    const told = await adopt(here, folder);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).toMatch(
      /dataphin: 5 edges declared, with 5 column pairs\n {2}5 count as registered.*\n {2}.*withdrawn at the vendor/,
    );
    expect(told.stdout).toMatch(/dataarts: 5 edges declared.*\n {2}5 count.*\n {2}.*not be created again/);
    expect(told.stdout).toMatch(/manifests\/team\/two\.json {2}dataphin: 2 adopted, 0 ours before/);
    await here.runtime.reconcile();
    expect([...(await here.writes('dataphin')), ...(await here.writes('dataarts'))]).toEqual([]);
    expect(await here.dataarts()).toHaveLength(5);

    // A column more is one call, and does not make it somebody else's again.
    await here.drop('manifests/one.json', manifest(pairs('a', 3), { targets: ['dataphin'], columns: ['id', 'more'] }));
    await until(async () => (await here.dataphin()).filter(({ columns }) => columns.length === 2).length === 3);
    await here.drop('manifests/one.json', manifest(pairs('a', 2), { targets: ['dataphin'] }));
    await until(async () => (await here.dataphin()).length === 4);
    expect(await here.dataarts()).toHaveLength(5);
  });

  it('makes ours what was kept as not ours; one manifest, as JSON', async () => {
    const here = await registered(pairs('a', 3));
    const targets = ['dataphin'];
    await here.drop('manifests/a.json', manifest(pairs('a', 3), { targets }));
    await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    await here.drop('manifests/a.json', manifest(pairs('a', 2), { targets }));
    await here.statusWhen('manifests/a.json', (each) => each.edges.length === 3);
    expect(await here.dataphin()).toHaveLength(3);

    await here.drop('manifests/a.json', manifest(pairs('a', 3), { targets }));
    await here.statusWhen('manifests/a.json', (each) =>
      outcomes(each).every((one) => /registered|unchanged/.test(one)),
    );
    await here.forgetCalls();
    const { code, stdout } = await adopt(here, 'manifests/a.json', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      owners: 1,
      adopted: [{ target: 'dataphin', counted: 0, released: 3, known: 0, open: 0, columns: 3 }],
      byOwner: [{ owner: 'manifests/a.json', target: 'dataphin', released: 3 }],
    });
    expect(await here.writes('dataphin')).toEqual([]);
    const again = await adopt(here, join(here.runtime.bucket, 'manifests/a.json'), '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ adopted: [{ counted: 0, released: 0, known: 3 }] });
    await here.drop('manifests/a.json', manifest(pairs('a', 2), { targets }));
    await until(async () => (await here.dataphin()).length === 2);
  });

  it('leaves a pair with columns of others alone, and takes its own columns', async () => {
    const here = await local();
    const guid = (name: string) => `odps.300000001.p.${name}`;
    const parsed = {
      source: guid('a'),
      target: guid('b'),
      columns: [
        ['id', 'id'],
        ['x', 'x'],
      ],
    };
    await here.sandbox('dataphin', 'PUT', 'seed', { parsedLineage: [parsed] });
    await here.drop('manifests/a.json', manifest([['a', 'b']]));
    await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    expect((await adopt(here, 'manifests/a.json')).code).toBe(0);
    await here.forgetCalls();
    await here.remove('manifests/a.json');
    await here.statusWhen('manifests/a.json', (each) => each.state === 'withdrawn');
    const deletes = (await here.writes('dataphin')).map(({ request }) => request);
    expect(JSON.stringify(deletes)).toContain(`${guid('a')}.id`);
    expect(JSON.stringify(deletes)).toContain('"CascadeDeleteLineage":false');
  });

  it('adopts even when whoever stored the manifest died before it could', async () => {
    const here = await registered([['a', 'b']]);
    const { deps } = here.runtime.services;
    const text = manifest([['a', 'b']], { targets: BOTH });
    await expectAdoption('manifests/a.json', await unitsOf(text, deps), Date.now() - 60_000, deps);
    await here.drop('manifests/a.json', manifest([['a', 'b']], { targets: BOTH }));
    await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    expect([...(await here.writes('dataphin')), ...(await here.writes('dataarts'))]).toEqual([]);
    const settled = async () => (await deps.ledger.get('owner/manifests/a.json'))?.body['settled'] === true;
    await until(settled);
    // Only that time: what comes later is sent.
    await here.drop(
      'manifests/a.json',
      manifest(
        [
          ['a', 'b'],
          ['c', 'd'],
        ],
        { targets: BOTH },
      ),
    );
    await until(async () => (await here.dataarts()).length === 2);
  });

  it('of another manifest in the same place, stored before any of it was converged, sends what was not adopted', async () => {
    const theirs = pairs('a', 60);
    const here = await registered(theirs);
    const { deps } = here.runtime.services;
    const adopted = await unitsOf(manifest(theirs, { targets: BOTH }), deps);
    expect(adopted.size).toBe(120);
    await expectAdoption('manifests/a.json', adopted, Date.now() - 60_000, deps);
    const more = manifest([...theirs.slice(1), ['new', 'newer']], { targets: BOTH });
    const owner = (await deps.ledger.get('owner/manifests/a.json')) as Row;
    const { adopting } = owner.body as unknown as { adopting: { chunks: string[] } };
    expect(adopting.chunks.length).toBeGreaterThan(0);
    await here.drop('manifests/a.json', more);
    await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
    expect((await here.writes('dataphin')).length).toBe(1);
    expect((await here.writes('dataarts')).length).toBe(1);
    expect(await here.dataarts()).toHaveLength(61);
    await until(async () => (await deps.ledger.find('unsettled')).items.length === 0);
    expect(await deps.ledger.getMany(adopting.chunks)).toEqual(new Map());
  });

  it('is what a plan says will happen', async () => {
    const here = await registered([['a', 'b']]);
    const { deps } = here.runtime.services;
    const text = manifest([['a', 'b']], { targets: BOTH });
    await expectAdoption('manifests/a.json', await unitsOf(text, deps), Date.now() + 60_000, deps);
    const both = [
      ['a', 'b'],
      ['c', 'd'],
    ] as const;
    await deps.manifests.put('manifests/a.json', Buffer.from(manifest(both, { targets: BOTH })), 'application/json');
    const answer = await here.request('POST', '/reconcile', '{"dryRun":true}');
    expect(await answer.json()).toMatchObject({
      summary: { adopt: 2, create: 2 },
      calls: { dataarts: 1, dataphin: 2 },
    });
  });

  it('says what is wrong and stores nothing', async () => {
    const here = await local();
    await writeFile(join(here.dataDir, 'bad.json'), '{"version":2}');
    const told = await adopt(here, join(here.dataDir, 'bad.json'));
    expect(told.code).toBe(1);
    expect(told.stderr).toMatch(/problems.*\n.*version/);
    expect((await here.request('GET', '/manifests/bad.json')).status).toBe(404);
    expect((await adopt(here, '--wrong')).code).toBe(2);
    expect((await adopt(here, join(here.dataDir, 'simulators'))).stderr).toMatch(/no manifests/);
    expect((await adopt(here, 'README.md')).stderr).toMatch(/^README\.md is no manifest: its name ends in/);
    const absent = await adopt(here, 'manifests/orders.yml');
    expect([absent.code, absent.stdout]).toEqual([1, expect.stringMatching(/manifests\/orders\.yml: is not stored/)]);
  });

  it('checks all files before it stores the first, and names file and line; no text becomes another one', async () => {
    const here = await local();
    const folder = join(here.dataDir, 'lineage');
    await mkdir(folder);
    await writeFile(join(folder, 'a.json'), manifest([['a', 'b']]));
    await writeFile(join(folder, 'b.yaml'), 'version: 1\nlineage:\n  - from: nowhere\n    to: there\n');
    await writeFile(join(folder, 'c.json'), Buffer.from(manifest([['caf\u00e9', 'b']]), 'latin1'));
    const told = await adopt(here, folder);
    expect(told.code).toBe(1);
    expect(told.stderr).toMatch(/nothing was sent or stored\n.*lineage\/b\.yaml: lineage\[0\]\.from, line 3: /);
    expect(told.stderr).toMatch(/lineage\/c\.json, line 1: the document is not UTF-8 text; save it as UTF-8/);
    expect((await here.request('GET', '/manifests/a.json')).status).toBe(404);
  });

  it('says which manifest the service refuses, what was adopted before it, and what was not tried', async () => {
    const here = await local();
    const folder = join(here.dataDir, 'lineage');
    await mkdir(join(folder, 'b.json'), { recursive: true });
    await writeFile(join(folder, 'a.json'), manifest([['a', 'b']]));
    await writeFile(join(folder, 'b.json/x.json'), manifest([['c', 'd']]));
    await writeFile(join(folder, 'c.json'), manifest([['e', 'f']]));
    await here.drop('manifests/b.json', manifest([['x', 'y']]));
    const told = await adopt(here, folder);
    expect(told.code).toBe(1);
    expect(told.stderr).toMatch(/^manifests\/b\.json\/x\.json: /);
    expect(told.stderr).toMatch(/\nadopted before it: manifests\/a\.json\nnot tried: manifests\/c\.json\n/);
    expect((await here.request('GET', '/manifests/a.json')).status).toBe(200);
  });
});
