import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { addKey, listKeys, revokeKey } from '../../local/client-keys.ts';
import { startDataphin } from '../../local/simulators/dataphin/index.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import { memoryLog } from '../../shared/log.ts';
import { cachedSecrets } from '../../shared/secrets/cached.ts';
import { secretsManagerClient, secretsManagerSecrets } from '../../shared/secrets/secrets-manager.ts';
import { secretsManagerWriter } from '../../shared/secrets/secrets-manager-writer.ts';
import { targetsOf } from '../../shared/targets.ts';
import { at } from '../contract/aws-emulators.ts';
import { startSecretsManagerStub } from '../contract/secrets-manager-stub.ts';
import { local, manifest } from '../functions/local.ts';
import { folder, script } from './script.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

it('makes a key that opens what it is for, once it is made; two at a time; and none when it is revoked', async () => {
  const one = await local({ AUTH: 'required' });
  const environment = { DATA_DIR: one.dataDir };
  const keys = (...args: string[]) => script('keys', args, environment);
  const put = async (key: string, path: string) =>
    (await one.request('PUT', `/manifests/${path}`, manifest([['a', 'b']]), { authorization: `Bearer ${key}` })).status;
  const made = await keys('create', 'ci', '--scope', 'register', '--owners', 'manifests/ci/*');
  expect(made).toMatchObject({ code: 0, err: expect.stringMatching(/not shown again/) });
  const first = /key: (\S+)/.exec(made.out)?.[1] ?? '';
  expect([await put(first, 'ci/a.json'), await put(first, 'a.json'), await put('guess', 'ci/a.json')]).toEqual([
    200, 403, 401,
  ]);
  const path = join(one.dataDir, 'secrets/lineage/clients.json');
  const stored = await readFile(path, 'utf8');
  expect(stored).not.toContain(first);
  expect(stored).toContain(sha256(first));
  expect((await stat(path)).mode & 0o777).toBe(0o600);

  const second = /key: (\S+)/.exec((await keys('create', 'ci')).out)?.[1] ?? '';
  expect([await put(first, 'ci/b.json'), await put(second, 'ci/c.json'), await put(second, 'c.json')]).toEqual([
    200, 200, 403,
  ]);
  expect(await keys('create', 'ci')).toMatchObject({ code: 1, err: expect.stringMatching(/revoke/) });
  const listed = JSON.parse((await keys('list', '--json')).out) as { id: string }[];
  expect(listed.map((each) => each.id)).toEqual([sha256(first).slice(0, 8), sha256(second).slice(0, 8)]);
  expect((await keys('revoke', 'ci', '--id', sha256(first).slice(0, 8))).code).toBe(0);
  expect(JSON.parse((await keys('list', '--json')).out)).toHaveLength(1);
  expect((await keys('create', 'x', '--scope', 'all')).code).toBe(2);
});

it('keeps what it does not know, and what signs webhooks', () => {
  const random = (bytes: number) => Buffer.alloc(bytes, 7);
  const before = { note: 'ours', clients: [{ name: 'hook', scopes: ['register'], webhook_secrets: ['whsec_x'] }] };
  const request = { name: 'hook', kind: 'key', scopes: [], owners: [], namespaces: ['a-*'] } as const;
  const { document, id, shown } = addKey(before, request, random);
  expect(document).toMatchObject({ note: 'ours', clients: [before.clients[0], { scopes: ['register'] }] });
  expect(JSON.stringify(document)).not.toContain(shown['key']);
  expect(revokeKey(document, 'hook', id).document).toEqual(before);
  const pair = addKey(undefined, { ...request, kind: 'pair', scopes: ['ingest'] }, random);
  expect(Object.keys(pair.shown)).toEqual(['access_key_id', 'access_key_secret']);
  const token = addKey(pair.document, { ...request, kind: 'token' }, random);
  expect(listKeys(token.document)).toMatchObject([
    { kind: 'pair', problems: [] },
    { kind: 'token', scopes: ['ingest'], problems: [] },
  ]);
  expect(() => addKey(undefined, request, random)).toThrow(/--scope/);
  expect(() => revokeKey(document, 'nobody', undefined)).toThrow(/no key/);
  expect(() => listKeys({ clients: 'x' })).toThrow(/correct it by hand/);
});

it('writes to Secrets Manager what it reads there: made first, replaced then', async () => {
  const stub = await startSecretsManagerStub();
  const client = secretsManagerClient(at(stub.url));
  const writer = secretsManagerWriter('dev/', { client });
  await writer.put('lineage/clients', { clients: [] });
  await writer.put('lineage/clients', { clients: [{ name: 'a' }] });
  expect(stub.requests).toEqual(['PutSecretValue', 'CreateSecret', 'PutSecretValue']);
  expect(await secretsManagerSecrets('dev/', { client }).get('lineage/clients')).toEqual({ clients: [{ name: 'a' }] });
  client.destroy();
  await stub.close();
});

it('a vendor that refuses a key makes the secret be read at once, and the call succeeds with the new one', async () => {
  const dataphin = await startDataphin();
  const good = { ...(dataphin.secret() as JsonObject), account: 'one' };
  let held: JsonObject = { ...good, access_key_secret: 'the-old-one' };
  let reads = 0;
  const inner = {
    get: async () => {
      reads += 1;
      return held;
    },
    list: async () => ['lineage/dataphin'],
  };
  const secrets = cachedSecrets(inner, { ttlMs: 3_600_000, now: Date.now });
  const targets = targetsOf(secrets, { ledger: memoryLedger(), id: () => crypto.randomUUID(), log: memoryLog() });
  const [target] = (await targets()).list;
  held = good;
  await target?.client.probe?.({ deadlineMs: Date.now() + 10_000 });
  expect(reads).toBe(2);
  held = { ...good, access_key_secret: 'and-another' };
  expect(await secrets.get('lineage/dataphin')).toEqual(good);
  await dataphin.close();
});

it('a secret that is broken makes its own target unusable, says so, and stops no other', async () => {
  const dataDir = await folder();
  await mkdir(join(dataDir, 'secrets/lineage'), { recursive: true });
  const broken = '{ "endpoint": 7, "access_key_secret": "hunter2" }';
  await writeFile(join(dataDir, 'secrets/lineage/dataphin.json'), broken, { mode: 0o600 });
  const one = await local({}, dataDir);
  await one.drop('manifests/a.json', manifest([['a', 'b']], { targets: ['dataphin', 'dataarts'] }));
  const status = await one.statusWhen(
    'manifests/a.json',
    (each) => each.edges.length === 2 && each.edges.some((edge) => edge.outcome === 'registered'),
  );
  const of = (name: string) => status.edges.find((each) => each.target === name);
  expect(of('dataarts')?.outcome).toBe('registered');
  expect(of('dataphin')).toMatchObject({
    outcome: 'pending',
    reason: expect.stringMatching(/secret lineage\/dataphin/),
  });
  expect(JSON.stringify([status, one.log.lines])).not.toContain('hunter2');
  expect(await one.dataphin()).toEqual([]);
});

it('wants its arguments right', async () => {
  const environment = { DATA_DIR: await folder() };
  expect((await script('keys', [], environment)).code).toBe(2);
  expect((await script('keys', ['list'], environment)).out).toMatch(/no client can sign in/);
});
