import { expect, it } from 'vitest';
import { local, manifest, pairs } from './local.ts';

const post = { 'content-type': 'application/json' };

it('withdraws edges from what came by HTTP, and names who else holds them', async () => {
  const at = await local();
  const both = JSON.stringify({
    ...JSON.parse(
      manifest([
        ['a', 'b'],
        ['c', 'd'],
      ]),
    ),
    job: { namespace: 'ci', name: 'load' },
  });
  expect((await at.request('POST', '/lineage', both, post)).status).toBe(200);
  expect((await at.request('PUT', '/manifests/other.json', manifest([['c', 'd']]))).status).toBe(200);
  const answer = await at.request('POST', '/lineage/withdraw', manifest([['a', 'b']]), post);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    edges: [{ from: 'dataphin:odps.300000001.p.a', withdrawn: ['http/ci/load.json'], holders: [] }],
  });
  expect((await at.dataphin()).map((each) => each.source)).toEqual(['odps.300000001.p.c']);
  const rest = await at.request('DELETE', '/lineage', manifest([['c', 'd']]), post);
  expect(await rest.json()).toMatchObject({
    edges: [{ withdrawn: ['http/ci/load.json'], holders: ['manifests/other.json'] }],
    statuses: [{ state: 'withdrawn' }],
  });
  expect((await at.dataphin()).length).toBe(1);
  expect((await at.request('POST', '/lineage/withdraw', manifest([['x', 'y']]), post)).status).toBe(404);
  expect((await at.request('POST', '/lineage/withdraw', '{"version":1}', post)).status).toBe(400);
});

it('withdraws columns, and the edge with the last of them', async () => {
  const at = await local();
  await at.request('POST', '/lineage', manifest([['a', 'b']], { columns: ['x', 'y'] }), post);
  await at.request('POST', '/lineage/withdraw', manifest([['a', 'b']], { columns: ['x'] }), post);
  expect(await at.dataphin()).toMatchObject([{ columns: [['y', 'y']] }]);
  await at.request('POST', '/lineage/withdraw', manifest([['a', 'b']], { columns: ['y'] }), post);
  expect(await at.dataphin()).toEqual([]);
});

it('is never held, however large its share of a manifest is', async () => {
  const at = await local();
  const all = pairs('t', 20);
  await at.request('POST', '/lineage', manifest(all), post);
  const answer = await at.request('POST', '/lineage/withdraw', manifest(all.slice(0, 15)), post);
  expect(answer.status).toBe(200);
  expect((await at.dataphin()).length).toBe(5);
});
