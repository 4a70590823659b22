import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { commit } from '../converge/commit.ts';
import type { ConvergeDeps } from '../converge/deps.ts';
import { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import type { Row } from '../ledger/ledger.ts';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Rows stay far below what a ledger takes (DynamoDB: 400 KB an item, read 2026-11). */
const PLAIN = 24_000;
const ZIPPED = 250_000;
const OBJECT_BYTES = 256 * 1024 * 1024;
/** Holds what is too large for a row. No notifications exist for it. */
export const RUNS = 'runs/';
const ROWS = 'ol/';

/** The kind and form of a row, where older programs must not read it (`ledger/versioned.ts`). */
export interface Form {
  readonly kind: string;
  readonly version: number;
}

export interface Merged<Value> {
  readonly value: Value;
  readonly changed: boolean;
}

/**
 * Merges `value` into what a row holds, with conditional writes: concurrent mergers both win. A row beyond its expiry counts as
 * absent; one that does not expire goes on so, because others may rely on it. Large values are compressed, larger ones go to an object that the row points at.
 */
export async function mergeStored<Value extends object>(
  key: string,
  value: Value,
  merge: (known: Value, next: Value) => Value,
  expiresAt: (merged: Value) => number | undefined,
  deps: ConvergeDeps,
  form: Form | undefined = undefined,
): Promise<Merged<Value>> {
  for (;;) {
    const row = await deps.ledger.get(key);
    const known = row && !expired(row, deps) ? await decode<Value>(row, deps) : undefined;
    const merged = known ? merge(known, value) : value;
    const expiry = known && row?.expiresAt === undefined ? undefined : expiresAt(merged);
    if (
      known &&
      row?.expiresAt === undefined &&
      expiry === undefined &&
      JSON.stringify(known) === JSON.stringify(merged)
    ) {
      return { value: merged, changed: false };
    }
    const body = { ...form, ...(await encode(key, merged, deps)) };
    const next: Row = { key, rev: deps.id(), body, ...(expiry === undefined ? {} : { expiresAt: expiry }) };
    if (await commit(deps.ledger, next, row?.rev ?? null)) {
      await forget(row, deps);
      return { value: merged, changed: true };
    }
    await forget(next, deps);
  }
}

/** Lets a row expire, unless it does already. */
export async function letExpire(key: string, expiresAt: number, deps: ConvergeDeps): Promise<void> {
  const row = await deps.ledger.get(key);
  if (row && row.expiresAt === undefined) await commit(deps.ledger, { ...row, rev: deps.id(), expiresAt }, row.rev);
}

/** Has a row that would expire stay. */
export async function letStay(row: Row, deps: ConvergeDeps): Promise<void> {
  const { expiresAt, ...rest } = row;
  if (expiresAt !== undefined) await commit(deps.ledger, { ...rest, rev: deps.id() }, row.rev);
}

/** `stay`: what is read is relied on from now on, whatever was to become of it. */
export async function loadStored<Value>(
  keys: readonly string[],
  deps: ConvergeDeps,
  { stay = false }: { readonly stay?: boolean } = {},
): Promise<Map<string, Value>> {
  const rows = await deps.ledger.getMany(keys);
  const values = new Map<string, Value>();
  for (const row of rows.values()) {
    if (expired(row, deps)) continue;
    values.set(row.key, await decode<Value>(row, deps));
    if (stay) await letStay(row, deps);
  }
  return values;
}

const expired = (row: Row, deps: ConvergeDeps): boolean =>
  row.expiresAt !== undefined && row.expiresAt * 1_000 < deps.now();

async function encode(key: string, value: object, deps: ConvergeDeps): Promise<JsonObject> {
  const text = JSON.stringify(value);
  if (text.length <= PLAIN) return { value: text };
  const bytes = await zip(text);
  if (bytes.byteLength <= ZIPPED) return { zipped: bytes.toString('base64') };
  const day = new Date(deps.now()).toISOString().slice(0, 10);
  const object = `${RUNS}${day}/${key.slice(ROWS.length)}/${deps.id()}.json.gz`;
  await deps.manifests.put(object, bytes, 'application/gzip');
  return { object };
}

/** Key of the row that an object was written for; undefined when it is none of these. */
export function rowOfObject(object: string): string | undefined {
  const parts = object.slice(RUNS.length).split('/');
  return parts.length < 3 ? undefined : `${ROWS}${parts.slice(1, -1).join('/')}`;
}

async function decode<Value>(row: Row, deps: ConvergeDeps): Promise<Value> {
  const { value, zipped, object } = row.body;
  if (typeof value === 'string') return JSON.parse(value) as Value;
  if (typeof zipped === 'string')
    return JSON.parse((await unzip(Buffer.from(zipped, 'base64'))).toString('utf8')) as Value;
  const stored = typeof object === 'string' ? await deps.manifests.get(object, { maxBytes: OBJECT_BYTES }) : undefined;
  // A concurrent merger has replaced row and object since the row was read; the delivery is tried again.
  if (!stored) throw new Failure('unavailable', `${row.key} changed while it was read`);
  return JSON.parse((await unzip(stored.bytes)).toString('utf8')) as Value;
}

/** Removes the object of a row that is no longer, or never was, the current one. */
async function forget(row: Row | undefined, deps: ConvergeDeps): Promise<void> {
  const object = row?.body['object'];
  if (typeof object === 'string') await deps.manifests.delete(object);
}
