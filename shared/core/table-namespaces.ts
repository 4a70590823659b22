import { canonicalJson, type JsonObject } from './json.ts';
import type { VendorBlocks } from './manifest-schema.ts';
import { filledBlock, type Naming, type NamingRule, nameDataset } from './naming.ts';
import { compilePattern, filled, matchPattern, type Pattern } from './pattern.ts';

/** Says which tables a block means, each by nothing but what says it. */
export type TablesOf = NonNullable<VendorBlocks['tables']>;

/**
 * OpenLineage namespaces that naming rules put a vendor's table into, with `*` for what they leave open: `hive://*`. From the rule that
 * gives such tables an identity where there is one; else from those that give datasets this very name. Empty: the rules do not know it.
 */
export function namespacesOfTable(
  vendor: string,
  table: JsonObject,
  naming: Naming,
  tablesOf: TablesOf,
): readonly string[] {
  const { namespace } = nameDataset({ vendors: { [vendor]: table } }, naming);
  if (namespace !== undefined) return [namespace];
  const found = naming.rules.flatMap((rule) => {
    const values = valuesBehind(rule, vendor, table, tablesOf);
    return values === undefined ? [] : [namespaceOf(rule, values)];
  });
  return [...new Set(found)];
}

type Values = Readonly<Record<string, string>>;

/** What a rule's placeholders stood for if it gave a dataset this name; undefined when it cannot have. */
function valuesBehind(rule: NamingRule, vendor: string, table: JsonObject, tablesOf: TablesOf): Values | undefined {
  const template = rule.vendors[vendor]?.dataset;
  if (template === undefined) return undefined;
  const values: Record<string, string> = {};
  for (const [key, written] of Object.entries(template)) {
    const given = table[key];
    if (typeof written !== 'string' || typeof given !== 'string') continue;
    const pattern = patternOf(written);
    const found = pattern && matchPattern(pattern, given);
    if (found === undefined) return undefined;
    for (const [name, value] of Object.entries(found)) {
      if ((values[name] ?? value) !== value) return undefined;
      values[name] = value;
    }
  }
  const wanted = canonicalJson(table);
  return tablesOf(filledBlock(template, values)).some((each) => canonicalJson(each) === wanted) ? values : undefined;
}

const compiled = new Map<string, Pattern | undefined>();
const MOST_COMPILED = 10_000;

/** Undefined where a name does not tell what was filled in: placeholders side by side, or one used twice. */
function patternOf(template: string): Pattern | undefined {
  if (!compiled.has(template)) {
    if (compiled.size >= MOST_COMPILED) compiled.clear();
    const pattern = template.includes('*') ? { error: '' } : compilePattern(template);
    compiled.set(template, 'error' in pattern ? undefined : pattern);
  }
  return compiled.get(template);
}

function namespaceOf({ namespace, dataset }: NamingRule, values: Values): string {
  if (namespace === undefined && dataset !== undefined)
    return filled(dataset.namespace, values).replace(/\{[^{}]*\}/g, '*');
  const pieces = namespace?.pieces ?? [{ any: true } as const];
  return pieces
    .map((piece) => ('literal' in piece ? piece.literal : 'name' in piece ? (values[piece.name] ?? '*') : '*'))
    .join('');
}
