import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { local, manifest, outcomes, pairs, until } from './local.ts';

/** Rule 6: what is withdrawn at once, and what waits for a person. */

it('removes a lone manifest of twelve edges within two seconds', async () => {
  const here = await local({ VANISH_GRACE: '1' });
  await here.drop('manifests/a.json', manifest(pairs('a', 12)));
  await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  await here.remove('manifests/a.json');
  await until(async () => (await here.dataphin()).length === 0, 2_000);
});

it('holds the withdrawals of many manifests that vanish together, says so, and applies them when released', {
  timeout: 60_000,
}, async () => {
  const here = await local();
  const keys = Array.from({ length: 40 }, (_, index) => `manifests/m/${index}.json`);
  for (const [index, key] of keys.entries()) await here.drop(key, manifest(pairs(`m${index}_`, 10)));
  await until(async () => (await here.dataphin()).length === 400, 20_000);
  for (const key of keys) await here.statusWhen(key, (each) => each.state === 'converged');
  await here.forgetCalls();
  await here.remove('manifests/m');
  for (const key of keys) await here.statusWhen(key, (each) => each.state === 'held', 20_000);
  const status = await here.status(keys[0] as string);
  expect(outcomes(status as never)).toEqual(Array.from({ length: 10 }, () => 'held'));
  expect(status?.edges[0]?.reason).toMatch(/40 manifests with 400 of the target's 400 edges vanished together/);
  await here.runtime.reconcile();
  expect(await here.writes('dataphin')).toEqual([]);
  expect(here.log.lines.filter((line) => line.message === 'withdrawals held')).toHaveLength(1);

  const release = status?.held?.['release'] as unknown as { method: string; path: string; body: object };
  const answer = await here.request(release.method, release.path, JSON.stringify(release.body));
  expect([200, 202]).toContain(answer.status);
  await until(async () => (await here.dataphin()).length === 0, 30_000);
  expect((await here.request(release.method, release.path, JSON.stringify(release.body))).status).toBe(404);
});

it('holds an edit that withdraws most of a manifest; a release applies what it showed and nothing that came later', async () => {
  const here = await local();
  const key = 'manifests/a.json';
  await here.drop(key, manifest(pairs('a', 20)));
  await here.statusWhen(key, (each) => each.state === 'converged');
  await here.drop(key, manifest(pairs('a', 10)));
  const first = await here.statusWhen(key, (each) => each.state === 'held');
  expect((await here.dataphin()).length).toBe(20);
  await here.drop(key, manifest(pairs('a', 4)));
  const second = await here.statusWhen(
    key,
    (each) => each.state === 'held' && each.held?.['id'] !== first.held?.['id'],
  );
  // The document is written before the owner's row; the old id holds until the row says otherwise.
  const { ledger } = here.runtime.services;
  await until(async () => (await ledger.find(`held:${first.held?.['id']}`)).items.length === 0);
  expect((await here.request('POST', '/reconcile', JSON.stringify({ release: first.held?.['id'] }))).status).toBe(404);
  expect((await here.dataphin()).length).toBe(20);
  expect((await here.request('POST', '/reconcile', JSON.stringify({ release: second.held?.['id'] }))).status).toBe(200);
  await until(async () => (await here.dataphin()).length === 4);
});

it('makes no call for a rename', async () => {
  const here = await local();
  const text = manifest(pairs('a', 12), { targets: ['dataphin', 'dataarts'] });
  await here.drop('manifests/old.json', text);
  await here.statusWhen('manifests/old.json', (each) => each.state === 'converged');
  await here.forgetCalls();
  await here.remove('manifests/old.json');
  await here.drop('manifests/new.json', text);
  await here.statusWhen('manifests/new.json', (each) => each.state === 'converged');
  await here.statusWhen('manifests/old.json', (each) => each.state === 'withdrawn');
  expect(await here.writes('dataphin')).toEqual([]);
  expect(await here.writes('dataarts')).toEqual([]);
  expect((await here.dataphin()).length).toBe(12);
});

it('never holds an explicit DELETE, whatever its size', async () => {
  const here = await local();
  await here.request('PUT', '/manifests/a.json', manifest(pairs('a', 150)));
  expect((await here.dataphin()).length).toBe(150);
  expect((await here.request('DELETE', '/manifests/a.json')).status).toBe(200);
  expect(await here.dataphin()).toEqual([]);
});

it('withdraws nothing when a manifest or naming.yaml cannot be used, and goes on when it can again', async () => {
  const here = await local();
  const key = 'manifests/a.json';
  await here.drop(key, manifest(pairs('a', 3)));
  await here.statusWhen(key, (each) => each.state === 'converged');
  await here.drop(key, '{ "version": 1, "lineage": [');
  const invalid = await here.statusWhen(key, (each) => each.state === 'invalid');
  expect(invalid.problems?.length).toBeGreaterThan(0);
  await here.drop('naming.yaml', 'version: 7\nrules: nonsense\n');
  await here.drop(key, manifest(pairs('a', 4)));
  await here.statusWhen(
    key,
    (each) => each.problems?.some((problem) => problem.path.startsWith('naming.yaml')) === true,
  );
  expect((await here.dataphin()).length).toBe(3);
  await here.remove('naming.yaml');
  await until(async () => (await here.dataphin()).length === 4);
});

it('keeps an edge whose name no rule covers any more', async () => {
  const here = await local();
  const naming =
    'version: 1\nrules:\n  - match: { namespace: "hive://*", name: "{d}.{t}" }\n    dataphin: { guid: "odps.1.{d}.{t}" }\n';
  await here.drop('naming.yaml', naming);
  const text =
    'version: 1\ntargets: [dataphin]\nlineage:\n  - from: { namespace: "hive://h", name: d.a }\n    to: { namespace: "hive://h", name: d.b }\n';
  await here.drop('manifests/h.yaml', text);
  await until(async () => (await here.dataphin()).length === 1);
  await here.remove('naming.yaml');
  const status = await here.statusWhen('manifests/h.yaml', (each) => outcomes(each).includes('unresolved'));
  expect(status.edges[0]?.reason).toBeTruthy();
  await sleep(500);
  await here.runtime.reconcile();
  expect((await here.dataphin()).length).toBe(1);
});

it('withdraws nothing when the bucket folder itself is gone', async () => {
  const here = await local();
  await here.drop('manifests/a.json', manifest(pairs('a', 3)));
  await here.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  const { rename } = await import('node:fs/promises');
  await rename(here.runtime.bucket, `${here.runtime.bucket}-away`);
  await here.runtime.reconcile().catch(() => {});
  await sleep(1_500);
  expect((await here.dataphin()).length).toBe(3);
  await rename(`${here.runtime.bucket}-away`, here.runtime.bucket).catch(() => {});
  expect(await readdir(join(here.dataDir))).toContain('lineage.db');
});
