import type { WriteRequest } from '@aws-sdk/client-dynamodb';
import { type Entry, entryItem, type Indexed, tokenOf } from './dynamodb-items.ts';
import type { Row } from './ledger.ts';

/** What a write does to the index: `entries` are the new row's, `added` to be put before it, `dropped` to be deleted after it. */
export interface EntryPlan {
  /** Undefined for a row without an index, which is not the same as an empty one. */
  readonly entries: readonly Entry[] | undefined;
  readonly added: readonly Entry[];
  readonly dropped: readonly Entry[];
}

/**
 * Entries that the replaced row has already keep their items, and cost nothing. Only where its expiry was another one are they
 * put again, because an entry must not expire before its row.
 */
export function planEntries(row: Row, before: Indexed | undefined): EntryPlan {
  const token = tokenOf(row.rev);
  const old = before?.entries ?? [];
  const kept = new Map(before?.expiresAt === row.expiresAt ? old.map((entry) => [entry.name, entry]) : []);
  const entries = row.index?.map((name): Entry => kept.get(name) ?? { name, token });
  const current = new Set((entries ?? []).map(identity));
  return {
    entries,
    added: unique(entries ?? []).filter((entry) => kept.get(entry.name) !== entry),
    dropped: unique(old).filter((entry) => !current.has(identity(entry))),
  };
}

/** Those of `entries` that a row, as it is stored now, does not call its own. */
export function strangers(entries: readonly Entry[], stored: Indexed | undefined): Entry[] {
  const own = new Set((stored?.entries ?? []).map(identity));
  return entries.filter((entry) => !own.has(identity(entry)));
}

export function putEntry(key: string, entry: Entry, expiresAt: number | undefined): WriteRequest {
  return { PutRequest: { Item: entryItem(key, entry, expiresAt) } };
}

export function deleteEntry(key: string, entry: Entry): WriteRequest {
  return { DeleteRequest: { Key: entryItem(key, entry) } };
}

function unique(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [identity(entry), entry])).values()];
}

function identity({ name, token }: Entry): string {
  return token + name;
}
