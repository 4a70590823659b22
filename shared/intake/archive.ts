import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { JsonObject } from '../core/json.ts';
import type { Services } from '../wiring.ts';

const zip = promisify(gzip);

/** What is kept of an accepted event: a line of JSON in a compressed batch. A large event stands in an object of its own, `ref`. */
export interface ArchivedEvent {
  /** When it was accepted: ISO 8601 in UTC, with milliseconds. */
  readonly at: string;
  /** Its sender could speak of its own jobs only. */
  readonly confined?: boolean;
  readonly event?: JsonObject;
  readonly ref?: string;
  /** `eventTime` of a large event. */
  readonly time?: string;
}

/** `archive/new/<day>/<hh-mm>/<ms since then>-…`: written as events come in; `archive/batches/<day>/…`: put together later; `archive/large/<day>/…`: one event each. */
export const NEW = 'archive/new/';
export const BATCHES = 'archive/batches/';
export const LARGE = 'archive/large/';

/** Events of this long are put together into one batch, or a few. */
const WINDOW_MS = 600_000;
/** Whoever was about to write into a window has done so. */
const SETTLED_MS = 60_000;

interface Waiting {
  readonly lines: readonly ArchivedEvent[];
  done(): void;
  failed(thrown: unknown): void;
}

interface Archive {
  waiting: Waiting[];
  writing: boolean;
  /** The last window that somebody has been told to put together. */
  window?: string;
}

const archives = new WeakMap<Services, Archive>();

/** Keeps events; durable when it resolves. What arrives while an object is being written goes into the next one together. */
export function archive(lines: readonly ArchivedEvent[], services: Services): Promise<void> {
  if (lines.length === 0) return Promise.resolve();
  const known = archives.get(services) ?? { waiting: [], writing: false };
  archives.set(services, known);
  return new Promise<void>((done, failed) => {
    known.waiting.push({ lines, done, failed });
    if (!known.writing) void writeAll(known, services);
  });
}

async function writeAll(known: Archive, services: Services): Promise<void> {
  known.writing = true;
  while (known.waiting.length > 0) {
    const taken = known.waiting;
    known.waiting = [];
    try {
      await write(
        taken.flatMap((each) => each.lines),
        known,
        services,
      );
      for (const each of taken) each.done();
    } catch (thrown) {
      for (const each of taken) each.failed(thrown);
    }
  }
  known.writing = false;
}

async function write(lines: readonly ArchivedEvent[], known: Archive, { deps }: Services): Promise<void> {
  const now = deps.now();
  const start = now - (now % WINDOW_MS);
  const window = windowAt(now);
  if (known.window !== window) {
    // Before anything is there: a window that nobody puts together would stay as it is, which only costs requests.
    const delayMs = start + WINDOW_MS + SETTLED_MS - now;
    await deps.queue.send({ kind: 'archive', window }, { delayMs });
    known.window = window;
  }
  const key = `${NEW}${window}/${digitsOf(now - start)}-${deps.id()}.jsonl.gz`;
  await deps.manifests.put(key, await zipped(lines), 'application/gzip');
}

/** So that keys of a window are in the order in which they were written. */
const digitsOf = (ms: number): string => String(ms).padStart(6, '0');

/** The window that a time lies in: `2026-11-20/02-10`. */
export function windowAt(ms: number): string {
  return new Date(ms - (ms % WINDOW_MS)).toISOString().slice(0, 16).replace('T', '/').replace(':', '-');
}

export async function zipped(lines: readonly ArchivedEvent[]): Promise<Uint8Array> {
  return zip(lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
}

/** Keeps one large event in an object of its own, from the object in the inbox that holds it; the same again when it is taken in again. */
export async function archiveLarge(ref: string, events: readonly JsonObject[], { deps }: Services): Promise<string> {
  const copy = `${LARGE}${ref.split('/').slice(1).join('/')}`;
  await deps.manifests.put(copy, await zip(JSON.stringify(events)), 'application/gzip');
  return copy;
}
