import type { Json, JsonObject } from './json.ts';
import type { Path } from './position.ts';
import type { Remark } from './problems.ts';
import { didYouMean } from './suggest.ts';

/** What is known to be wrong in a value already, and so what can still be judged beside it. */
export interface Broken {
  /** Nothing is wrong at a path and below it. */
  whole(...path: Path): boolean;
  /**
   * A map's member; undefined when it has none. `unclear` when that is not a map, or when a key beside it has a remark and may be the
   * absent one misspelt: then nobody knows what the author wrote there.
   */
  member(map: Json | undefined, path: Path, key: string): Json | undefined | typeof unclear;
}

/** Stands for what cannot be known before a problem is corrected. */
export const unclear = Symbol('unclear');

export function brokenBy(remarks: readonly Remark[]): Broken {
  const above = new Set<string>();
  for (const { path } of remarks) {
    for (let end = 1; end <= path.length; end += 1) above.add(text(path.slice(0, end)));
  }
  const whole = (...path: Path): boolean => above.size === 0 || !above.has(text(path));
  return {
    whole,
    member(map, path, key) {
      if (map === undefined) return undefined;
      if (!isObject(map)) return unclear;
      if (Object.hasOwn(map, key)) return map[key];
      const odd = above.size === 0 ? [] : Object.keys(map).filter((each) => !whole(...path, each));
      return odd.some((each) => isSlipOf(each, [key])) ? unclear : undefined;
    },
  };
}

/** Whether a key may be one of the others, misspelt. */
export function isSlipOf(key: string, others: Iterable<string>): boolean {
  return didYouMean(key, others) !== '';
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(path: Path): string {
  return path.join('\u0000');
}
