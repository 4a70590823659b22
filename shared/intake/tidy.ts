import { asFailure } from '../core/failure.ts';
import type { Manifests, ObjectHead } from '../manifests/manifests.ts';
import type { Services } from '../wiring.ts';
import { BATCHES, LARGE, NEW, windowAt } from './archive.ts';
import { INBOX } from './inbox.ts';
import { RUNS, rowOfObject } from './stored.ts';

const DAY_MS = 86_400_000;
const AT_ONCE = 100;

/** Older windows have been put together, unless that failed again and again. */
const LEFT_MS = 7_200_000;

/**
 * Removes what has outlived its setting: archived events, events in the inbox that nobody came for, and objects of runs that no row
 * points at any more. Has put together what was left of the archive. Idempotent; goes on tomorrow with what there was no time for.
 */
export async function tidy(services: Services, deadlineMs: number): Promise<void> {
  const { deps, log, settings } = services;
  const { archiveDays, inboxDays } = settings.openlineage;
  const before = (days: number) => new Date(deps.now() - days * DAY_MS).toISOString().slice(0, 10);
  const late = () => deps.now() > deadlineMs;
  let removed = 0;
  for (const [prefix, days] of [
    [NEW, archiveDays],
    [BATCHES, archiveDays],
    [LARGE, archiveDays],
    [INBOX, inboxDays],
  ] as const) {
    for await (const { key } of olderThan(before(days), prefix, deps.manifests)) {
      if (late()) return;
      await deps.manifests.delete(key);
      removed += 1;
    }
  }
  // A day old: nobody is about to point at it.
  for await (const { key } of olderThan(before(1), RUNS, deps.manifests)) {
    if (late()) return;
    const row = rowOfObject(key);
    if (row !== undefined && (await deps.ledger.get(row))?.body['object'] === key) continue;
    await deps.manifests.delete(key);
    removed += 1;
  }
  if (removed > 0) log.info('objects that outlived their time were removed', { removed });
  await resumeWindows(services, late);
}

/** One listing per window that is still there, none of them of all its objects. */
async function resumeWindows({ deps }: Services, late: () => boolean): Promise<void> {
  const settled = windowAt(deps.now() - LEFT_MS);
  for (let after = NEW; !late(); ) {
    const [head] = (await deps.manifests.list(NEW, { limit: 1, after })).items;
    if (head === undefined) return;
    const [day = '', time = ''] = head.key.slice(NEW.length).split('/');
    const window = `${day}/${time}`;
    if (window >= settled) return;
    await deps.queue.send({ kind: 'archive', window });
    // What comes right behind the slash.
    after = `${NEW}${window}0`;
  }
}

/** Keys begin with the day they were written on; days come in order. */
async function* olderThan(day: string, prefix: string, manifests: Manifests): AsyncGenerator<ObjectHead> {
  let after: string | undefined;
  do {
    const page = await manifests.list(prefix, { limit: AT_ONCE, ...(after === undefined ? {} : { after }) });
    for (const head of page.items) {
      if (head.key.slice(prefix.length, prefix.length + 10) >= day) return;
      yield head;
    }
    after = page.next;
  } while (after !== undefined);
}

const done = new WeakMap<Services, string>();

/** Has the worker tidy up, once a day and process. */
export async function tidyDaily(services: Services): Promise<void> {
  const { deps, log } = services;
  const today = new Date(deps.now()).toISOString().slice(0, 10);
  if (done.get(services) === today) return;
  try {
    await deps.queue.send({ kind: 'tidy' });
    done.set(services, today);
  } catch (thrown) {
    log.warn('nothing is tidied up now; the next pass tries again', { reason: asFailure(thrown).message });
  }
}
