import type { Ledger } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { Target, Targets } from './deps.ts';

const MARKER = 'meta/restored';

/**
 * The same targets; while the ledger is marked as restored from a backup, all of them are report-only: what was done at the vendors
 * since the backup is not in it, so a person looks at the plan first. One read per process where nothing was restored.
 */
export function untilResumed(targets: () => Promise<Targets>, ledger: Ledger): () => Promise<Targets> {
  let resumed = false;
  return async () => {
    const found = await targets();
    if (resumed) return found;
    if ((await restoredAt(ledger)) === undefined) {
      resumed = true;
      return found;
    }
    const list = found.list.map((target): Target => ({ ...target, mode: 'report-only', restored: true }));
    return { ...found, list };
  };
}

/** When the ledger was restored from a backup (epoch ms), while nobody has said that it may go on; undefined otherwise. */
export async function restoredAt(ledger: Ledger): Promise<number | undefined> {
  const at = (await ledger.get(MARKER))?.body['at'];
  return typeof at === 'number' ? at : undefined;
}

/** From now on every pass only reports. */
export async function markRestored(ledger: Ledger, at: number, id: () => string): Promise<void> {
  for (let done = false; !done; ) {
    const row = await ledger.get(MARKER);
    const body = { kind: 'restored', version: 1, at };
    done = await commit(ledger, { key: MARKER, rev: id(), body }, row?.rev ?? null);
  }
}

/** A person's word that the plan was looked at, and the next pass may carry it out. False when nothing was restored. */
export async function resume(ledger: Ledger): Promise<boolean> {
  for (;;) {
    const row = await ledger.get(MARKER);
    if (!row) return false;
    if (await ledger.remove(MARKER, row.rev)) return true;
  }
}
