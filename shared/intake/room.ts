import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure } from '../core/failure.ts';
import type { Services } from '../wiring.ts';

/** Clients wait two seconds at the least (Dagster's emitter); the answer has to be on its way before. */
const WITHIN_MS = 1_500;
const MAX_AT_ONCE = 1_000;

interface Load {
  requests: number;
  bytes: number;
}

const loads = new WeakMap<Services, Load>();

/** Some clients never try again (Go's, Dagster's): while they wait, we do. */
const AGAIN_WITHIN_MS = 1_000;
const FIRST_PAUSE_MS = 50;

/** What is inflated is there as bytes, as text and as what was read from it: twice, in the middle of it. */
const TIMES_INFLATED = 2;
/** The largest goes alone of its kind, and small ones still find room beside it: else it would never find its own. */
const MOST_OF_ALL = 0.75;

/** Room that a request has in this process, until all who share it have released it. */
export interface Held {
  /** Takes room for what its bytes inflate to, instead of that for them; false, and nothing changes, when there is none. */
  inflate(bytes: number): boolean;
  /** One more who has to release it. */
  share(): void;
  release(): void;
}

/** Takes room for a request and its bytes; undefined when there is none. One alone may be larger. */
export function hold(bytes: number, services: Services): Held | undefined {
  const limit = services.settings.admission.bytes;
  const load = loads.get(services) ?? { requests: 0, bytes: 0 };
  loads.set(services, load);
  if (load.requests >= MAX_AT_ONCE || (load.requests > 0 && load.bytes + bytes > limit)) return undefined;
  load.requests += 1;
  load.bytes += bytes;
  let own = bytes;
  let users = 1;
  return {
    inflate(inflated) {
      const wanted = Math.min(TIMES_INFLATED * inflated, MOST_OF_ALL * limit);
      if (wanted > own && load.requests > 1 && load.bytes - own + wanted > limit) return false;
      load.bytes += wanted - own;
      own = wanted;
      return true;
    },
    share() {
      users += 1;
    },
    release() {
      users -= 1;
      if (users > 0) return;
      load.requests -= 1;
      load.bytes -= own;
    },
  };
}

/** Runs `work` in room of its own, see `inTime`. False, too, when there was none. */
export async function withRoom(bytes: number, services: Services, work: () => Promise<void>): Promise<boolean> {
  const held = hold(bytes, services);
  if (held === undefined) return false;
  try {
    return await inTime(held, services, work);
  } finally {
    held.release();
  }
}

/**
 * Runs `work`, again while that may help, and waits for it no longer than a client would. False when it took too long: then it may still
 * happen, in the same room, and the client sends again what changes nothing the second time.
 */
export async function inTime(held: Held, services: Services, work: () => Promise<void>): Promise<boolean> {
  held.share();
  const running = persistent(work, services).finally(() => held.release());
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, WITHIN_MS, false);
  });
  try {
    return await Promise.race([running.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    // What fails after the client was told to come again has nobody left to tell.
    running.catch(() => {});
  }
}

async function persistent(work: () => Promise<void>, { deps }: Services): Promise<void> {
  const started = deps.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await work();
    } catch (thrown) {
      if (!asFailure(thrown).retryable || deps.now() + pauseMs - started > AGAIN_WITHIN_MS) throw thrown;
    }
    await sleep(pauseMs);
  }
}
