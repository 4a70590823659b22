import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * Runs `work` if there is room for it, and waits for it no longer than a client would. False when there was no room, or it took too
 * long: then it may still happen, and the client sends again what changes nothing the second time.
 */
export async function withRoom(bytes: number, services: Services, work: () => Promise<void>): Promise<boolean> {
  const load = loads.get(services) ?? { requests: 0, bytes: 0 };
  loads.set(services, load);
  if (load.requests >= MAX_AT_ONCE || (load.requests > 0 && load.bytes + bytes > MAX_BYTES)) return false;
  load.requests += 1;
  load.bytes += bytes;
  const running = work().finally(() => {
    load.requests -= 1;
    load.bytes -= bytes;
  });
  const timer = new AbortController();
  const late = sleep(WITHIN_MS, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([running.then(() => true), late]);
  } finally {
    timer.abort();
    // What fails after the client was told to come again has nobody left to tell.
    running.catch(() => {});
  }
}
