import pMap from 'p-map';
import { digest } from '../../../shared/core/digest.ts';
import type { JsonObject } from '../../../shared/core/json.ts';
import { by } from '../../../shared/core/order.ts';
import { readEvent } from '../../../shared/formats/openlineage/event.ts';
import { readTime } from '../../../shared/formats/openlineage/time.ts';
import type { ArchivedEvent } from '../../../shared/intake/archive.ts';
import { eventOf, newestFirst, readArchived } from '../../../shared/intake/archive-read.ts';
import { ownerOf } from '../../../shared/intake/subject.ts';
import type { ObjectHead } from '../../../shared/manifests/manifests.ts';
import { type Caller, mayName, mayOwn } from '../../../shared/triggers/access.ts';
import type { Services } from '../../../shared/wiring.ts';

export interface EventsQuery {
  /** Of `eventTime`, as UTC with nine decimals: before this, and from that on. */
  readonly before?: string;
  readonly after?: string;
  readonly limit: number;
  readonly offset: number;
  readonly sortDirection: 'asc' | 'desc';
}

/** Archived events looked at for one answer, from the last accepted on, and bytes of the objects that hold them, as they are stored. */
const EVENTS = 50_000;
const BYTES = 16 * 1024 * 1024;
/** What asking for an object costs at the least, in bytes: some 4,000 that hold next to nothing are as much as 16 batches. */
const OBJECT_BYTES = 4_096;
/** Objects read at once, and of those that are large. */
const AT_ONCE = 16;
const LARGE_AT_ONCE = 2;
const LARGE_BYTES = 65_536;

/** Where an event stands; many of these are held at once, the events themselves are not. */
interface Place {
  readonly time: string;
  readonly key: string;
  readonly line: number;
}

export interface EventsFound {
  readonly events: readonly JsonObject[];
  /** So many can be paged through. */
  readonly totalCount: number;
  /** Older ones were not looked at: there may be more. */
  readonly cut: boolean;
}

/**
 * Archived events by the time they name, for a confined caller those that it could have sent. Of very many only the last accepted are looked
 * at; `totalCount` counts those of them that fit.
 */
export async function eventsBetween(query: EventsQuery, caller: Caller, services: Services): Promise<EventsFound> {
  const { found, cut } = await placesOf(query, caller, services);
  const places = [...found.values()].sort(by(({ time }) => time));
  if (query.sortDirection === 'desc') places.reverse();
  const page = places.slice(query.offset, query.offset + query.limit);
  const keys = [...new Set(page.map(({ key }) => key))];
  const objects = new Map<string, ReadonlyMap<number, ArchivedEvent>>();
  const wanted = Map.groupBy(page, ({ key }) => key);
  const keep = async (key: string) => {
    const lines = await readable(key, services);
    const own = (wanted.get(key) ?? []).flatMap(({ line }) => {
      const archived = lines[line];
      return archived === undefined ? [] : [[line, archived] as const];
    });
    objects.set(key, new Map(own));
  };
  await pMap(keys, keep, { concurrency: LARGE_AT_ONCE });
  const events: JsonObject[] = [];
  for (const { key, line } of page) {
    const archived = objects.get(key)?.get(line);
    const event = archived && (await eventOf(archived, services));
    if (event !== undefined && event !== 'unreadable') events.push(event);
  }
  return { events, totalCount: places.length, cut };
}

async function placesOf(
  { before, after }: EventsQuery,
  caller: Caller,
  services: Services,
): Promise<{ readonly found: ReadonlyMap<string, Place>; readonly cut: boolean }> {
  const found = new Map<string, Place>();
  let eventsLeft = EVENTS;
  let bytesLeft = BYTES;
  const read = async ({ key }: ObjectHead) => {
    const lines = await readable(key, services);
    const places: [string, Place][] = [];
    for (const [line, archived] of lines.entries()) {
      const time = timeOf(archived);
      if ((before !== undefined && time >= before) || (after !== undefined && time < after)) continue;
      if (await mayRead(archived, caller, services))
        places.push([digest(JSON.stringify(archived)), { time, key, line }]);
    }
    return { looked: lines.length, places };
  };
  for await (const part of newestFirst(services.settings.openlineage.archiveDays, services)) {
    const fitting = part.filter(({ size }) => {
      const fits = eventsLeft > 0 && bytesLeft > 0;
      bytesLeft -= Math.max(size, OBJECT_BYTES);
      return fits;
    });
    const concurrency = part.some(({ size }) => size > LARGE_BYTES) ? LARGE_AT_ONCE : AT_ONCE;
    for (const { looked, places } of await pMap(fitting, read, { concurrency })) {
      if (eventsLeft <= 0) return { found, cut: true };
      eventsLeft -= looked;
      for (const [id, place] of places) found.set(id, place);
    }
    if (fitting.length < part.length) return { found, cut: true };
  }
  return { found, cut: false };
}

/** One that cannot be read hides no other. */
async function readable(key: string, services: Services): Promise<readonly ArchivedEvent[]> {
  const lines = await readArchived(key, services);
  return lines === 'unreadable' ? [] : lines;
}

/** An event tells whatever its sender put into it, so it is for those who may speak of its job themselves. */
async function mayRead(archived: ArchivedEvent, caller: Caller, services: Services): Promise<boolean> {
  if (caller.owners === undefined && caller.namespaces === undefined) return true;
  const event = await eventOf(archived, services);
  if (event === 'unreadable') return false;
  const read = event && readEvent(event, { strict: false });
  if (read === undefined || 'problems' in read) return false;
  const { subject } = read.event;
  return mayName(caller, subject.namespace) && mayOwn(caller, ownerOf(subject));
}

function timeOf(archived: ArchivedEvent): string {
  const given = archived.event?.['eventTime'] ?? archived.time;
  return (typeof given === 'string' ? readTime(given) : undefined) ?? readTime(archived.at) ?? '';
}
