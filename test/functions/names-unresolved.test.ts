import { expect, it } from 'vitest';
import { local } from './local.ts';

interface Listed {
  readonly unresolved: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly vendors: readonly string[];
    readonly owner: string;
    readonly rule: object;
  }[];
}

it('lists what hand-written manifests name and no rule covers, for the vendors that they are meant for', async () => {
  const at = await local();
  const namespace = 'hive://m1:9083';
  const put = (path: string, manifest: object) =>
    at.request('PUT', `/manifests/${path}`, JSON.stringify({ version: 1, ...manifest }));
  const listed = async () => {
    const { unresolved } = (await (await at.request('GET', '/names/unresolved')).json()) as Listed;
    return unresolved.map(({ name, vendors }) => `${name} ${vendors.join()}`).sort();
  };
  await put('both.json', { lineage: [{ from: { namespace, name: 'a.b' }, to: { namespace, name: 'a.c' } }] });
  await put('named.json', {
    targets: ['dataphin', 'dataarts'],
    datasets: {
      from: { namespace, name: 'n.from', dataphin: { guid: 'odps.1.p.from' } },
      to: { namespace, name: 'n.to', dataphin: { guid: 'odps.1.p.to' }, dataarts: { table: 'to' } },
    },
    lineage: [{ from: 'from', to: 'to' }],
  });
  await put('meant.json', {
    targets: ['dataphin'],
    lineage: [{ from: { namespace, name: 'm.from' }, to: { namespace, name: 'm.to' } }],
  });
  expect(await listed()).toEqual([
    'a.b dataarts,dataphin',
    'a.c dataarts,dataphin',
    'm.from dataphin',
    'm.to dataphin',
    'n.from dataarts',
  ]);
  const rule = { match: { namespace, name: 'm.{table}' }, dataphin: { guid: 'odps.1.p.m_{table}' } };
  await at.drop('naming.yaml', JSON.stringify({ version: 1, rules: [rule] }));
  await expect
    .poll(listed, { timeout: 10_000 })
    .toEqual(['a.b dataarts,dataphin', 'a.c dataarts,dataphin', 'n.from dataarts']);
});
