import type { Dataset } from './dataset.ts';
import { parseDocument } from './document.ts';
import type { Problem } from './edge.ts';
import type { Json, JsonObject } from './json.ts';
import type { Blocks } from './manifest-schema.ts';
import { namingSchema } from './naming-schema.ts';
import { compilePattern, filled, matchPattern, type Pattern, placeholdersIn, placeholdersOf } from './pattern.ts';
import type { Path } from './position.ts';
import { problemsOf, type Remark, schemaRemarks } from './problems.ts';
import { didYouMean } from './suggest.ts';

export { namingSchema } from './naming-schema.ts';

/** A compiled rule; plain data, so that it can be handed to another thread. */
export interface NamingRule {
  readonly namespace?: Pattern;
  readonly name?: Pattern;
  /** Vendor → key of its dataset block → pattern. */
  readonly blocks: Readonly<Record<string, Readonly<Record<string, Pattern>>>>;
  /** Placeholders that the outputs use; a dataset that has no value for one of them does not match. */
  readonly needs: readonly string[];
  readonly dataset?: { readonly namespace: string; readonly name: string };
  /** Vendor → its templates, dataset keys apart from entry keys. */
  readonly vendors: Readonly<Record<string, { readonly dataset?: JsonObject; readonly entry?: JsonObject }>>;
}

export interface Naming {
  readonly rules: readonly NamingRule[];
}

/** What holds when there is no naming.yaml. */
export const NO_NAMING: Naming = { rules: [] };

/** Reads naming.yaml: the compiled rules, or every problem with path and line. Never throws on any bytes. */
export function parseNaming(bytes: Uint8Array, blocks: Blocks): Naming | { readonly problems: readonly Problem[] } {
  const document = parseDocument(bytes, 'yaml');
  if (document.value === undefined) return { problems: problemsOf(document, []) };
  const remarks: Remark[] = [...schemaRemarks(namingSchema(blocks), document.value)];
  const broken = new Set(remarks.map(({ path }) => path[1]));
  const written = (document.value as { rules?: unknown } | null)?.rules;
  const rules: NamingRule[] = [];
  if (Array.isArray(written)) {
    written.forEach((rule, at) => {
      if (!broken.has(at)) rules.push(compileRule(rule as WrittenRule, ['rules', at], blocks, remarks));
    });
  }
  if (remarks.length > 0 || document.problems.length > 0) return { problems: problemsOf(document, remarks) };
  return { rules };
}

interface WrittenRule {
  readonly match: { readonly namespace?: string; readonly name?: string };
  readonly dataset?: { readonly namespace: string; readonly name: string };
}

function compileRule(rule: WrittenRule, path: Path, blocks: Blocks, remarks: Remark[]): NamingRule {
  const known = new Set<string>();
  const compile = (source: string | undefined, at: Path): Pattern | undefined => {
    if (source === undefined) return undefined;
    const pattern = compilePattern(source);
    if ('error' in pattern) {
      remarks.push({ path: at, message: pattern.error });
      return undefined;
    }
    for (const name of placeholdersOf(pattern)) {
      if (known.has(name)) remarks.push({ path: at, message: `{${name}} is used twice in this match` });
      known.add(name);
    }
    return pattern;
  };
  const { match, dataset, ...outputs } = rule;
  const { namespace: namespaceText, name: nameText, ...vendorMatches } = match;
  const namespace = compile(namespaceText, [...path, 'match', 'namespace']);
  const name = compile(nameText, [...path, 'match', 'name']);
  const blockPatterns: Record<string, Record<string, Pattern>> = {};
  for (const [vendor, keys] of Object.entries(vendorMatches as Record<string, Record<string, string>>)) {
    const patterns: Record<string, Pattern> = {};
    for (const [key, text] of Object.entries(keys)) {
      const pattern = compile(text, [...path, 'match', vendor, key]);
      if (pattern !== undefined) patterns[key] = pattern;
    }
    blockPatterns[vendor] = patterns;
  }
  for (const vendor of Object.keys(blockPatterns))
    for (const key of Object.keys(blocks[vendor]?.dataset.shape ?? {})) known.add(key);
  if (Object.keys(match).length === 0) {
    remarks.push({ path: [...path, 'match'], message: 'is empty; give namespace, name or a vendor block' });
  }
  if (dataset === undefined && Object.keys(outputs).length === 0) {
    remarks.push({ path, message: 'gives nothing; add a vendor block or dataset beside match' });
  }

  const needs = new Set<string>();
  const checkPlaceholders = (value: Json, at: Path): void => {
    if (typeof value === 'string') {
      for (const placeholder of placeholdersIn(value)) {
        needs.add(placeholder);
        if (known.has(placeholder)) continue;
        const list = known.size === 0 ? 'none' : [...known].map((each) => `{${each}}`).join(', ');
        const message = `{${placeholder}} is not in match${didYouMean(placeholder, known)}; there is: ${list}`;
        remarks.push({ path: at, message });
      }
    } else if (Array.isArray(value)) value.forEach((item: Json, index) => void checkPlaceholders(item, [...at, index]));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) checkPlaceholders(item as Json, [...at, key]);
    }
  };
  if (dataset !== undefined) checkPlaceholders(dataset, [...path, 'dataset']);
  const vendors: Record<string, { dataset?: JsonObject; entry?: JsonObject }> = {};
  for (const [vendor, block] of Object.entries(outputs as Record<string, JsonObject>)) {
    checkPlaceholders(block, [...path, vendor]);
    const split = splitBlock(block, blocks[vendor]?.dataset.shape ?? {});
    for (const message of split.dataset === undefined ? [] : (blocks[vendor]?.check?.(split.dataset) ?? [])) {
      remarks.push({ path: [...path, vendor], message });
    }
    vendors[vendor] = split;
  }
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    blocks: blockPatterns,
    needs: [...needs],
    ...(dataset === undefined ? {} : { dataset }),
    vendors,
  };
}

function splitBlock(block: JsonObject, datasetShape: object): { dataset?: JsonObject; entry?: JsonObject } {
  const members = Object.entries(block);
  const dataset = members.filter(([key]) => Object.hasOwn(datasetShape, key));
  const entry = members.filter(([key]) => !Object.hasOwn(datasetShape, key));
  return {
    ...(dataset.length === 0 ? {} : { dataset: Object.fromEntries(dataset) }),
    ...(entry.length === 0 ? {} : { entry: Object.fromEntries(entry) }),
  };
}

/**
 * The dataset with what the rules know of it. First its identity, if it has none, from the first rule that fits and gives
 * `dataset`; then, with that identity, each vendor that the manifest gives no block for, from the first rule that fits and
 * names that vendor, dataset keys and entry keys together. What the manifest says is never changed.
 */
export function nameDataset(dataset: Dataset, naming: Naming): Dataset {
  if (naming.rules.length === 0) return dataset;
  let { namespace, name } = dataset;
  if (namespace === undefined || name === undefined) {
    for (const rule of naming.rules) {
      const values = rule.dataset === undefined ? undefined : ruleMatch(rule, dataset);
      if (rule.dataset === undefined || values === undefined) continue;
      namespace = filled(rule.dataset.namespace, values);
      name = filled(rule.dataset.name, values);
      break;
    }
  }
  const vendors: Record<string, JsonObject> = { ...dataset.vendors };
  const entryOptions: Record<string, JsonObject> = { ...dataset.entryOptions };
  const settled = new Set(Object.keys(dataset.vendors));
  const identified: Dataset = {
    ...dataset,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
  // Its own name first, so that it is called the same wherever it is named; a symlink only where no rule knows that.
  for (const known of [identified, ...(dataset.symlinks ?? []).map((other) => ({ ...identified, ...other }))]) {
    for (const rule of naming.rules) {
      const open = Object.keys(rule.vendors).filter((vendor) => !settled.has(vendor));
      const values = open.length === 0 ? undefined : ruleMatch(rule, known);
      if (values === undefined) continue;
      for (const vendor of open) {
        settled.add(vendor);
        const output = rule.vendors[vendor];
        if (output?.dataset !== undefined) vendors[vendor] = filledBlock(output.dataset, values);
        if (output?.entry !== undefined) entryOptions[vendor] = filledBlock(output.entry, values);
      }
    }
  }
  return { ...identified, vendors, ...(Object.keys(entryOptions).length === 0 ? {} : { entryOptions }) };
}

/** What the placeholders of a rule stand for in a dataset; undefined when the rule does not fit. */
function ruleMatch(rule: NamingRule, dataset: Dataset): Readonly<Record<string, string>> | undefined {
  const values: Record<string, string> = {};
  const texts: (readonly [Pattern | undefined, Json | undefined])[] = [
    [rule.namespace, dataset.namespace],
    [rule.name, dataset.name],
  ];
  for (const [vendor, patterns] of Object.entries(rule.blocks)) {
    const block = dataset.vendors[vendor];
    if (block === undefined) return undefined;
    for (const [key, value] of Object.entries(block)) if (typeof value === 'string') values[key] ??= value;
    for (const [key, pattern] of Object.entries(patterns)) texts.push([pattern, block[key] ?? null]);
  }
  for (const [pattern, text] of texts) {
    if (pattern === undefined) continue;
    const found = typeof text === 'string' ? matchPattern(pattern, text) : undefined;
    if (found === undefined) return undefined;
    Object.assign(values, found);
  }
  return rule.needs.every((name) => Object.hasOwn(values, name)) ? values : undefined;
}

/** A rule's block with its placeholders filled in; those without a value stay as they are. */
export function filledBlock(block: JsonObject, values: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(Object.entries(block).map(([key, value]) => [key, filledValue(value, values)]));
}

function filledValue(value: Json, values: Readonly<Record<string, string>>): Json {
  if (typeof value === 'string') return filled(value, values);
  if (Array.isArray(value)) return value.map((item: Json) => filledValue(item, values));
  return typeof value === 'object' && value !== null ? filledBlock(value as JsonObject, values) : value;
}
