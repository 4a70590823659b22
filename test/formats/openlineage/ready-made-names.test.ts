import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nameDataset, parseNaming } from '../../../shared/core/naming.ts';
import { blocks } from '../../../shared/vendors/blocks.ts';

const folder = join(import.meta.dirname, '../../../events/naming');

/** Names as producers send them, per file: what each vendor then calls the dataset. */
const names: Readonly<
  Record<string, readonly [namespace: string, name: string, dataphin: object, dataarts: object][]>
> = {
  'maxcompute.yaml': [
    [
      'maxcompute://cn-shanghai',
      'p1.orders',
      { guid: 'odps.300000001.p1.orders' },
      { database: 'p1', table: 'orders' },
    ],
    [
      'odps://service.cn.maxcompute.aliyun.com',
      'p1.s.t',
      { guid: 'odps.300000001.p1.s.t' },
      { database: 'p1', schema: 's', table: 't' },
    ],
  ],
  'hologres.yaml': [
    [
      'hologres://hgpost-cn.hologres.aliyuncs.com:80',
      'db.public.t',
      { schema: 'public', name: 't' },
      { database: 'db', schema: 'public', table: 't' },
    ],
  ],
  'hive.yaml': [
    ['hive://metastore:9083', 'dw.orders', { guid: 'odps.300000001.dw.orders' }, { database: 'dw', table: 'orders' }],
    ['trino://trino:8080', 'hive.dw.orders', { guid: 'odps.300000001.dw.orders' }, { database: 'dw', table: 'orders' }],
  ],
  'paimon.yaml': [
    [
      'paimon://warehouse',
      'lake.clicks',
      { guid: 'odps.300000001.lake.clicks' },
      { catalog: 'paimon', database: 'lake', table: 'clicks' },
    ],
  ],
  'dli.yaml': [['dli://eu-west-101', 'db.t', { schema: 'db', name: 't' }, { database: 'db', table: 't' }]],
  'dws.yaml': [['dws://cluster-1', 'db.s.t', { schema: 's', name: 't' }, { database: 'db', schema: 's', table: 't' }]],
  'mysql.yaml': [
    [
      'mysql://db.internal:3306',
      'shop.orders',
      { schema: 'shop', name: 'orders' },
      { database: 'shop', table: 'orders' },
    ],
  ],
  'postgres.yaml': [
    [
      'postgres://db.internal:5432',
      'shop.raw.orders',
      { schema: 'raw', name: 'orders' },
      { database: 'shop', schema: 'raw', table: 'orders' },
    ],
    [
      'postgresql://warehouse:5432',
      'shop.raw.orders',
      { schema: 'raw', name: 'orders' },
      { database: 'shop', schema: 'raw', table: 'orders' },
    ],
  ],
  'kafka.yaml': [
    ['kafka://broker:9092', 'clicks', { name: 'clicks' }, { table: 'clicks' }],
    ['kafka://broker:9092', 'web.clicks', { name: 'web.clicks' }, { table: 'web.clicks' }],
  ],
  'object-stores.yaml': [
    ['s3://lake', 'warehouse/dw.db/orders', { guid: 'odps.300000001.dw.orders' }, { database: 'dw', table: 'orders' }],
    [
      'obs://lake',
      '/user/hive/warehouse/dw.db/orders',
      { guid: 'odps.300000001.dw.orders' },
      { database: 'dw', table: 'orders' },
    ],
    [
      'hdfs://nn:8020',
      '/user/hive/warehouse/dw.db/orders',
      { guid: 'odps.300000001.dw.orders' },
      { database: 'dw', table: 'orders' },
    ],
  ],
};

it('ships a file for each of these systems', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(names).sort());
});

it.each(Object.entries(names))('%s names what producers send', (file, samples) => {
  const naming = parseNaming(readFileSync(join(folder, file)), blocks);
  if ('problems' in naming) throw new Error(JSON.stringify(naming.problems));
  for (const [namespace, name, dataphin, dataarts] of samples) {
    const { vendors } = nameDataset({ namespace, name, vendors: {} }, naming);
    expect(vendors).toMatchObject({ dataphin, dataarts });
  }
});

it('tries a symlink where no rule knows the dataset by its own name', () => {
  const naming = parseNaming(readFileSync(join(folder, 'hive.yaml')), blocks);
  if ('problems' in naming) throw new Error('hive.yaml');
  const path = { namespace: 's3://lake', name: 'x/y', vendors: {} };
  expect(nameDataset(path, naming).vendors).toEqual({});
  const symlinks = [{ namespace: 'hive://m:9083', name: 'dw.t' }];
  expect(nameDataset({ ...path, symlinks }, naming).vendors).toMatchObject({
    dataphin: { guid: 'odps.300000001.dw.t' },
  });
  const own = { namespace: 'hive://m:9083', name: 'dw.own', vendors: {}, symlinks };
  expect(nameDataset(own, naming).vendors).toMatchObject({ dataphin: { guid: 'odps.300000001.dw.own' } });
});
