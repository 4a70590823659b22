import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import { checkLedgerKey } from './keys.ts';
import type { Row } from './ledger.ts';

/**
 * How rows and index entries lie in the one table (partition key `pk`, sort key `sk`, both strings, TTL attribute `expiresAt`):
 *
 *     row    pk = r/<key>              sk = row             rev, body (JSON) or packed (deflated JSON), entries, expiresAt
 *     entry  pk = i/<shard>/<entry>    sk = <key>\0<token>  expiresAt
 *
 * An entry's item belongs to the one write that put it: `token` stands for that write's rev, and the row says in `entries` which
 * tokens are its own. So nobody ever overwrites another's entry or takes it away, however their writes interleave.
 */
export type Item = Record<string, AttributeValue>;

/** An index entry of a row, and which write put its item. */
export interface Entry {
  readonly name: string;
  readonly token: string;
}

/** What a write needs to know of the row it replaces. */
export interface Indexed {
  readonly rev: string;
  readonly entries: readonly Entry[];
  readonly expiresAt?: number;
}

const TOKEN_CHARACTERS = 8;
/** A sort key holds 1,024 bytes (AWS, DynamoDB quotas), and an entry's holds the row's key and a token. */
const MAX_KEY_BYTES = 1_024 - 1 - TOKEN_CHARACTERS;
const MAX_ENTRY_BYTES = 1_500;
/** Below this a row costs one write unit either way. */
const PACK_ABOVE_BYTES = 1_024;
/** TTL drops items in no order, up to days late; an entry must not go before its row. */
const ENTRY_OUTLIVES_SECONDS = 7 * 86_400;

/** Names whose entries every owner or unit has, or very many: one partition takes no more than 1,000 writes a second. */
const HOT = new Set(['owners', 'unsettled', 'units', 'account', 'word']);
const SHARDS = Array.from({ length: 16 }, (_, shard) => shard.toString(16));
const ONE_SHARD = ['-'];

/** Throws `Failure` `invalid` for keys that the table cannot hold: above 1,015 bytes, or with a NUL. */
export function checkItemKey(key: string): void {
  checkLedgerKey(key);
  const problem = key.includes('\0')
    ? 'holds a NUL character'
    : Buffer.byteLength(key) > MAX_KEY_BYTES
      ? `has more than ${MAX_KEY_BYTES} bytes`
      : undefined;
  if (problem !== undefined) {
    throw new Failure(
      'invalid',
      `The ledger key ${JSON.stringify(key.slice(0, 100))} ${problem}; shorten or encode it.`,
    );
  }
}

export function rowKey(key: string): Item {
  return { pk: { S: `r/${key}` }, sk: { S: 'row' } };
}

export function keyOfRow(item: Item): string {
  return (item['pk']?.S ?? '').slice(2);
}

/** The parts of a row that a write sends, taken at once: the caller may change its objects meanwhile. */
export function rowItem(row: Row, entries: readonly Entry[] | undefined): Item {
  const json = JSON.stringify(row.body);
  const packed = Buffer.byteLength(json) > PACK_ABOVE_BYTES ? deflateRawSync(json) : undefined;
  return {
    ...rowKey(row.key),
    rev: { S: row.rev },
    ...(packed === undefined ? { body: { S: json } } : { packed: { B: packed } }),
    ...(entries === undefined ? {} : { entries: { L: entries.map(({ name, token }) => ({ S: token + name })) } }),
    ...(row.expiresAt === undefined ? {} : { expiresAt: { N: String(row.expiresAt) } }),
  };
}

export function itemRow(item: Item): Row {
  const { rev, entries, expiresAt } = indexedOf(item);
  const packed = item['packed']?.B;
  const json = packed === undefined ? (item['body']?.S ?? '{}') : inflateRawSync(packed).toString();
  return {
    key: keyOfRow(item),
    rev,
    body: JSON.parse(json) as JsonObject,
    ...(item['entries'] === undefined ? {} : { index: entries.map(({ name }) => name) }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

export function indexedOf(item: Item): Indexed {
  const expiresAt = item['expiresAt']?.N;
  return {
    rev: item['rev']?.S ?? '',
    entries: (item['entries']?.L ?? []).map(({ S = '' }) => ({
      token: S.slice(0, TOKEN_CHARACTERS),
      name: S.slice(TOKEN_CHARACTERS),
    })),
    ...(expiresAt === undefined ? {} : { expiresAt: Number(expiresAt) }),
  };
}

export function tokenOf(rev: string): string {
  return createHash('sha256').update(rev).digest('base64url').slice(0, TOKEN_CHARACTERS);
}

export function entryItem(key: string, { name, token }: Entry, expiresAt?: number): Item {
  return {
    pk: { S: entryPartition(name, shardOf(name, key)) },
    sk: { S: `${key}\0${token}` },
    ...(expiresAt === undefined ? {} : { expiresAt: { N: String(expiresAt + ENTRY_OUTLIVES_SECONDS) } }),
  };
}

/** The partitions that hold a name's entries. */
export function entryPartitions(name: string): readonly string[] {
  return shardsOf(name).map((shard) => entryPartition(name, shard));
}

export function keyOfEntry(item: Item): string {
  const text = item['sk']?.S ?? '';
  return text.slice(0, text.indexOf('\0'));
}

/** A sort key behind all entries of this key and before those of the next. */
export function behind(key: string): string {
  return `${key}\u0001`;
}

function shardsOf(name: string): readonly string[] {
  return HOT.has(name.split(':', 1)[0] ?? '') ? SHARDS : ONE_SHARD;
}

/** Never to be changed: entries would no longer be found where they are. */
function shardOf(name: string, key: string): string {
  const shards = shardsOf(name);
  const [first = 0] = createHash('sha256').update(key).digest();
  return shards[first % shards.length] ?? '-';
}

function entryPartition(name: string, shard: string): string {
  const short = Buffer.byteLength(name) <= MAX_ENTRY_BYTES;
  return `i/${shard}/${short ? name : `~${createHash('sha256').update(name).digest('base64url')}`}`;
}
