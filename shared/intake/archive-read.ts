import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
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

/** The events of one archived object, in the order they were taken in; none when it has been put together with others meanwhile. */
export async function readArchived(key: string, services: Services): Promise<readonly ArchivedEvent[]> {
  return (await linesOf(key, services))?.map((line) => JSON.parse(line) as ArchivedEvent) ?? [];
}

/** The same as they are written, each known to be JSON; undefined when the object is not there. */
export async function archivedLines(key: string, services: Services): Promise<readonly string[] | undefined> {
  const lines = await linesOf(key, services);
  for (const line of lines ?? []) JSON.parse(line);
  return lines;
}

async function linesOf(key: string, { deps }: Services): Promise<readonly string[] | undefined> {
  const object = await deps.manifests.get(key, { maxBytes: BATCH_BYTES });
  if (object === undefined) return undefined;
  const small = object.bytes.byteLength <= SMALL_BYTES;
  const text = (small ? gunzipSync(object.bytes) : await unzip(object.bytes)).toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** The event itself, from its own object if it is a large one; undefined when that is gone. */
export async function eventOf(archived: ArchivedEvent, { deps }: Services): Promise<JsonObject | undefined> {
  if (archived.ref === undefined) return archived.event;
  const object = await deps.manifests.get(archived.ref, { maxBytes: BATCH_BYTES });
  if (object === undefined) return undefined;
  return (JSON.parse((await unzip(object.bytes)).toString('utf8')) as readonly JsonObject[])[0];
}
