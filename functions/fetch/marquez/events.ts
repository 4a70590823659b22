import { digest } from '../../../shared/core/digest.ts';
import type { JsonObject } from '../../../shared/core/json.ts';
import { by } from '../../../shared/core/order.ts';
import { readEvent } from '../../../shared/formats/openlineage/event.ts';
import { readTime } from '../../../shared/formats/openlineage/time.ts';
import type { ArchivedEvent } from '../../../shared/intake/archive.ts';
import { archiveKeys, eventOf, readArchived } from '../../../shared/intake/archive-read.ts';
import { ownerOf } from '../../../shared/intake/subject.ts';
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

/** Archived objects and events looked at for one answer; days are gone through from the newest. */
const OBJECTS = 400;
const EVENTS = 50_000;
const DAY_MS = 86_400_000;

/** Where an event stands; many of these are held at once, the events themselves are not. */
interface Place {
  readonly time: string;
  readonly key: string;
  readonly line: number;
}

/**
 * Archived events by the time they name, for a confined caller those that it could have sent. Of very many only the latest accepted are
 * looked at; `totalCount` counts those that fit.
 */
export async function eventsBetween(
  query: EventsQuery,
  caller: Caller,
  services: Services,
): Promise<{ readonly events: readonly JsonObject[]; readonly totalCount: number }> {
  const places = [...(await placesOf(query, caller, services)).values()].sort(by(({ time }) => time));
  if (query.sortDirection === 'desc') places.reverse();
  const page = places.slice(query.offset, query.offset + query.limit);
  const objects = new Map<string, readonly ArchivedEvent[]>();
  const events: JsonObject[] = [];
  for (const { key, line } of page) {
    const lines = objects.get(key) ?? (await readable(key, services));
    objects.set(key, lines);
    const archived = lines[line];
    const event = archived && (await eventOf(archived, services));
    if (event !== undefined && event !== 'unreadable') events.push(event);
  }
  return { events, totalCount: places.length };
}

async function placesOf(
  { before, after }: EventsQuery,
  caller: Caller,
  services: Services,
): Promise<Map<string, Place>> {
  const found = new Map<string, Place>();
  let objects = 0;
  const { archiveDays } = services.settings.openlineage;
  for (let back = 0; back <= archiveDays; back += 1) {
    const day = new Date(services.deps.now() - back * DAY_MS).toISOString().slice(0, 10);
    for await (const key of archiveKeys({ from: day, to: day }, undefined, services)) {
      objects += 1;
      for (const [line, archived] of (await readable(key, services)).entries()) {
        const time = timeOf(archived);
        if ((before !== undefined && time >= before) || (after !== undefined && time < after)) continue;
        if (!(await mayRead(archived, caller, services))) continue;
        found.set(digest(JSON.stringify(archived)), { time, key, line });
      }
      if (objects >= OBJECTS || found.size >= EVENTS) return found;
    }
  }
  return found;
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
