import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { local, manifest, outcomes, pairs, until } from './local.ts';

it('sends nothing when the ledger is lost, until somebody confirms; then what is there is ours again', {
  timeout: 60_000,
}, async () => {
  const first = await local();
  const text = manifest(pairs('a', 5), { targets: ['dataphin', 'dataarts'] });
  await first.drop('manifests/a.json', text);
  await first.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  await first.close();
  for (const name of await readdir(first.dataDir)) {
    if (name.startsWith('lineage.db')) await rm(join(first.dataDir, name));
  }

  const second = await local({}, first.dataDir);
  await second.drop('manifests/b.json', manifest([['x', 'y']]));
  const status = await second.statusWhen('manifests/b.json', (each) => each.state === 'held');
  expect(status.problems?.[0]?.message).toMatch(/npm run adopt/);
  await second.remove('manifests/b.json');
  await second.runtime.reconcile();
  expect(await second.writes('dataphin')).toEqual([]);
  expect(await second.writes('dataarts')).toEqual([]);
  expect((await second.request('PUT', '/manifests/c.json', manifest([['p', 'q']]))).status).toBe(200);
  expect(await second.writes('dataphin')).toEqual([]);
  await second.request('DELETE', '/manifests/c.json');

  // One manifest's word is not everybody's: the others stay held.
  const one = JSON.stringify({ adopt: true, owners: ['manifests/a.json'] });
  expect((await second.request('POST', '/reconcile', one)).status).toBe(200);
  await second.drop('manifests/late.json', manifest([['v', 'w']]));
  await second.statusWhen('manifests/late.json', (each) => each.state === 'held');
  await second.remove('manifests/late.json');
  await second.runtime.reconcile();
  expect(await second.writes('dataphin')).toEqual([]);
  expect(await second.writes('dataarts')).toEqual([]);

  const answer = await second.request('POST', '/reconcile', JSON.stringify({ adopt: true }));
  expect(answer.status).toBe(200);
  const adopted = await second.statusWhen('manifests/a.json', (each) => each.state === 'converged');
  expect(outcomes(adopted)).toHaveLength(10);
  await second.runtime.reconcile();
  expect(await second.writes('dataphin')).toEqual([]);
  expect(await second.writes('dataarts')).toEqual([]);
  expect(await second.dataarts()).toHaveLength(5);

  await second.drop('manifests/a.json', manifest(pairs('a', 4), { targets: ['dataphin', 'dataarts'] }));
  await until(async () => (await second.dataphin()).length === 4);
  expect(await second.dataarts()).toHaveLength(5);
});

it('takes a bucket with manifests and no status for a first run', async () => {
  const first = await local();
  await first.close();
  await first.drop('manifests/a.json', manifest([['a', 'b']]));
  const second = await local({}, first.dataDir);
  await second.statusWhen('manifests/a.json', (each) => each.state === 'converged');
});
