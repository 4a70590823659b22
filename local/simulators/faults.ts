import * as z from 'zod';

/** Faults that are an answer of the vendor; the others break the exchange itself. */
export type AnsweringFault =
  | 'throttle'
  | 'unavailable'
  | 'internal'
  | 'denied'
  | 'not-found'
  | 'invalid'
  | 'success-false';

/**
 * What `POST /_sandbox/faults` takes. They hit authenticated calls, first come first served, `times` calls each.
 *
 * - `throttle unavailable internal denied not-found invalid success-false`: the vendor's own answer, nothing applied
 * - `reset`: the connection is reset, nothing applied; `hang`: no answer ever, nothing applied
 * - `lost-answer`: applied, then the connection dies
 * - `late-apply`: the connection dies at once, applied `delayMs` (default 1000) later while the process lives
 * - `bad-json`: applied, answered with HTTP 200 and half of the JSON
 *
 * `delayMs` delays every other answer (or cut) by that much. `operation` confines a fault to one operation.
 */
export const faultSchema = z.strictObject({
  kind: z.enum([
    'throttle',
    'unavailable',
    'internal',
    'denied',
    'not-found',
    'invalid',
    'reset',
    'hang',
    'lost-answer',
    'late-apply',
    'success-false',
    'bad-json',
  ]),
  operation: z.string().optional(),
  times: z.int().min(1).max(1_000_000).default(1),
  delayMs: z.int().min(0).max(3_600_000).optional(),
});

export type Fault = z.output<typeof faultSchema>;

export interface FaultQueue {
  add(fault: Fault): void;
  /** The fault that hits this call, if any; `aside` calls are hit only by name. */
  take(operation: string, aside: boolean): Fault | undefined;
  pending(): readonly Fault[];
  clear(): void;
}

export function faultQueue(): FaultQueue {
  let queue: Fault[] = [];
  return {
    add: (fault) => void queue.push(fault),
    take(operation, aside) {
      const index = queue.findIndex(
        (fault) => fault.operation === operation || (!aside && fault.operation === undefined),
      );
      const hit = queue[index];
      if (hit === undefined) return undefined;
      if (hit.times > 1) queue[index] = { ...hit, times: hit.times - 1 };
      else queue.splice(index, 1);
      return hit;
    },
    pending: () => [...queue],
    clear: () => {
      queue = [];
    },
  };
}
