import { MAX_ENTRIES, MAX_PAIRS, MAX_SIDE } from '../../core/manifest-schema.ts';

/** What a manifest has room for: edges, and entries, each of one target and up to `MAX_SIDE` of its sources. */
export interface EdgeLimits {
  readonly edges: number;
  readonly entries: number;
}

export const EDGE_LIMITS: EdgeLimits = { edges: MAX_PAIRS, entries: MAX_ENTRIES };

/** Room that edges take one after the other. Which of very many are kept depends on their order alone, see `inOrder`. */
export interface EdgeRoom {
  /** Whether an edge to this target still fits. */
  fits(target: string): boolean;
  /** Takes room for one more; false when it does not fit. */
  take(target: string): boolean;
  /** No edge fits any more, whatever its target. */
  full(): boolean;
}

export function edgeRoom({ edges, entries }: EdgeLimits): EdgeRoom {
  const sources = new Map<string, number>();
  let edgesLeft = edges;
  let entriesLeft = entries;
  const opens = (target: string) => (sources.get(target) ?? 0) % MAX_SIDE === 0;
  const fits = (target: string) => edgesLeft > 0 && (entriesLeft > 0 || !opens(target));
  return {
    fits,
    take(target) {
      if (!fits(target)) return false;
      if (opens(target)) entriesLeft -= 1;
      edgesLeft -= 1;
      sources.set(target, (sources.get(target) ?? 0) + 1);
      return true;
    },
    full: () => edgesLeft === 0,
  };
}

/** Ids, each once, in the order in which edges take room: that of the JSON texts of the pairs. */
export function inOrder(ids: Iterable<string>): readonly string[] {
  return [...new Set(ids)]
    .map((id) => ({ id, text: JSON.stringify(id) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ id }) => id);
}
