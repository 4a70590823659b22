import type { Json } from '../../core/json.ts';
import { compare } from './derive.ts';
import { isObject, type LineageEvent } from './event.ts';
import { type DatasetId, datasetOf, idOf } from './facts.ts';

/** A dataset was dropped or renamed. Concerns what was said up to then, and nothing after. */
export interface Change {
  readonly at: string;
  /** New identity, if renamed. */
  readonly to?: string;
  /** When it was first heard of, epoch ms. */
  readonly seenMs?: number;
  /** A drop that does not count yet: the table may be made again at once. */
  readonly early?: boolean;
}

/** What became of one dataset name, oldest first; one change per moment. */
export interface Life {
  readonly id: string;
  readonly changes: readonly Change[];
  /** Changes before these have been forgotten. */
  readonly cut?: boolean;
}

/** DROP and RENAME of an event's datasets (LifecycleStateChangeDatasetFacet 1-0-1), each as a life of its own; the other changes move no edge. */
export function lifeChanges(event: LineageEvent, seenMs?: number): readonly Life[] {
  const { inputs, outputs, dataset } = event.raw;
  const holders = event.kind === 'dataset' ? [dataset] : [...listOf(outputs), ...listOf(inputs)];
  const found: Life[] = [];
  const add = (id: string, to?: string) => {
    const change: Change = {
      at: event.time,
      ...(to === undefined ? {} : { to }),
      ...(seenMs === undefined ? {} : { seenMs }),
    };
    found.push({ id, changes: [change] });
  };
  for (const holder of holders) {
    if (!isObject(holder) || !isObject(holder['facets'])) continue;
    const facet = holder['facets']['lifecycleStateChange'];
    if (!isObject(facet) || typeof holder['namespace'] !== 'string' || typeof holder['name'] !== 'string') continue;
    const id = idOf({ namespace: holder['namespace'], name: holder['name'] });
    const change = String(facet['lifecycleStateChange']).toUpperCase();
    const previous = facet['previousIdentifier'];
    if (change === 'DROP') add(id);
    if (change !== 'RENAME' || !isObject(previous)) continue;
    if (typeof previous['namespace'] !== 'string' || typeof previous['name'] !== 'string') continue;
    const before = idOf({ namespace: previous['namespace'], name: previous['name'] });
    if (before !== id) add(before, id);
  }
  return found;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** A name that is used for a moment by every run of some job changes twice a run; a job declares its last few runs. */
export const MAX_CHANGES = 50;

/** Everything both say, of very many changes the latest. Commutative, associative and idempotent. */
export function mergeLives(left: Life, right: Life): Life {
  const moments = new Map<string, Change>();
  for (const change of [...left.changes, ...right.changes]) {
    const known = moments.get(change.at);
    moments.set(change.at, known ? first(known, change) : change);
  }
  const changes = [...moments.values()].sort((a, b) => compare(a.at, b.at));
  const cut = left.cut === true || right.cut === true || changes.length > MAX_CHANGES;
  return { id: left.id, changes: changes.slice(-MAX_CHANGES), ...(cut ? { cut } : {}) };
}

/** Of two changes at the same moment a rename, then the smaller name; of the same change the one that was heard of first. */
function first(left: Change, right: Change): Change {
  const order = compare(left.to ?? '\uffff', right.to ?? '\uffff');
  const [one = 0, other = 0] = [left.seenMs, right.seenMs];
  return order < 0 || (order === 0 && one <= other) ? left : right;
}

export interface Path {
  /** Every name that it went by, its own first. */
  readonly names: readonly string[];
  /** What it is called now; undefined when it was dropped. */
  readonly now: DatasetId | undefined;
}

/** What a dataset that was named at `at` is called now. Ends: each further change is later than the one before. */
export function follow(dataset: DatasetId, at: string, lives: ReadonlyMap<string, Life>): Path {
  let id = idOf(dataset);
  const names = [id];
  let next = changeFrom(lives.get(id), (time) => compare(time, at) >= 0);
  while (next && !next.early) {
    if (next.to === undefined) return { names, now: undefined };
    const since = next.at;
    id = next.to;
    names.push(id);
    // Later, not at once: whoever swaps two tables gives one of them the name that the other gives up at that moment.
    next = changeFrom(lives.get(id), (time) => compare(time, since) > 0);
  }
  return { names, now: datasetOf(id) };
}

/** The first change that is late enough. Where earlier ones were forgotten, a rename may be among them: nothing is withdrawn for want of it. */
function changeFrom(life: Life | undefined, late: (at: string) => boolean): Change | undefined {
  const [earliest] = life?.changes ?? [];
  if (life?.cut && earliest && late(earliest.at)) return life.changes.find(({ to }) => to !== undefined) ?? earliest;
  return life?.changes.find((change) => late(change.at));
}
