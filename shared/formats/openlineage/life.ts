import type { Json } from '../../core/json.ts';
import { compare } from './derive.ts';
import { isObject, type LineageEvent } from './event.ts';
import { type DatasetId, datasetOf, idOf } from './facts.ts';

/** The last time a dataset was dropped or renamed; concerns what was said up to then, and nothing after. */
export interface Life {
  readonly id: string;
  readonly at: string;
  /** New identity, if renamed. */
  readonly to?: string;
}

/** DROP and RENAME of an event's datasets (LifecycleStateChangeDatasetFacet 1-0-1); the other changes move no edge. */
export function lifeChanges(event: LineageEvent): readonly Life[] {
  const { inputs, outputs, dataset } = event.raw;
  const holders = event.kind === 'dataset' ? [dataset] : [...listOf(outputs), ...listOf(inputs)];
  const found: Life[] = [];
  for (const holder of holders) {
    if (!isObject(holder) || !isObject(holder['facets'])) continue;
    const facet = holder['facets']['lifecycleStateChange'];
    if (!isObject(facet) || typeof holder['namespace'] !== 'string' || typeof holder['name'] !== 'string') continue;
    const id = idOf({ namespace: holder['namespace'], name: holder['name'] });
    const change = String(facet['lifecycleStateChange']).toUpperCase();
    const previous = facet['previousIdentifier'];
    if (change === 'DROP') found.push({ id, at: event.time });
    if (change !== 'RENAME' || !isObject(previous)) continue;
    if (typeof previous['namespace'] !== 'string' || typeof previous['name'] !== 'string') continue;
    const before = idOf({ namespace: previous['namespace'], name: previous['name'] });
    if (before !== id) found.push({ id: before, at: event.time, to: id });
  }
  return found;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** Of two changes of one dataset the later; at the same moment a rename, then the smaller name. */
export function laterLife(left: Life, right: Life): Life {
  const order = compare(left.at, right.at) || compare(right.to ?? '\uffff', left.to ?? '\uffff');
  return order >= 0 ? left : right;
}

const MAX_RENAMES = 20;

/** What a dataset that was named at `at` is called now; undefined when it was dropped since. */
export function nameNow(dataset: DatasetId, at: string, life: ReadonlyMap<string, Life>): DatasetId | undefined {
  let id = idOf(dataset);
  let since = at;
  for (let hops = 0; hops < MAX_RENAMES; hops += 1) {
    const change = life.get(id);
    if (change === undefined || compare(change.at, since) < 0) return datasetOf(id);
    if (change.to === undefined) return undefined;
    id = change.to;
    since = change.at;
  }
  return datasetOf(id);
}
