import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { asFailure, Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import type { ObjectHead } from '../manifests/manifests.ts';
import type { Services } from '../wiring.ts';
import { type ArchivedEvent, BATCHES, NEW } from './archive.ts';

const unzip = promisify(gunzip);

const BATCH_BYTES = 64 * 1024 * 1024;
/** Below this it takes longer to have another thread do it. */
const SMALL_BYTES = 16_384;

/**
 * Keys of everything archived from a day on (`2026-11-20`), first what has not been put together yet: what is put together meanwhile is then
 * seen twice rather than not at all. `after` is a key that came before.
 */
export async function* archiveKeys(
  { from }: { readonly from?: string },
  after: string | undefined,
  services: Services,
): AsyncGenerator<string> {
  for (const prefix of [NEW, BATCHES]) {
    if (after?.startsWith(BATCHES) && prefix === NEW) continue;
    let last = after?.startsWith(prefix) ? after : from === undefined ? undefined : `${prefix}${from}`;
    do {
      const page = await services.deps.manifests.list(prefix, last === undefined ? {} : { after: last });
      for (const { key } of page.items) yield key;
      last = page.next;
    } while (last !== undefined);
  }
}

const DAY_MS = 86_400_000;
/** Objects that are looked at before the next listing is asked for. */
const PART = 128;

/**
 * Everything archived within so many days, the last written first: windows from the newest, and in each what has not been put together yet
 * from the last on, then what has. Only within the batches of a window there is no order. What is put together meanwhile is seen twice rather
 * than not at all, if every part is read before the next is asked for.
 */
export async function* newestFirst(days: number, services: Services): AsyncGenerator<readonly ObjectHead[]> {
  const { deps } = services;
  for (let back = 0; back <= days; back += 1) {
    const day = new Date(deps.now() - back * DAY_MS).toISOString().slice(0, 10);
    const fresh = new Set(await newWindows(day, services));
    const batches = Map.groupBy(await allUnder(`${BATCHES}${day}/`, services), ({ key }) => windowOf(key, BATCHES));
    for (const window of [...new Set([...fresh, ...batches.keys()])].sort().reverse()) {
      if (fresh.has(window)) yield* parts(await allUnder(`${NEW}${window}/`, services));
      const put = fresh.has(window) ? await allUnder(`${BATCHES}${window}-`, services) : batches.get(window);
      yield* parts(put ?? []);
    }
  }
}

/** `2026-11-20/02-10` */
const windowOf = (key: string, prefix: string): string => key.slice(prefix.length, prefix.length + 16);

/** Windows of a day that have not been put together, or not all of them; one listing for each. */
async function newWindows(day: string, { deps }: Services): Promise<readonly string[]> {
  const found: string[] = [];
  const prefix = `${NEW}${day}/`;
  for (let after = prefix; ; ) {
    const [head] = (await deps.manifests.list(prefix, { limit: 1, after })).items;
    if (head === undefined) return found;
    const window = windowOf(head.key, NEW);
    found.push(window);
    // What comes right behind the slash.
    after = `${NEW}${window}0`;
  }
}

async function allUnder(prefix: string, { deps }: Services): Promise<readonly ObjectHead[]> {
  const all: ObjectHead[] = [];
  let after: string | undefined;
  do {
    const page = await deps.manifests.list(prefix, after === undefined ? {} : { after });
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}

function* parts(heads: readonly ObjectHead[]): Generator<readonly ObjectHead[]> {
  for (let end = heads.length; end > 0; end -= PART) yield heads.slice(Math.max(0, end - PART), end).reverse();
}

/** An object that is there, and no archive of ours: cut off, or written by somebody else. It has been told to the log, and others are read. */
export type Unreadable = 'unreadable';

/** The events of one archived object, in the order they were taken in; none when it has been put together with others meanwhile. */
export async function readArchived(key: string, services: Services): Promise<readonly ArchivedEvent[] | Unreadable> {
  const read = async () => (await linesOf(key, services))?.map((line) => JSON.parse(line) as ArchivedEvent) ?? [];
  return orUnreadable(key, read, services);
}

/** The same as they are written, each known to be JSON; undefined when the object is not there. */
export async function archivedLines(
  key: string,
  services: Services,
): Promise<readonly string[] | undefined | Unreadable> {
  const read = async () => {
    const lines = await linesOf(key, services);
    for (const line of lines ?? []) JSON.parse(line);
    return lines;
  };
  return orUnreadable(key, read, services);
}

async function linesOf(key: string, { deps }: Services): Promise<readonly string[] | undefined> {
  const object = await deps.manifests.get(key, { maxBytes: BATCH_BYTES });
  if (object === undefined) return undefined;
  const small = object.bytes.byteLength <= SMALL_BYTES;
  const text = (small ? gunzipSync(object.bytes) : await unzip(object.bytes)).toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** The event itself, from its own object if it is a large one; undefined when that is gone. */
export async function eventOf(
  { ref, event }: ArchivedEvent,
  services: Services,
): Promise<JsonObject | undefined | Unreadable> {
  if (ref === undefined) return event;
  const read = async () => {
    const object = await services.deps.manifests.get(ref, { maxBytes: BATCH_BYTES });
    if (object === undefined) return undefined;
    return (JSON.parse((await unzip(object.bytes)).toString('utf8')) as readonly JsonObject[])[0];
  };
  return orUnreadable(ref, read, services);
}

/** Throws what may be over later: a store that does not answer. */
async function orUnreadable<T>(key: string, read: () => Promise<T>, { log }: Services): Promise<T | Unreadable> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.retryable) throw thrown;
    const reason = asFailure(thrown).message;
    log.error('an archived object cannot be read; it stays where it is', { object: key, reason });
    return 'unreadable';
  }
}
