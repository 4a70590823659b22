import { columnOf, listOf, refKey, type Side, type Word } from './columns.ts';
import type { Json, JsonObject } from './json.ts';
import { isObject } from './manifest-broken.ts';
import { type ColumnName, type DatasetRef, isNameText, MAX_PAIRS } from './manifest-schema.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, type Remark } from './problems.ts';

/** What can still be said of an entry in which something is wrong. */
export interface BrokenEntry {
  /** Aliases of both sides, where they stand. */
  readonly aliases: readonly { readonly alias: string; readonly path: Path }[];
  /** Table pairs; 0 unless both sides are in order. */
  readonly tablePairs: number;
  /** Pairs of columns as written, as far as they can be read, without lists that are reported to be too long by themselves. */
  readonly columnPairs: number;
  /** Of columns. None that may be gone when what is broken beside it is corrected. */
  readonly remarks: readonly Remark[];
}

/** One side as far as it can be read; `others` is what stands there besides, and may become anything. */
interface Part extends Side {
  readonly others: readonly Json[];
}

/** Looks at each member of a side and at each column by itself. `at` is the entry's index. */
export function brokenEntry(entry: JsonObject, at: number): BrokenEntry {
  const path = ['lineage', at];
  const [from, to] = [partOf(entry['from']), partOf(entry['to'])];
  const remarks: Remark[] = [];
  const columns = entry['columns'];
  const counts = Object.keys(columns ?? {}).length <= MAX_PAIRS;
  let columnPairs = 0;
  const ask = (name: Json | undefined, side: Part, word: Word, where: Path): void => {
    if (remarks.length > MAX_PROBLEMS || !isColumn(name) || !canBeJudged(name, side)) return;
    const found = columnOf(name, side, word, new Map());
    if (typeof found === 'string') remarks.push({ path: where, message: found });
  };
  const askSources = (sources: Json | undefined, where: Path): void => {
    const many = Array.isArray(sources);
    listOf(sources).forEach((name, place) => {
      if (isColumn(name) && counts && !(many && sources.length > MAX_PAIRS)) columnPairs += 1;
      ask(name, from, 'inputs', many ? [...where, place] : where);
    });
  };
  if (Array.isArray(columns)) {
    (columns as readonly Json[]).forEach((item, index) => {
      if (!isObject(item)) return;
      ask(item['to'], to, 'outputs', [...path, 'columns', index, 'to']);
      askSources(item['from'], [...path, 'columns', index, 'from']);
    });
  } else if (isObject(columns)) {
    for (const key of Object.keys(columns)) {
      ask(key, to, 'outputs', [...path, 'columns', key]);
      askSources(columns[key], [...path, 'columns', key]);
    }
  }
  const sound = from.others.length === 0 && to.others.length === 0;
  return {
    aliases: [...aliasesOf(entry['from'], [...path, 'from']), ...aliasesOf(entry['to'], [...path, 'to'])],
    tablePairs: sound ? from.refs.length * to.refs.length : 0,
    columnPairs,
    remarks,
  };
}

function partOf(value: Json | undefined): Part {
  const refs = new Map<string, DatasetRef>();
  const others: Json[] = [];
  for (const each of listOf(value)) {
    if (isRef(each)) refs.set(refKey(each), refs.get(refKey(each)) ?? each);
    else others.push(each ?? null);
  }
  // An empty side has to be filled with something.
  if (refs.size === 0 && others.length === 0) others.push(null);
  return { refs: [...refs.values()], keys: [...refs.keys()], others };
}

function aliasesOf(value: Json | undefined, path: Path): BrokenEntry['aliases'] {
  const many = Array.isArray(value);
  return listOf(value).flatMap((alias, at) =>
    isNameText(alias) ? [{ alias, path: many ? [...path, at] : path }] : [],
  );
}

/** Whether a column is right or wrong on a side whatever becomes of the side's `others`. */
function canBeJudged(name: ColumnName, { others }: Part): boolean {
  if (others.length === 0) return true;
  if (typeof name !== 'string') return typeof name.dataset === 'string' && !mayBecome(name.dataset, others);
  const dot = name.indexOf('.');
  // With others beside it nobody knows which is the only one.
  if (dot === -1) return false;
  const isMisshapen = dot === 0 || dot === name.length - 1;
  return isMisshapen || !mayBecome(name.slice(0, dot), others);
}

/** Whether an alias may be what one of the others is meant to be. A map is no alias, however it is corrected. */
function mayBecome(alias: string, others: readonly Json[]): boolean {
  return others.some((other) => {
    if (typeof other === 'number' || typeof other === 'boolean') return String(other) === alias;
    return !isObject(other);
  });
}

function isRef(value: Json | undefined): value is string | { readonly namespace: string; readonly name: string } {
  return isNameText(value) || (isObject(value) && isNameText(value['namespace']) && isNameText(value['name']));
}

function isColumn(value: Json | undefined): value is Exclude<ColumnName, { dataset: never }> & Json {
  return isNameText(value) || (isObject(value) && isRef(value['dataset']) && isNameText(value['column']));
}
