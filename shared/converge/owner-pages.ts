import { isOwnerKey, OWNER_PREFIXES } from '../core/owner-key.ts';
import { compareUtf8 } from '../ledger/keys.ts';
import type { Row } from '../ledger/ledger.ts';
import type { ConvergeDeps } from './deps.ts';
import { ownerKey } from './owner.ts';

/** An owner with an object, a row, or both. */
export interface OwnerFound {
  readonly owner: string;
  /** Of its object, as listed; absent: it has none. */
  readonly etag?: string;
  readonly row?: Row;
}

/** Rows asked for at a time: as many as DynamoDB gives for four requests side by side. */
const PER_PAGE = 400;
/** The index of owners is spread over partitions, each of which is asked for every page: large pages cost fewer requests. */
const KEYS_PER_QUERY = 5_000;
const PREFIXES = [...OWNER_PREFIXES].sort(compareUtf8);

type Stores = Pick<ConvergeDeps, 'ledger' | 'manifests'>;

/**
 * Every owner behind `after`, in UTF-8 byte order of its key, some hundred at a time with their rows: two sorted streams, the listing
 * of the bucket and the ledger's index, merged as they come. Memory is that of a few pages, however many owners there are. A
 * listing that fails throws: nobody may take it for the end.
 */
export async function* ownerPages(stores: Stores, after = ''): AsyncGenerator<readonly OwnerFound[]> {
  let page: { readonly owner: string; readonly etag?: string }[] = [];
  for await (const each of merged(objects(stores, after), keys(stores, after))) {
    page.push(each);
    if (page.length < PER_PAGE) continue;
    yield await withRows(page, stores);
    page = [];
  }
  if (page.length > 0) yield await withRows(page, stores);
}

async function withRows(
  page: readonly { readonly owner: string; readonly etag?: string }[],
  { ledger }: Stores,
): Promise<readonly OwnerFound[]> {
  const rows = await ledger.getMany(page.map(({ owner }) => ownerKey(owner)));
  return page.map((each) => {
    const row = rows.get(ownerKey(each.owner));
    return row === undefined ? each : { ...each, row };
  });
}

async function* objects(
  { manifests }: Stores,
  after: string,
): AsyncGenerator<{ readonly owner: string; readonly etag: string }> {
  for (const prefix of PREFIXES) {
    const inside = after.startsWith(prefix);
    if (!inside && compareUtf8(prefix, after) < 0) continue;
    for (let from = inside ? after : undefined, more = true; more; ) {
      const { items, next } = await manifests.list(prefix, from === undefined ? {} : { after: from });
      for (const { key, etag } of items) if (isOwnerKey(key)) yield { owner: key, etag };
      from = next;
      more = next !== undefined;
    }
  }
}

async function* keys({ ledger }: Stores, after: string): AsyncGenerator<{ readonly owner: string }> {
  const start = ownerKey('').length;
  for (let from = after === '' ? undefined : ownerKey(after), more = true; more; ) {
    const page = { limit: KEYS_PER_QUERY, ...(from === undefined ? {} : { after: from }) };
    const { items, next } = await ledger.find('owners', page);
    for (const key of items) yield { owner: key.slice(start) };
    from = next;
    more = next !== undefined;
  }
}

/** Both in one order, what is in both once. */
async function* merged(
  left: AsyncGenerator<{ readonly owner: string; readonly etag: string }>,
  right: AsyncGenerator<{ readonly owner: string }>,
): AsyncGenerator<{ readonly owner: string; readonly etag?: string }> {
  let [a, b] = [await left.next(), await right.next()];
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compareUtf8(a.value.owner, b.value.owner);
    if (order <= 0 && a.done !== true) yield a.value;
    else if (b.done !== true) yield b.value;
    if (order <= 0) a = await left.next();
    if (order >= 0) b = await right.next();
  }
}
