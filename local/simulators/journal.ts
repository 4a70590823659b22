import * as fs from 'node:fs';
import * as path from 'node:path';

export interface Journal<Event> {
  /** Writes events before it returns, all of them in one write: they survive the death of the process right after. */
  append(...events: readonly Event[]): void;
  close(): void;
}

export interface JournalOwner<Event> {
  /** Called for every stored event, in order, before `openJournal` returns. */
  replay(event: Event): void;
  /** Events that rebuild the present state; what they leave out is forgotten. */
  snapshot(): Iterable<Event>;
}

const SMALLEST_REWRITE = 16 * 1024 * 1024;

/**
 * State as a log of events, one JSON document per line. The log is rewritten as a snapshot (temporary file, then rename)
 * when it is opened and whenever it has grown to four times its last snapshot and 16 MiB. A last line that was cut by a
 * crash was never answered for and is dropped; any other unreadable line is an error. Without a file nothing is kept.
 */
export function openJournal<Event>(file: string | undefined, owner: JournalOwner<Event>): Journal<Event> {
  if (file === undefined) return { append: () => {}, close: () => {} };
  const log = file;
  fs.mkdirSync(path.dirname(log), { recursive: true });
  for (const event of readEvents<Event>(log)) owner.replay(event);
  let size = rewrite(log, owner.snapshot());
  let limit = Math.max(SMALLEST_REWRITE, size * 4);
  let descriptor: number | undefined = fs.openSync(log, 'a', 0o600);

  return {
    append(...events) {
      if (descriptor === undefined) throw new Error('The simulator is closed.');
      if (size > limit) {
        fs.closeSync(descriptor);
        size = rewrite(log, owner.snapshot());
        limit = Math.max(SMALLEST_REWRITE, size * 4);
        descriptor = fs.openSync(log, 'a', 0o600);
      }
      const lines = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
      fs.appendFileSync(descriptor, lines);
      size += lines.length;
    },
    close() {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

function readEvents<Event>(file: string): Event[] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n');
  lines.pop(); // what follows the last line feed: nothing, or a line that a crash has cut
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as Event;
    } catch {
      throw new Error(`${file}, line ${index + 1} is not JSON. Remove the file to start with an empty simulator.`);
    }
  });
}

/** Returns the size of the snapshot in bytes. */
function rewrite<Event>(file: string, events: Iterable<Event>): number {
  const temporary = `${file}.new`;
  const descriptor = fs.openSync(temporary, 'w', 0o600);
  let size = 0;
  let batch = '';
  const flush = () => {
    const bytes = Buffer.from(batch);
    fs.appendFileSync(descriptor, bytes);
    size += bytes.length;
    batch = '';
  };
  for (const event of events) {
    batch += `${JSON.stringify(event)}\n`;
    if (batch.length > 1_000_000) flush();
  }
  flush();
  fs.closeSync(descriptor);
  fs.renameSync(temporary, file);
  return size;
}
