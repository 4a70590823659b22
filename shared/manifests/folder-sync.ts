import { open } from 'node:fs/promises';

/**
 * Makes what was done in a folder before the call (files moved in, files removed) survive a power cut. Calls for a folder that come while
 * it is being synced share the next sync: many small writes side by side cost few of them.
 */
export function folderSyncs(sync: (path: string) => Promise<void> = syncFolder): (path: string) => Promise<void> {
  const running = new Map<string, Promise<void>>();
  /** Not begun: whatever is done until it begins is covered. */
  const waiting = new Map<string, Promise<void>>();

  function begin(path: string): Promise<void> {
    waiting.delete(path);
    const run: Promise<void> = sync(path).finally(() => running.delete(path));
    running.set(path, run);
    return run;
  }

  return (path) => {
    const joined = waiting.get(path);
    if (joined) return joined;
    const before = running.get(path);
    if (!before) return begin(path);
    const again = () => begin(path);
    // One that failed told those who asked for it.
    const next = before.then(again, again);
    waiting.set(path, next);
    return next;
  };
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
