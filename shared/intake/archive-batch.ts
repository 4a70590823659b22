import type { Services } from '../wiring.ts';
import { finishSlice, type SliceLimits, slicesOf } from './archive-slice.ts';
import { type Slice, type Turn, takeTurn } from './archive-window.ts';

export interface RunLimits extends SliceLimits {
  /** Slices in one run, each of them one batch. */
  readonly slices: number;
  /** How long new slices are begun, in milliseconds. */
  readonly runMs: number;
}

/** A run is one message among others: it ends soon, and what is left goes behind those that wait. */
const LIMITS: RunLimits = { objects: 500, bytes: 1_000_000, slices: 20, runMs: 10_000 };
/** For the last write and message. */
const STOP_BEFORE_MS = 5_000;
/** After another run's time, at least. */
const AGAIN_MS = 1_000;

/**
 * Puts what was archived within a window together into a few batches, a slice at a time. How far it has come stands in the ledger: a run
 * that ends, or dies, is gone on with, and every object ends in exactly one batch. That holds however often the message is delivered; only a
 * run that still writes after the end of its time may leave lines twice, which changes nothing for who reads them.
 */
export async function putTogether(
  window: string,
  services: Services,
  deadlineMs: number,
  limits: RunLimits = LIMITS,
): Promise<void> {
  const { deps } = services;
  const turn = await takeTurn(window, services, deadlineMs);
  if (turn === undefined) return;
  if ('busyUntil' in turn) {
    const delayMs = Math.max(0, turn.busyUntil - deps.now()) + AGAIN_MS;
    return deps.queue.send({ kind: 'archive', window }, { delayMs });
  }
  let ended: Ended;
  try {
    ended = await run(turn, services, deadlineMs - STOP_BEFORE_MS, limits);
  } catch (thrown) {
    // The message comes again; it finds the window free.
    await turn.end(false).catch(() => {});
    throw thrown;
  }
  if (ended === 'lost') return;
  await turn.end(ended === 'all');
  // After the turn has ended: the next run would find the window taken.
  if (ended === 'more') await deps.queue.send({ kind: 'archive', window });
}

type Ended = 'all' | 'more' | 'lost';

async function run(turn: Turn, services: Services, endMs: number, limits: RunLimits): Promise<Ended> {
  const { deps, log } = services;
  const beginUntil = Math.min(endMs, deps.now() + limits.runMs);
  let listing: AsyncGenerator<Slice> | undefined;
  let slice = turn.state().slice;
  let found = slice !== undefined;
  let batches = 0;
  try {
    for (;;) {
      if (slice === undefined) {
        const { after, most = limits.objects } = turn.state();
        listing ??= slicesOf(
          turn.prefix,
          after,
          { ...limits, objects: Math.min(most, limits.objects) },
          deps.manifests,
        );
        const next = await listing.next();
        if (next.done === true) return 'all';
        if (batches >= limits.slices || deps.now() >= beginUntil) return 'more';
        slice = next.value;
        if (!(await turn.save({ ...turn.state(), slice }))) return 'lost';
      }
      const finished = await finishSlice(slice, found, turn, services, () => deps.now() >= endMs);
      if (finished === 'lost') return 'lost';
      if (finished === 'late') return (await putOff(turn, services)) ? 'more' : 'lost';
      batches += 1;
      const { slice: _done, ...state } = turn.state();
      turn.note({ ...state, after: slice.through });
      slice = undefined;
      found = false;
    }
  } finally {
    if (batches > 0) log.info('archived events were put together', { window: turn.window, batches });
  }
}

/**
 * The slice was too much for the time: the next ones are smaller. An object that is too much by itself is left where it is, so that it does
 * not keep the others waiting. If only some objects are still to be removed, that goes on as it is.
 */
async function putOff(turn: Turn, { log }: Services): Promise<boolean> {
  const { slice, ...state } = turn.state();
  if (slice === undefined || slice.stored) return true;
  const most = Math.max(1, Math.floor(slice.names.length / 2));
  if (slice.names.length > 1) return turn.save({ ...state, most });
  log.error('an archived object could not be put together with others in time; it stays where it is', {
    object: `${turn.prefix}${slice.through}`,
  });
  return turn.save({ ...state, most, after: slice.through });
}
