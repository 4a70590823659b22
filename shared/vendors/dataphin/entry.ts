import type { Entry } from '../../core/edge.ts';
import type { JsonObject } from '../../core/json.ts';
import { mergedOver } from '../../core/merge.ts';
import { ruleOptions } from '../../core/rule-options.ts';
import { entryBlock } from './blocks.ts';

const NONE: { readonly options: JsonObject } = { options: {} };

/** An entry's Dataphin options, or the reason why they cannot be used. */
export function readEntry(entry: Entry): { readonly options: JsonObject; readonly problem?: string } {
  const given = mergedOver(ruleOptions(entry.to, 'dataphin'), entry.options['dataphin']);
  if (Object.keys(given).length === 0) return NONE;
  const parsed = entryBlock.safeParse(given);
  if (parsed.success) return { options: parsed.data as JsonObject };
  const problem = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  return { options: {}, problem: `the dataphin options cannot be used: ${problem}` };
}
