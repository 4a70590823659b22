import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An implementation under test, freshly opened and empty (or used by other tests only under other names). */
export interface Opened<T> {
  readonly subject: T;
  close(): Promise<void> | void;
}

export type Open<T> = () => Promise<Opened<T>> | Opened<T>;

/** Runs a test on a subject of its own and closes it, whatever happens. */
export function withOpened<T>(open: Open<T>, test: (subject: T) => Promise<void>): () => Promise<void> {
  return async () => {
    const opened = await open();
    try {
      await test(opened.subject);
    } finally {
      await opened.close();
    }
  };
}

/** An empty folder of the test's own, and how to remove it. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'lineage-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks again every 20 ms until `look` gives something other than undefined; fails after `withinMs`. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined, withinMs = 5_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await pause(20);
  }
}
