import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { JsonObject } from '../../shared/core/json.ts';
import { local } from './local.ts';
import { dataartsClient, dataphinClient, type Keys } from './vendor-clients.ts';

/** Keys that are confined to namespaces, where tables are called by vendors' names. */

const PROJECT = '0833a5737480d53b2f25c010dc1a7b88';
const WORKSPACE = '1b59d3c777ad4d619b89eeac4f3cce87';
const ALL = ['register', 'delete', 'fetch', 'reconcile'];
const keys = (name: string): Keys => ({ id: `AK${name}`, secret: `SK${name}` });
const NAMING = `version: 1
rules:
  - match: { namespace: "sales-*", name: "{table}" }
    dataphin: { guid: "odps.1.sales.{table}" }
    dataarts: { database: sales, table: "{table}" }
  - match: { namespace: "finance", name: "{table}" }
    dataphin: { guid: "odps.1.fin.{table}" }
    dataarts: { database: fin, table: "{table}" }
  - match: { dataphin: { guid: "odps.1.shop.{t}" } }
    dataset: { namespace: "sales-shop", name: "{t}" }
`;

async function started() {
  const at = await local({ AUTH: 'required' });
  const client = (name: string, confined: object) => ({
    ...{ name, scopes: ALL, ...confined },
    ...{ access_key_id: `AK${name}`, access_key_secret: `SK${name}` },
    key_sha256: createHash('sha256').update(name).digest('hex'),
  });
  const folder = join(at.dataDir, 'secrets/lineage');
  await mkdir(folder, { recursive: true });
  const clients = [
    client('all', {}),
    client('sales', { namespaces: ['sales-*'] }),
    client('own', { owners: ['http/*'] }),
  ];
  await writeFile(join(folder, 'clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
  await at.drop('naming.yaml', NAMING);
  const dataphin = (who: string, action: string, from: string, to: string, more: JsonObject = {}) =>
    dataphinClient(at.runtime.url, keys(who))(action, { Source: asset(from), Target: asset(to), ...more });
  const ask = async (who: string, method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${who}` };
    const answer = await at.request(method, path, body === undefined ? undefined : JSON.stringify(body), headers);
    return { status: answer.status, detail: String(((await answer.json()) as JsonObject)['detail'] ?? '') };
  };
  return { at, dataphin, ask };
}

const asset = (name: string) => ({ ReferenceType: 'BY_GUID', Guid: `odps.1.${name}`, MetadataType: 'TABLE' });
const ADD = 'AddRegisterLineage';
const DELETE = 'DeleteRegisterLineage';

it("changes through a vendor's API only edges that naming.yaml puts into its namespaces, and is told which edge was not", async () => {
  const { at, dataphin } = await started();
  expect(await dataphin('sales', ADD, 'sales.a', 'sales.b')).toMatchObject({ ok: true });
  // By the rule that gives such tables an identity.
  expect(await dataphin('sales', ADD, 'shop.a', 'sales.b')).toMatchObject({ ok: true });
  for (const [from, to] of [
    ['fin.a', 'sales.b'],
    ['sales.a', 'fin.b'],
    ['sales.a', 'other.b'],
  ] as const) {
    const refused = await dataphin('sales', ADD, from, to);
    expect(refused).toMatchObject({
      ok: false,
      status: 403,
      message: expect.stringContaining(`dataphin:odps.1.${from} -> dataphin:odps.1.${to}`),
    });
  }
  expect(await dataphin('all', ADD, 'fin.a', 'fin.b')).toMatchObject({ ok: true });
  expect(await dataphin('sales', DELETE, 'fin.a', 'fin.b')).toMatchObject({ ok: false, status: 403 });
  expect(await dataphin('own', ADD, 'sales.a', 'sales.b')).toMatchObject({ ok: false, status: 403 });
  expect((await at.dataphin()).map(({ source, target }) => `${source} ${target}`).sort()).toEqual([
    'odps.1.fin.a odps.1.fin.b',
    'odps.1.sales.a odps.1.sales.b',
    'odps.1.shop.a odps.1.sales.b',
  ]);
  expect(await dataphin('sales', DELETE, 'sales.a', 'sales.b')).toMatchObject({ ok: true });
});

it('is not let past its own tables by what a call says of columns', async () => {
  const { at, dataphin } = await started();
  const column = (reference: JsonObject) => ({
    DetailedLineages: [
      {
        Source: { MetadataType: 'COLUMN', ...reference },
        Target: { ReferenceType: 'BY_GUID', Guid: 'odps.1.sales.b.id', MetadataType: 'COLUMN' },
      },
    ],
  });
  const foreign = { ReferenceType: 'BY_PROPERTY', ParentGuid: 'odps.1.fin.a', Name: 'id' };
  // Dataphin itself refuses a column of another table than the call's.
  expect(await dataphin('sales', ADD, 'sales.a', 'sales.b', column(foreign))).toMatchObject({ ok: false, status: 400 });
  const own = { ReferenceType: 'BY_GUID', Guid: 'odps.1.sales.a.id', ParentGuid: 'odps.1.sales.a' };
  expect(await dataphin('sales', ADD, 'sales.a', 'sales.b', column(own))).toMatchObject({ ok: true });
  expect(await at.writes('dataphin')).toHaveLength(1);
});

it('adds nothing to a job node that holds tables of others', async () => {
  const { dataphin: _unused, at } = await started();
  const node = (who: string, from: string, to: string) => {
    const table = (name: string) => {
      const [database = '', plain = ''] = name.split('.');
      return { database, schema: '', table: plain };
    };
    return dataartsClient(
      at.runtime.url,
      keys(who),
      PROJECT,
      WORKSPACE,
    )({
      job_id: 'j',
      node_name: 'n',
      table_lineage: { input_tables: [table(from)], output_tables: [table(to)] },
    });
  };
  expect(await node('sales', 'fin.a', 'fin.b')).toMatchObject({ ok: false, status: 403 });
  expect(await node('all', 'fin.a', 'fin.b')).toMatchObject({ ok: true });
  expect(await node('sales', 'sales.a', 'sales.b')).toMatchObject({ ok: false, status: 403 });
  expect(await at.dataarts()).toHaveLength(1);
});

it('registers no tables by vendors’ names outside its namespaces, whatever it calls them', async () => {
  const { at, ask } = await started();
  const table = (guid: string, namespace?: string) => ({
    ...(namespace === undefined ? {} : { namespace, name: guid }),
    dataphin: { guid: `odps.1.${guid}` },
  });
  const declared = (a: object, b: object, more: object = {}) => ({
    version: 1,
    targets: ['dataphin'],
    datasets: { a, b },
    lineage: [{ from: 'a', to: 'b', ...more }],
  });
  const post = (who: string, ...of: Parameters<typeof declared>) => ask(who, 'POST', '/lineage', declared(...of));
  const mine = table('sales.a');
  expect((await post('sales', mine, table('sales.b'))).status).toBe(200);
  const nameless = await post('sales', mine, table('other.b'));
  expect(nameless.status).toBe(403);
  expect(nameless.detail).toContain('dataphin:odps.1.sales.a -> dataphin:odps.1.other.b');
  // Its word does not make what the rules give to others its own,
  expect((await post('sales', mine, table('fin.b', 'sales-eu'))).status).toBe(403);
  // nor what others have declared;
  expect((await post('all', mine, table('raw.b'))).status).toBe(200);
  expect((await post('sales', mine, table('raw.b', 'sales-eu'))).status).toBe(403);
  // what nobody knows is whose it says, and stays so.
  const fresh = declared(mine, table('new.b', 'sales-eu'));
  expect((await ask('sales', 'PUT', '/manifests/s.json', fresh)).status).toBe(200);
  expect((await post('all', mine, table('new.b'))).status).toBe(200);
  expect((await ask('sales', 'PUT', '/manifests/s.json', { ...fresh, targets: ['dataphin'] })).status).toBe(200);
  // References that are sent on as they are count like tables.
  const asSent = (guid: string) => ({ dataphin: { asSent: { source: asset(guid), target: asset('sales.b') } } });
  expect((await post('sales', mine, table('sales.b'), asSent('fin.a'))).status).toBe(403);
  expect((await post('sales', mine, table('sales.b'), asSent('sales.a'))).status).toBe(200);
  // Nor may it replace or remove what others have declared by such names.
  expect((await ask('all', 'PUT', '/manifests/x.json', declared(mine, table('other.b')))).status).toBe(200);
  expect((await ask('sales', 'PUT', '/manifests/x.json', declared(mine, table('sales.b')))).status).toBe(403);
  expect((await ask('sales', 'DELETE', '/manifests/x.json')).status).toBe(403);
  expect((await at.dataphin()).map(({ target }) => target)).not.toContain('odps.1.fin.b');
});
