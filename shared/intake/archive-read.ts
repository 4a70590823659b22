import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { asFailure, Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import type { Services } from '../wiring.ts';
import { type ArchivedEvent, BATCHES, NEW } from './archive.ts';

const unzip = promisify(gunzip);

const BATCH_BYTES = 64 * 1024 * 1024;
/** Below this it takes longer to have another thread do it. */
const SMALL_BYTES = 16_384;

/** The days that an archive was written on, as they stand in its keys. */
export interface Days {
  /** `2026-11-20` */
  readonly from?: string;
  readonly to?: string;
}

const dayOf = (key: string): string => key.split('/')[2] ?? '';

/**
 * Keys of everything archived on some days, first what has not been put together yet: what is put together meanwhile is then seen
 * twice rather than not at all. `after` is a key that came before.
 */
export async function* archiveKeys(days: Days, after: string | undefined, services: Services): AsyncGenerator<string> {
  for (const prefix of [NEW, BATCHES]) {
    if (after?.startsWith(BATCHES) && prefix === NEW) continue;
    let last = after?.startsWith(prefix) ? after : days.from === undefined ? undefined : `${prefix}${days.from}`;
    do {
      const page = await services.deps.manifests.list(prefix, last === undefined ? {} : { after: last });
      for (const { key } of page.items) {
        if (days.to !== undefined && dayOf(key) > days.to) break;
        yield key;
      }
      last = page.next;
    } while (last !== undefined && !(days.to !== undefined && dayOf(last) > days.to));
  }
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
