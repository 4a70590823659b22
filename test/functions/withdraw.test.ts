import { expect, it } from 'vitest';
import { withdraw } from '../../functions/delete/withdraw.ts';
import { entry as register } from '../../functions/register/http.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';
import { local, manifest, pairs } from './local.ts';
import { request } from './wire-machine.ts';

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

const ofJob = (job: string, list: [string, string][], more: object = {}) => ({
  ...(JSON.parse(manifest(list)) as Manifest),
  job: { namespace: 'ci', name: job },
  ...more,
});

it('does not overwrite what is stored while it is at work', async () => {
  const at = await local();
  const { services } = at.runtime;
  const [owner, before] = ['http/ci/load.json', ofJob('load', pairs('old', 2))];
  expect((await at.request('POST', '/lineage', JSON.stringify(before), post)).status).toBe(200);

  let waits = () => {};
  const waiting = new Promise<void>((resolve) => {
    waits = resolve;
  });
  const { ledger, manifests } = services.deps;
  const watched: Services = {
    ...services,
    deps: {
      ...services.deps,
      ledger: {
        ...ledger,
        get: (key) => {
          if (key === `wire/${owner}`) waits();
          return ledger.get(key);
        },
        write: (row, expected) => ledger.write(row, expected),
        remove: (key, expected) => ledger.remove(key, expected),
        getMany: (keys) => ledger.getMany(keys),
        find: (index, options) => ledger.find(index, options),
      },
    },
  };
  const route = register.routes.find(({ method, path }) => method === 'POST' && path === '/lineage');
  const news = JSON.stringify(ofJob('load', pairs('new', 1)));
  const store = () => route?.handle(request({ headers: post, body: Buffer.from(news) }), watched);
  let stored: ReturnType<typeof store>;
  const interrupted: Services = {
    ...services,
    deps: {
      ...services.deps,
      manifests: {
        get: (key, options) => manifests.get(key, options),
        head: (key) => manifests.head(key),
        list: (prefix, options) => manifests.list(prefix, options),
        delete: (key) => manifests.delete(key),
        put: async (key, bytes, type) => {
          if (key === owner) {
            stored = store();
            await Promise.race([stored, waiting]);
          }
          return manifests.put(key, bytes, type);
        },
      },
    },
  };
  const unwanted = JSON.parse(manifest(pairs('old', 1))) as Manifest;
  const { edges } = await withdraw(unwanted, TRUSTED, interrupted, Date.now() + 20_000);
  expect(edges).toMatchObject([{ withdrawn: [owner] }]);
  expect((await stored)?.status).toBe(200);
  const object = await manifests.get(owner);
  expect(Buffer.from(object?.bytes ?? []).toString('utf8')).toBe(news);
  expect((await at.dataphin()).map((each) => each.source)).toEqual(['odps.300000001.p.new0']);
});

it('names as a holder what speaks of namespaces that the caller has no access to, and takes out the rest', async () => {
  const at = await local();
  const edge = pairs('x', 1);
  const foreign = { symlinks: [{ namespace: 'finance', name: 'secret' }], namespace: 'ci', name: 'x0' };
  const named = (job: string) => {
    const given = ofJob(job, edge);
    const datasets = Object.entries(given.datasets ?? {}).map(([name, of]) => [name, { namespace: 'ci', name, ...of }]);
    return { ...given, datasets: Object.fromEntries(datasets) as Record<string, object> };
  };
  const shared = named('b');
  const mixed = { ...shared, datasets: { ...shared.datasets, x0: { ...shared.datasets['x0'], ...foreign } } };
  for (const each of [named('a'), mixed, named('c')])
    expect((await at.request('POST', '/lineage', JSON.stringify(each), post)).status).toBe(200);
  const caller = { name: 'confined', namespaces: ['ci'] };
  const { edges } = await withdraw(named('w') as unknown as Manifest, caller, at.runtime.services, Date.now() + 20_000);
  expect(edges).toMatchObject([{ withdrawn: ['http/ci/a.json', 'http/ci/c.json'], holders: ['http/ci/b.json'] }]);
});

it('refuses what is larger than a manifest may be before it reads it', async () => {
  const at = await local();
  const large = '#'.repeat(2 * 1024 * 1024 + 1);
  const answer = await at.request('POST', '/lineage/withdraw', large, { 'content-type': 'application/yaml' });
  expect(answer.status).toBe(413);
});
