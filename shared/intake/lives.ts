import type { ConvergeDeps } from '../converge/deps.ts';
import { digest } from '../core/digest.ts';
import type { LineageEvent, Subject } from '../formats/openlineage/event.ts';
import { type Change, type Life, lifeChanges, mergeLives } from '../formats/openlineage/life.ts';
import type { Services } from '../wiring.ts';
import { loadStored, mergeStored } from './stored.ts';
import { datasetIndex, decodeSubject, GATHER_MS, MANY } from './subject.ts';

const lifeKey = (id: string): string => `ol/life/${digest(id)}`;

/** Rows of before 2026-11-21 hold the last change alone. */
type StoredLife = Life | (Change & { readonly id: string });
const FORM = { kind: 'ol-life', version: 2 } as const;

function lifeIn(stored: StoredLife): Life {
  if ('changes' in stored) return stored;
  const { id, ...change } = stored;
  return { id, changes: [change] };
}

/** Remembers drops and renames, then has everything published that goes by these names. */
export async function liveAndDie(event: LineageEvent, services: Services): Promise<void> {
  const { deps } = services;
  for (const life of lifeChanges(event, deps.now())) {
    const merge = (known: StoredLife, next: StoredLife) => mergeLives(lifeIn(known), lifeIn(next));
    await mergeStored<StoredLife>(lifeKey(life.id), life, merge, () => undefined, deps, FORM);
    // A dropped table is often made again at once; only what stays dropped for the grace time is withdrawn.
    const dropped = life.changes.some(({ to }) => to === undefined);
    const delayMs = GATHER_MS + (dropped ? deps.settings.graceMs : 0);
    for (const subject of await subjectsNaming(life.id, deps))
      await deps.queue.send({ kind: 'publish', subject }, { delayMs });
  }
}

async function subjectsNaming(id: string, deps: ConvergeDeps): Promise<readonly Subject[]> {
  const found = new Map<string, Subject>();
  for (const index of [datasetIndex(digest(id)), datasetIndex(MANY)]) {
    let after: string | undefined;
    do {
      const page = await deps.ledger.find(index, after === undefined ? {} : { after });
      for (const row of (await deps.ledger.getMany(page.items)).values())
        found.set(row.key, decodeSubject(row).subject);
      after = page.next;
    } while (after !== undefined);
  }
  return [...found.values()];
}

/** What became of these datasets, of those that anything became of. A drop counts once the grace time is over, the last of them in `waitMs`. */
export async function loadLives(
  ids: readonly string[],
  deps: ConvergeDeps,
): Promise<{ readonly lives: readonly Life[]; readonly waitMs: number }> {
  const now = deps.now();
  const left = ({ to, seenMs = 0 }: Change) => (to === undefined ? seenMs + deps.settings.graceMs - now : 0);
  let waitMs = 0;
  const lives: Life[] = [];
  for (const stored of (await loadStored<StoredLife>(ids.map(lifeKey), deps)).values()) {
    const life = lifeIn(stored);
    const changes = life.changes.map((change) => {
      waitMs = Math.max(waitMs, left(change));
      return left(change) > 0 ? { ...change, early: true } : change;
    });
    lives.push({ ...life, changes });
  }
  return { lives, waitMs };
}
