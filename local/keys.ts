import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileSecrets } from '../shared/secrets/file.ts';
import { fileSecretWriter } from '../shared/secrets/file-writer.ts';
import type { Secrets } from '../shared/secrets/secrets.ts';
import type { SecretWriter } from '../shared/secrets/writer.ts';
import { readSettings } from '../shared/settings.ts';
import { CLIENTS_SECRET, SCOPES, type Scope } from '../shared/triggers/clients.ts';
import { addKey, type KeyKind, listKeys, revokeKey } from './client-keys.ts';
import { Misuse, readArguments, runCommand, say, table } from './command.ts';

const USAGE = `usage: npm run keys -- create <client> --scope <scope> [--scope <scope>]… [--owners <glob>]… [--namespaces <glob>]…
                                        [--kind key|pair|token]
       npm run keys -- list
       npm run keys -- revoke <client> [--id <id>]

Who may call this service: the clients of the secret lineage/clients, in DATA_DIR/secrets or, with TABLE, BUCKET and QUEUE_URL set, in
Secrets Manager under SECRET_PREFIX. A key is shown once, when it is made; only its SHA-256 is kept (of a pair both halves, which are
needed to check signatures).
  --scope        what it may be used for: ${SCOPES.join(', ')}
  --owners       only for these owners, as in 'manifests/finance/*'
  --namespaces   only for lineage of these namespaces, as in 'airflow-*'
  --kind         key: Authorization: Bearer (default); pair: for clients that sign the way a vendor wants; token: X-Auth-Token
  --json         the answer as JSON
A client may have two keys of a kind at a time: create the new one, change it at the caller, revoke the old one.`;

interface Store {
  readonly where: string;
  readonly secrets: Secrets;
  readonly writer: SecretWriter;
}

async function openStore(): Promise<Store> {
  const { aws, dataDir } = readSettings();
  if (aws === undefined) {
    const folder = join(dataDir, 'secrets');
    const where = `${join(folder, CLIENTS_SECRET)}.json`;
    return { where, secrets: fileSecrets(folder), writer: fileSecretWriter(folder) };
  }
  const { secretsManagerSecrets } = await import('../shared/secrets/secrets-manager.ts');
  const { secretsManagerWriter } = await import('../shared/secrets/secrets-manager-writer.ts');
  const { secretPrefix } = aws;
  const where = `${secretPrefix}${CLIENTS_SECRET} in Secrets Manager`;
  return { where, secrets: secretsManagerSecrets(secretPrefix), writer: secretsManagerWriter(secretPrefix) };
}

const many = { type: 'string', multiple: true } as const;

async function main(): Promise<undefined> {
  const { values, positionals } = readArguments({
    scope: many,
    owners: many,
    namespaces: many,
    kind: { type: 'string', default: 'key' },
    id: { type: 'string' },
  });
  const [verb, name, ...more] = positionals;
  if (more.length > 0) throw new Misuse(`too much: ${more.join(' ')}`);
  if (verb === 'list' && name === undefined) return list(await openStore(), values.json);
  if (verb === 'create' && name !== undefined) {
    const scopes = (values.scope ?? []).flatMap((each) => each.split(','));
    const unknown = scopes.find((each) => !SCOPES.some((scope) => scope === each));
    if (unknown !== undefined) throw new Misuse(`there is no scope ${unknown}`);
    if (!['key', 'pair', 'token'].includes(values.kind)) throw new Misuse('--kind is key, pair or token');
    const { owners = [], namespaces = [] } = values;
    const request = { name, kind: values.kind as KeyKind, scopes: scopes as Scope[], owners, namespaces };
    return create(await openStore(), request, values.json);
  }
  if (verb === 'revoke' && name !== undefined) return revoke(await openStore(), name, values.id, values.json);
  throw new Misuse('create, list or revoke?');
}

async function list({ secrets, where }: Store, json: boolean): Promise<undefined> {
  const keys = listKeys(await secrets.get(CLIENTS_SECRET));
  say(json, keys, () => {
    if (keys.length === 0) return `no client can sign in; ${where} holds none`;
    const rows = keys.map((each) => [
      each.name,
      each.kind,
      each.id,
      each.scopes.join(','),
      `${each.owners ? `owners ${each.owners.join(' ')} ` : ''}${each.namespaces ? `namespaces ${each.namespaces.join(' ')} ` : ''}${each.problems.length > 0 ? `not usable: ${each.problems.join('; ')}` : ''}`,
    ]);
    return table([['client', 'kind', 'id', 'scopes', ''], ...rows]);
  });
}

async function create(store: Store, request: Parameters<typeof addKey>[1], json: boolean): Promise<undefined> {
  const { document, id, shown } = addKey(await store.secrets.get(CLIENTS_SECRET), request, randomBytes);
  await store.writer.put(CLIENTS_SECRET, document);
  say(json, { name: request.name, id, ...shown }, () =>
    Object.entries(shown)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );
  console.error(`Added to ${store.where} as ${id}. It is not shown again. It counts within a minute.`);
}

async function revoke(store: Store, name: string, id: string | undefined, json: boolean): Promise<undefined> {
  const { document, revoked } = revokeKey(await store.secrets.get(CLIENTS_SECRET), name, id);
  await store.writer.put(CLIENTS_SECRET, document);
  say(json, revoked, () => `revoked ${revoked.kind} ${revoked.id} of ${name}; it is refused within a minute`);
}

/** `npm run keys` */
await runCommand(USAGE, main);
