import { createHash } from 'node:crypto';
import { Failure } from '../shared/core/failure.ts';
import type { Json, JsonObject } from '../shared/core/json.ts';
import { clientProblems, type Scope } from '../shared/triggers/clients.ts';

/** `key`: sent as `Authorization: Bearer`; `pair`: signs in a vendor's way; `token`: sent in a vendor's own header. */
export type KeyKind = 'key' | 'pair' | 'token';

export interface KeyRequest {
  readonly name: string;
  readonly kind: KeyKind;
  /** Empty: those of the client's other key. */
  readonly scopes: readonly Scope[];
  readonly owners: readonly string[];
  readonly namespaces: readonly string[];
}

/** A key as a list shows it; its id is no secret. */
export interface ListedKey {
  readonly name: string;
  readonly kind: KeyKind | 'webhook' | 'none';
  readonly id: string;
  readonly scopes: readonly string[];
  readonly owners?: readonly string[];
  readonly namespaces?: readonly string[];
  /** Why nobody can use it. */
  readonly problems: readonly string[];
}

/** So that a client can change its key without a gap. */
const MOST_KEYS = 2;
const ID_CHARACTERS = 8;

/** Adds a key. `random(n)` gives n random bytes. What is shown once is in `shown`; the document holds a hash where that is enough. */
export function addKey(
  document: JsonObject | undefined,
  request: KeyRequest,
  random: (bytes: number) => Buffer,
): { readonly document: JsonObject; readonly id: string; readonly shown: Readonly<Record<string, string>> } {
  const { name, kind } = request;
  const entries = entriesOf(document);
  const others = entries.filter((each) => each['name'] === name && kindOf(each) === kind);
  if (others.length >= MOST_KEYS) {
    throw new Failure(
      'conflict',
      `${name} has ${others.length} keys already; revoke the old one first: npm run keys -- revoke ${name} --id ${idOf(others[0] ?? {})}`,
    );
  }
  const [model] = entries.filter((each) => each['name'] === name);
  const scopes = request.scopes.length > 0 ? request.scopes : model?.['scopes'];
  if (scopes === undefined) throw new Failure('invalid', `what may ${name} do? give --scope`);
  const owners = request.owners.length > 0 ? request.owners : model?.['owners'];
  const namespaces = request.namespaces.length > 0 ? request.namespaces : model?.['namespaces'];
  const { stored, shown } = newKey(kind, random);
  const entry: JsonObject = {
    name,
    scopes: scopes as Json,
    ...stored,
    ...(owners === undefined ? {} : { owners: owners as Json }),
    ...(namespaces === undefined ? {} : { namespaces: namespaces as Json }),
  };
  const [problem] = clientProblems(entry);
  if (problem !== undefined) throw new Failure('invalid', `this client would not be usable: ${problem}`);
  return { document: { ...document, clients: [...entries, entry] }, id: idOf(entry), shown };
}

/** Takes a key away. Without an id the client must have one only. */
export function revokeKey(
  document: JsonObject | undefined,
  name: string,
  id: string | undefined,
): { readonly document: JsonObject; readonly revoked: ListedKey } {
  const entries = entriesOf(document);
  const found = entries.filter((each) => each['name'] === name && (id === undefined || idOf(each) === id));
  const [entry] = found;
  if (entry === undefined) throw new Failure('missing', `there is no key ${id ?? ''} of ${name}`.replace('  ', ' '));
  if (found.length > 1)
    throw new Failure('conflict', `${name} has several keys; say which: --id ${found.map(idOf).join(' or --id ')}`);
  const { key_sha256: _k, token_sha256: _t, access_key_id: _i, access_key_secret: _s, ...rest } = entry;
  // What signs webhooks stays.
  const left = rest['webhook_secrets'] === undefined ? [] : [rest as JsonObject];
  const clients = entries.flatMap((each) => (each === entry ? left : [each]));
  return { document: { ...document, clients }, revoked: listed(entry) };
}

export function listKeys(document: JsonObject | undefined): readonly ListedKey[] {
  return entriesOf(document).map(listed);
}

function entriesOf(document: JsonObject | undefined): readonly JsonObject[] {
  const list = document?.['clients'] ?? [];
  if (!Array.isArray(list))
    throw new Failure('invalid', 'the secret lineage/clients is not { "clients": [ … ] }; correct it by hand first');
  return list as readonly JsonObject[];
}

function newKey(kind: KeyKind, random: (bytes: number) => Buffer) {
  if (kind === 'pair') {
    const pair = {
      access_key_id: `LF${random(10).toString('hex').toUpperCase()}`,
      access_key_secret: random(30).toString('base64url'),
    };
    return { stored: pair, shown: pair };
  }
  const value = `${kind === 'key' ? 'lk' : 'lt'}_${random(32).toString('base64url')}`;
  const hash = createHash('sha256').update(value).digest('hex');
  return kind === 'key'
    ? { stored: { key_sha256: hash }, shown: { key: value } }
    : { stored: { token_sha256: hash }, shown: { token: value } };
}

function kindOf(entry: JsonObject): ListedKey['kind'] {
  if (entry['key_sha256'] !== undefined) return 'key';
  if (entry['access_key_id'] !== undefined) return 'pair';
  if (entry['token_sha256'] !== undefined) return 'token';
  return entry['webhook_secrets'] === undefined ? 'none' : 'webhook';
}

function idOf(entry: JsonObject): string {
  const hash = entry['key_sha256'] ?? entry['token_sha256'];
  if (typeof hash === 'string') return hash.slice(0, ID_CHARACTERS).toLowerCase();
  const id = entry['access_key_id'];
  return typeof id === 'string' ? id : '-';
}

function listed(entry: JsonObject): ListedKey {
  const texts = (value: Json | undefined) => (Array.isArray(value) ? value.map(String) : undefined);
  const owners = texts(entry['owners']);
  const namespaces = texts(entry['namespaces']);
  return {
    name: String(entry['name'] ?? '?'),
    kind: kindOf(entry),
    id: idOf(entry),
    scopes: texts(entry['scopes']) ?? [],
    ...(owners === undefined ? {} : { owners }),
    ...(namespaces === undefined ? {} : { namespaces }),
    problems: clientProblems(entry),
  };
}
