import type * as z from 'zod';
import type { Json, JsonObject } from './json.ts';
import { append } from './large-lists.ts';
import {
  ALIAS,
  type Blocks,
  isNameText,
  MAX_ENTRIES,
  MAX_PAIRS,
  tooManyEntries,
  tooManyPairs,
} from './manifest-schema.ts';
import { MAX_PROBLEMS, type Remark, schemaRemarks } from './problems.ts';

const CHUNK = 100;

/**
 * What the schema finds wrong in a manifest. It is asked about a hundred aliases or entries at a time, and no further once
 * there are more problems than anybody is shown: a document that is wrong all over would otherwise cost gigabytes of them.
 */
export function shapeRemarks(schema: z.ZodType, value: Json, blocks: Blocks): readonly Remark[] {
  if (!isObject(value)) return schemaRemarks(schema, value);
  const { datasets, lineage } = value;
  const aliases = isObject(datasets) ? Object.entries(datasets) : [];
  const entries = Array.isArray(lineage) ? (lineage as readonly Json[]) : [];
  const plain = plainParts(blocks);
  const remarks: Remark[] = [
    ...schemaRemarks(schema, {
      ...value,
      ...(isObject(datasets) ? { datasets: {} } : {}),
      ...(Array.isArray(lineage) ? { lineage: [] } : {}),
    }),
  ];
  if (entries.length > MAX_ENTRIES) remarks.push({ path: ['lineage'], message: tooManyEntries(entries.length) });
  for (let at = 0; at < aliases.length && remarks.length <= MAX_PROBLEMS; at += CHUNK) {
    const slice = aliases.slice(at, at + CHUNK);
    if (slice.every(([alias, dataset]) => plain.dataset(alias, dataset))) continue;
    const datasets = Object.fromEntries(slice);
    append(remarks, schemaRemarks(schema, { version: 1, datasets, lineage: [] }));
    // Of a key that does not fit the schema looks at no value.
    for (const [alias, dataset] of slice) if (!ALIAS.test(alias)) append(remarks, misnamed(schema, alias, dataset));
  }
  for (let at = 0; at < entries.length && remarks.length <= MAX_PROBLEMS; at += CHUNK) {
    const slice = entries.slice(at, at + CHUNK);
    if (slice.every(plain.entry)) continue;
    const chunk = slice.map((entry, index) => {
      const pairs = targetColumns(entry);
      if (pairs <= MAX_PAIRS) return entry;
      remarks.push({ path: ['lineage', at + index, 'columns'], message: tooManyPairs('column', pairs) });
      return { ...(entry as JsonObject), columns: {} };
    });
    for (const { path, message } of schemaRemarks(schema, { version: 1, lineage: chunk })) {
      const [, index, ...rest] = path;
      remarks.push({ path: ['lineage', at + (index as number), ...rest], message });
    }
  }
  return remarks;
}

/** What is wrong in a dataset, whatever it is called. */
function misnamed(schema: z.ZodType, alias: string, dataset: Json): readonly Remark[] {
  const remarks = schemaRemarks(schema, { version: 1, datasets: { x: dataset }, lineage: [] });
  return remarks.map(({ path: [key = '', , ...rest], message }) => ({ path: [key, alias, ...rest], message }));
}

/**
 * Whether a part certainly fits the schema: an entry that says nothing but names (`from`, `to` and the short form of `columns`), a
 * dataset with its identity and vendors' blocks. Most do, and asking the schema costs several times as much. No answer says that
 * something is wrong.
 */
export function plainParts(blocks: Blocks): {
  entry(entry: Json): boolean;
  dataset(alias: string, dataset: Json): boolean;
} {
  const areSources = (value: Json | undefined): boolean =>
    Array.isArray(value) ? value.length > 0 && value.every(isNameText) : isNameText(value);
  const isDataset = (alias: string, dataset: Json): boolean => {
    if (!ALIAS.test(alias) || !isObject(dataset)) return false;
    return Object.keys(dataset).every((key) => {
      const value = dataset[key];
      if (key === 'namespace' || key === 'name') return isNameText(value);
      return Object.hasOwn(blocks, key) && blocks[key]?.dataset.safeParse(value).success === true;
    });
  };
  const isEntry = (entry: Json): boolean => {
    if (!isObject(entry) || !isNameText(entry['from']) || !isNameText(entry['to'])) return false;
    let pairs = 0;
    for (const key in entry) {
      if (key === 'from' || key === 'to') continue;
      const columns = entry[key];
      if (key !== 'columns' || !isObject(columns)) return false;
      for (const column in columns) {
        const sources = columns[column];
        if (!isNameText(column) || !areSources(sources)) return false;
        pairs += Array.isArray(sources) ? sources.length : 1;
      }
    }
    return pairs <= MAX_PAIRS;
  };
  return { entry: isEntry, dataset: isDataset };
}

function targetColumns(entry: Json): number {
  const columns = isObject(entry) ? entry['columns'] : undefined;
  return isObject(columns) ? Object.keys(columns).length : 0;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
