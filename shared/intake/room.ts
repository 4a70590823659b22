import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure } from '../core/failure.ts';
import type { Services } from '../wiring.ts';

/** Clients wait two seconds at the least (Dagster's emitter); the answer has to be on its way before. */
const WITHIN_MS = 1_500;
const MAX_AT_ONCE = 1_000;
const MAX_BYTES = 64 * 1024 * 1024;

interface Load {
  requests: number;
  bytes: number;
}

const loads = new WeakMap<Services, Load>();

/** Some clients never try again (Go's, Dagster's): while they wait, we do. */
const AGAIN_WITHIN_MS = 1_000;
const FIRST_PAUSE_MS = 50;

/**
 * Runs `work` if there is room for it, again while that may help, and waits for it no longer than a client would. False when there was
 * no room, or it took too long: then it may still happen, and the client sends again what changes nothing the second time.
 */
export async function withRoom(bytes: number, services: Services, work: () => Promise<void>): Promise<boolean> {
  const load = loads.get(services) ?? { requests: 0, bytes: 0 };
  loads.set(services, load);
  if (load.requests >= MAX_AT_ONCE || (load.requests > 0 && load.bytes + bytes > MAX_BYTES)) return false;
  load.requests += 1;
  load.bytes += bytes;
  const running = persistent(work, services).finally(() => {
    load.requests -= 1;
    load.bytes -= bytes;
  });
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
