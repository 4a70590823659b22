import { digest } from '../core/digest.ts';
import type { Services } from '../wiring.ts';
import { type ArchivedEvent, BATCHES, NEW, zipped } from './archive.ts';
import { readArchived } from './archive-read.ts';

/** A batch holds about so many characters before it is compressed. */
const BATCH_CHARACTERS = 8_000_000;
const STOP_BEFORE_MS = 15_000;

/**
 * Puts what was archived within a window together into a few batches. May run several times and side by side: what was put together
 * twice stands there twice, which harms nobody. What there is no time for goes on from the queue.
 */
export async function putTogether(window: string, services: Services, deadlineMs: number): Promise<void> {
  const { deps } = services;
  const prefix = `${NEW}${window}/`;
  let lines = new Map<string, ArchivedEvent>();
  let keys: string[] = [];
  let size = 0;
  const flush = async () => {
    if (keys.length === 0) return;
    const name = `${BATCHES}${window}-${digest(keys.join('\n'))}.jsonl.gz`;
    if (lines.size > 0) await deps.manifests.put(name, await zipped([...lines.values()]), 'application/gzip');
    for (const key of keys) await deps.manifests.delete(key);
    lines = new Map();
    keys = [];
    size = 0;
  };
  let after: string | undefined;
  do {
    const page = await deps.manifests.list(prefix, after === undefined ? {} : { after });
    for (const { key } of page.items) {
      for (const each of await readArchived(key, services)) {
        const text = JSON.stringify(each);
        if (!lines.has(text)) size += text.length;
        lines.set(text, each);
      }
      keys.push(key);
      if (size >= BATCH_CHARACTERS) await flush();
      if (deps.now() + STOP_BEFORE_MS > deadlineMs) {
        await flush();
        await deps.queue.send({ kind: 'archive', window });
        return;
      }
    }
    after = page.next;
  } while (after !== undefined);
  await flush();
}
