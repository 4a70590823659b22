import * as z from 'zod';
import type { Json, ModeBoard } from './product.ts';

/** One switch: what may be set, what holds at the start, and what it decides. */
export interface Switch<Value extends Json> {
  readonly schema: z.ZodType<Value>;
  readonly values: readonly Json[] | string;
  readonly initial: Value;
  readonly about: string;
}

export type Switches = Readonly<Record<string, Switch<Json>>>;
export type Setting<S> = { readonly [K in keyof S]: S[K] extends Switch<infer Value> ? Value : never };

export function choice<const Value extends string | boolean>(
  values: readonly [Value, ...Value[]],
  about: string,
): Switch<Value> {
  return { schema: z.literal(values as readonly [Value, ...Value[]]), values, initial: values[0], about };
}

export function seconds(initial: number, about: string): Switch<number> {
  return { schema: z.number().min(0), values: 'seconds, 0 or more', initial, about };
}

export interface Modes<S> extends ModeBoard {
  /** The value of every switch, now. */
  current(): Setting<S>;
  /** Takes over stored values; those that no longer exist are dropped. */
  restore(stored: Readonly<Record<string, Json>>): void;
  stored(): Readonly<Record<string, Json>>;
}

/** Switches with their current values. `save` is called with all values before a change takes effect. */
export function modeBoard<S extends { readonly [K in keyof S]: Switch<never> | Switch<Json> | Switches[string] }>(
  switches: S,
  save: (values: Readonly<Record<string, Json>>) => void,
): Modes<S> {
  const table = switches as unknown as Switches;
  let values: Record<string, Json> = Object.fromEntries(
    Object.entries(table).map(([name, one]) => [name, one.initial]),
  );

  function merge(wanted: Readonly<Record<string, unknown>>): { values: Record<string, Json>; problems: string[] } {
    const merged = { ...values };
    const problems: string[] = [];
    for (const [name, value] of Object.entries(wanted)) {
      const one = Object.hasOwn(table, name) ? table[name] : undefined;
      if (one === undefined) {
        problems.push(`There is no switch ${name}; there are ${Object.keys(table).join(', ')}.`);
        continue;
      }
      if (value === null) {
        merged[name] = one.initial;
        continue;
      }
      const parsed = one.schema.safeParse(value);
      if (parsed.success) merged[name] = parsed.data;
      else problems.push(`${name} takes ${JSON.stringify(one.values)}, or null for ${JSON.stringify(one.initial)}.`);
    }
    return { values: merged, problems };
  }

  return {
    current: () => values as unknown as Setting<S>,
    describe: () =>
      Object.fromEntries(
        Object.entries(table).map(([name, one]) => [
          name,
          { value: values[name] ?? null, values: one.values, default: one.initial, about: one.about },
        ]),
      ),
    change(wanted) {
      if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) {
        return ['Send an object of switches, e.g. the names that GET /_sandbox/modes shows.'];
      }
      const merged = merge(wanted as Readonly<Record<string, unknown>>);
      if (merged.problems.length > 0) return merged.problems;
      save(merged.values);
      values = merged.values;
      return [];
    },
    restore: (stored) => {
      values = merge(stored).values;
    },
    stored: () => values,
  };
}
