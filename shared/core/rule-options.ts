import type { Dataset } from './dataset.ts';
import { canonicalJson, type Json, type JsonObject } from './json.ts';

const NONE: JsonObject = {};

/** Entry options of a vendor that the naming rules of these datasets set and do not contradict each other in. */
export function ruleOptions(datasets: readonly Dataset[], vendor: string): JsonObject {
  if (!datasets.some((dataset) => dataset.entryOptions?.[vendor] !== undefined)) return NONE;
  const agreed: Record<string, Json> = {};
  const disputed = new Set<string>();
  for (const dataset of datasets) {
    for (const [key, value] of Object.entries(dataset.entryOptions?.[vendor] ?? {})) {
      const known = agreed[key];
      if (known === undefined) agreed[key] = value;
      else if (canonicalJson(known) !== canonicalJson(value)) disputed.add(key);
    }
  }
  return Object.fromEntries(Object.entries(agreed).filter(([key]) => !disputed.has(key)));
}
