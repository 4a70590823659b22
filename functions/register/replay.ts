import * as z from 'zod';
import type { JsonObject } from '../../shared/core/json.ts';
import { readEvent } from '../../shared/formats/openlineage/event.ts';
import { notAhead, readTime } from '../../shared/formats/openlineage/time.ts';
import type { ArchivedEvent } from '../../shared/intake/archive.ts';
import { archiveKeys, eventOf, readArchived } from '../../shared/intake/archive-read.ts';
import { storeEvents } from '../../shared/intake/inbox.ts';
import type { Services } from '../../shared/wiring.ts';

const time = z.lazy(() => z.iso.datetime({ offset: true, error: 'is a time with its zone, 2026-11-20T02:00:00Z' }));

/** Which archived events to take in again: those accepted from `since` up to before `until`, of one job or dataset (`namespace/name`) or all. */
export const replayQuestion = z.lazy(() =>
  z.strictObject({
    since: time,
    until: time.optional(),
    job: z.string().min(1).max(4_000).optional(),
    dryRun: z.boolean().default(false),
    /** The `next` of the answer before. */
    after: z.string().max(1_024).optional(),
  }),
);
export type ReplayQuestion = z.output<typeof replayQuestion>;

export interface ReplayAnswer {
  /** Sent again, or with `dryRun` found. */
  readonly events: number;
  /** Events per job or dataset, `namespace/name`; the first thousand of them. */
  readonly jobs: Readonly<Record<string, number>>;
  /** Large events whose objects are gone. */
  readonly gone: number;
  /** Archived objects that cannot be read: nothing of them is taken in again, and they stay where they are. */
  readonly unreadable: readonly string[];
  /** There is more: ask again with this as `after`. */
  readonly next?: string;
}

const MAX_JOBS = 1_000;
const STOP_BEFORE_MS = 5_000;
const SENT_AT_ONCE = 500;

/**
 * Takes archived events in again, from the queue like new ones; they are not archived a second time. What is known already changes nothing,
 * so it may be done twice, or over a time that was taken in well.
 */
export async function replay(
  { since, until, job, dryRun, after }: ReplayQuestion,
  services: Services,
  deadlineMs: number,
): Promise<ReplayAnswer> {
  const { deps } = services;
  const fromMs = Date.parse(since);
  const untilMs = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
  const jobs: Record<string, number> = {};
  let events = 0;
  let gone = 0;
  const unreadable: string[] = [];
  const answer = (next?: string): ReplayAnswer => ({
    ...{ events, jobs, gone, unreadable },
    ...(next === undefined ? {} : { next }),
  });
  // Taken in, and so archived, some time after they were accepted: there is no last day.
  for await (const key of archiveKeys({ from: new Date(fromMs).toISOString().slice(0, 10) }, after, services)) {
    const sending: Sending = { open: [], confined: [] };
    const lines = await readArchived(key, services);
    if (lines === 'unreadable') unreadable.push(key);
    for (const archived of lines === 'unreadable' ? [] : lines) {
      const atMs = Date.parse(archived.at);
      if (atMs < fromMs || atMs >= untilMs) continue;
      const event = await eventOf(archived, services);
      if (event === undefined) {
        gone += 1;
        continue;
      }
      if (event === 'unreadable') {
        unreadable.push(archived.ref ?? key);
        continue;
      }
      const subject = subjectOf(event);
      if (job !== undefined && subject !== job) continue;
      events += 1;
      if (jobs[subject] !== undefined || Object.keys(jobs).length < MAX_JOBS) jobs[subject] = (jobs[subject] ?? 0) + 1;
      if (!dryRun) await add(archived, event, sending, services);
    }
    await flush(sending, services);
    if (deps.now() + STOP_BEFORE_MS > deadlineMs) return answer(key);
  }
  return answer();
}

interface Sending {
  open: JsonObject[];
  confined: JsonObject[];
}

async function add(
  { at, confined, ref }: ArchivedEvent,
  event: JsonObject,
  sending: Sending,
  services: Services,
): Promise<void> {
  if (ref !== undefined) {
    await services.deps.queue.send({ kind: 'events', ref, at, replayed: true, ...(confined ? { confined } : {}) });
    return;
  }
  sending[confined ? 'confined' : 'open'].push(inTime(event, Date.parse(at)));
  if (sending.open.length + sending.confined.length >= SENT_AT_ONCE) await flush(sending, services);
}

/** As it was taken in: events go again together, and the time they are accepted at is not theirs. */
function inTime(event: JsonObject, acceptedMs: number): JsonObject {
  const { eventTime } = event;
  const time = typeof eventTime === 'string' ? readTime(eventTime) : undefined;
  const taken = time === undefined ? undefined : notAhead(time, acceptedMs);
  return taken === undefined || taken === time ? event : { ...event, eventTime: taken };
}

async function flush(sending: Sending, services: Services): Promise<void> {
  const { open, confined } = sending;
  sending.open = [];
  sending.confined = [];
  await storeEvents(open, { confined: false, replayed: true }, services);
  await storeEvents(confined, { confined: true, replayed: true }, services);
}

function subjectOf(event: JsonObject): string {
  const read = readEvent(event, { strict: false });
  return 'event' in read ? `${read.event.subject.namespace}/${read.event.subject.name}` : '';
}
