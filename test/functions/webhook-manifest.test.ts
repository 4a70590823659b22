import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { entry } from '../../functions/register/webhook.ts';
import { startHost } from '../../local/host.ts';
import { Failure } from '../../shared/core/failure.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Local, local, outcomes, until } from './local.ts';

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [OLD, NEW, OTHER, FOREIGN, SPACES] = [secret(), secret(), secret(), secret(), secret()];

async function guarded(): Promise<Local> {
  const folder = await mkdtemp(join(tmpdir(), 'lineage-webhook-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const clients = [
    { name: 'kestra', scopes: ['register'], webhook_secrets: [OLD, 'whsec_short', NEW], owners: ['http/kestra/*'] },
    { name: 'reader', scopes: ['fetch'], webhook_secrets: [OTHER] },
    { name: 'spaces', scopes: ['register'], webhook_secrets: [SPACES], namespaces: ['kestra'] },
  ];
  await mkdir(join(folder, 'secrets/lineage'), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'secrets/lineage/clients.json'), JSON.stringify({ clients }), { mode: 0o600 });
  return local({ AUTH: 'required' }, folder);
}

function manifest(from: string, job = { namespace: 'kestra', name: 'load' }): string {
  const table = (name: string) => ({ dataphin: { guid: `odps.300000001.p.${name}` } });
  const datasets = { from: table(from), to: table('out') };
  return JSON.stringify({ version: 1, targets: ['dataphin'], job, datasets, lineage: [{ from: 'from', to: 'to' }] });
}

interface Signing {
  readonly id?: string;
  readonly at?: number;
  readonly key?: string;
  readonly more?: Readonly<Record<string, string>>;
}

function headers(body: string, { id = 'msg_1', at = Date.now(), key = NEW, more = {} }: Signing = {}) {
  const signature = new Webhook(key).sign(id, new Date(at), body);
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1_000)),
    'webhook-signature': signature,
    ...more,
  };
}

const send = (at: Local, body: string, signing: Signing = {}) =>
  at.request('POST', '/webhooks/manifest', body, headers(body, signing));

const sources = async (at: Local) => (await at.dataphin()).map(({ source }) => source.split('.').at(-1)).sort();
const OWNER = 'http/kestra/load.json';

describe('a signed manifest', () => {
  it('is stored, then answered, and shown', async () => {
    const at = await guarded();
    const answer = await send(at, manifest('a'));
    expect([answer.status, answer.headers.get('location')]).toEqual([202, '/status/http/kestra/load.json']);
    expect(await readFile(join(at.runtime.bucket, OWNER), 'utf8')).toBe(manifest('a'));
    expect(outcomes(await at.statusWhen(OWNER, ({ state }) => state === 'converged'))).toEqual(['registered']);
  });

  it('may be signed with any of the secrets of its client, or with several at once', async () => {
    const at = await guarded();
    expect((await send(at, manifest('a'), { key: OLD })).status).toBe(202);
    const body = manifest('b');
    const both = [FOREIGN, NEW].map((key) => new Webhook(key).sign('msg_2', new Date(), body)).join(' ');
    const more = { 'webhook-signature': `v1a,xyz ${both}` };
    const answer = await at.request('POST', '/webhooks/manifest/', body, headers(body, { id: 'msg_2', more }));
    expect(answer.status).toBe(202);
    await until(async () => JSON.stringify(await sources(at)) === '["b"]');
    expect(JSON.stringify(at.log.lines)).toContain('a webhook secret is not usable');
    for (const each of [OLD, NEW]) expect(JSON.stringify(at.log.lines)).not.toContain(each.slice(6));
  });

  it('that comes again changes nothing, even when something newer came in between', async () => {
    const at = await guarded();
    await send(at, manifest('a'), { id: 'first' });
    await send(at, manifest('b'), { id: 'second' });
    expect((await send(at, manifest('a'), { id: 'first' })).status).toBe(202);
    expect(await readFile(join(at.runtime.bucket, OWNER), 'utf8')).toBe(manifest('b'));
    expect((await send(at, manifest('a'), { id: 'third' })).status).toBe(202);
    expect(await readFile(join(at.runtime.bucket, OWNER), 'utf8')).toBe(manifest('a'));
  });

  it('is refused unless the very bytes were signed, just now, by a client that may', async () => {
    const at = await guarded();
    const body = manifest('a');
    const status = async (signing: Signing, sent: string | Uint8Array = body) =>
      (await at.request('POST', '/webhooks/manifest', sent, headers(body, signing))).status;
    expect(await status({}, `${body} `)).toBe(401);
    expect(await status({}, `\ufeff${body}`)).toBe(401);
    expect(await status({}, Buffer.concat([Buffer.from(body), Buffer.from([0xff])]))).toBe(401);
    const slowed = () => at.log.lines.filter(({ message }) => message.startsWith('access refused')).length;
    const before = slowed();
    expect(await status({ key: FOREIGN })).toBe(401);
    expect(slowed()).toBe(before + 1);
    expect(await status({ at: Date.now() - 360_000 })).toBe(401);
    expect(await status({ at: Date.now() + 360_000 })).toBe(401);
    expect(await status({ more: { 'webhook-id': 'other' } })).toBe(401);
    expect(await status({ more: { 'webhook-signature': 'v1' } })).toBe(401);
    expect(await status({ more: { 'webhook-timestamp': `${Math.floor(Date.now() / 1_000)}x` } })).toBe(401);
    expect(await status({ key: OTHER })).toBe(403);
    expect((await at.request('POST', '/webhooks/manifest', body)).status).toBe(401);
    const foreign = manifest('a', { namespace: 'other', name: 'load' });
    expect((await send(at, foreign)).status).toBe(403);
    expect(await at.dataphin()).toEqual([]);
  });

  it('is read only after its signature fits, and refused with every problem', async () => {
    const at = await guarded();
    expect((await at.request('POST', '/webhooks/manifest', '{', headers('[', {}))).status).toBe(401);
    const bad = await send(at, JSON.stringify({ version: 1, lineage: [{ from: 'x', to: 'y' }], evidence: [] }));
    expect(bad.status).toBe(400);
    expect(((await bad.json()) as { errors: unknown[] }).errors.length).toBeGreaterThan(1);
    const yaml = `version: 1\njob: { namespace: kestra, name: load }\nlineage: []\n`;
    const answer = await at.request(
      'POST',
      '/webhooks/manifest',
      yaml,
      headers(yaml, { more: { 'content-type': 'application/yaml' } }),
    );
    expect(answer.status).toBe(202);
  });

  it('is refused for its size before anybody looks at what it says', async () => {
    const at = await guarded();
    const answer = await at.request('POST', '/webhooks/manifest', ' '.repeat(5 * 1024 * 1024 + 1));
    expect(answer.status).toBe(413);
  });

  it('of a sender that is confined to namespaces names no table that naming.yaml does not put there', async () => {
    const at = await guarded();
    const rule = (table: string) => ({
      match: { namespace: 'kestra', name: table },
      dataphin: { guid: `odps.300000001.p.${table}` },
    });
    await at.drop('naming.yaml', JSON.stringify({ version: 1, rules: [rule('out'), rule('mine')] }));
    expect((await send(at, manifest('mine'), { key: SPACES })).status).toBe(202);
    const refused = await send(at, manifest('theirs'), { key: SPACES, id: 'msg_2' });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('dataphin:odps.300000001.p.theirs -> dataphin:odps.300000001.p.out');
    // This function may not see what others have declared, so its word does not count here.
    const named = JSON.parse(manifest('theirs')) as { datasets: Record<string, object> };
    named.datasets['from'] = { namespace: 'kestra', name: 'x', ...named.datasets['from'] };
    expect((await send(at, JSON.stringify(named), { key: SPACES, id: 'msg_3' })).status).toBe(403);
  });

  it('is asked for again when it cannot be stored', async () => {
    const at = await guarded();
    const { services } = at.runtime;
    const failing: Services = {
      ...services,
      deps: {
        ...services.deps,
        manifests: {
          ...services.deps.manifests,
          put: () => Promise.reject(new Failure('unavailable', 'the bucket is away')),
        },
      },
    };
    const host = await startHost({ 'register-webhook': entry }, failing, 0);
    onTestFinished(() => host.close());
    const body = manifest('a');
    const answer = await fetch(`${host.url}/webhooks/manifest`, { method: 'POST', body, headers: headers(body) });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await send(at, body)).status).toBe(202);
    await until(async () => (await sources(at)).length === 1);
  });
});

it('needs no signature on this machine, but one that is there must be right', async () => {
  const at = await local();
  const body = manifest('a');
  expect((await at.request('POST', '/webhooks/manifest', body)).status).toBe(202);
  expect((await at.request('POST', '/webhooks/manifest', body, headers(body))).status).toBe(401);
});
