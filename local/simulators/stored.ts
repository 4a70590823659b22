import type * as z from 'zod';
import type { Json, Replaceable } from './product.ts';

/** A setting that `PUT /_sandbox/…` replaces as a whole and that survives restarts. */
export interface Stored<Value> extends Replaceable {
  current(): Value;
  /** Takes over a value that was stored before. */
  restore(value: Value): void;
}

/** `save` is called with the new value before it takes effect. */
export function stored<Value>(schema: z.ZodType<Value>, initial: Value, save: (value: Value) => void): Stored<Value> {
  let value = initial;
  return {
    current: () => value,
    restore: (earlier) => {
      value = earlier;
    },
    read: () => value as Json,
    replace(wanted) {
      const parsed = schema.safeParse(wanted);
      if (!parsed.success) {
        return parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
      }
      save(parsed.data);
      value = parsed.data;
      return [];
    },
  };
}
