import * as z from 'zod';
import type { Limits } from './product.ts';

/** What `PUT /_sandbox/limits` takes: the whole setting, so `{}` lifts every limit. */
export const limitsSchema = z.strictObject({
  callsPerSecond: z.number().min(0).optional(),
  callsPerDay: z.int().min(0).optional(),
});

const DAY_MS = 86_400_000;

/**
 * Decides which calls are too many: a token bucket that holds one second's worth of calls, and a count per UTC day.
 * Throttled calls count for neither. The counts live in memory only.
 */
export function throttle(): (limits: Limits, now: number) => boolean {
  let perSecond: number | undefined;
  let tokens = 0;
  let filledAt = 0;
  let day = 0;
  let calls = 0;
  return (limits, now) => {
    if (limits.callsPerSecond !== perSecond) {
      perSecond = limits.callsPerSecond;
      tokens = capacity(perSecond);
      filledAt = now;
    }
    if (perSecond !== undefined) {
      tokens = Math.min(capacity(perSecond), tokens + (Math.max(0, now - filledAt) * perSecond) / 1000);
      filledAt = now;
      if (tokens < 1) return true;
    }
    if (Math.floor(now / DAY_MS) !== day) {
      day = Math.floor(now / DAY_MS);
      calls = 0;
    }
    if (limits.callsPerDay !== undefined && calls >= limits.callsPerDay) return true;
    tokens -= 1;
    calls += 1;
    return false;
  };
}

function capacity(perSecond: number | undefined): number {
  return perSecond === undefined || perSecond === 0 ? 0 : Math.max(1, perSecond);
}
