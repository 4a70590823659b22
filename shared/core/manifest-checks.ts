import { expandEntry, listOf } from './columns.ts';
import type { Json } from './json.ts';
import { append } from './large-lists.ts';
import { type Broken, brokenBy, isObject } from './manifest-broken.ts';
import { brokenEntry } from './manifest-broken-entry.ts';
import { datasetRemarks, defaultsOf } from './manifest-dataset-checks.ts';
import {
  type Blocks,
  type DatasetRef,
  isNameText,
  type LineageEntry,
  MAX_PAIRS,
  type OneOrMore,
  tooManyPairs,
} from './manifest-schema.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, quoted, type Remark } from './problems.ts';
import { didYouMean } from './suggest.ts';

/** `unsaid` counts problems beyond `remarks`; unless `complete`, there may be more than those. */
export interface CrossRemarks {
  readonly remarks: readonly Remark[];
  readonly unsaid: number;
  readonly complete: boolean;
}

/**
 * What the schema cannot see: aliases that do not exist, columns of other datasets, keys that exclude each other, too many
 * pairs. `value` may be broken; of a part in which `found` has a remark already everything is said that is wrong in any case, and
 * nothing that may only follow from it.
 */
export function crossRemarks(value: Json, found: readonly Remark[], blocks: Blocks): CrossRemarks {
  if (!isObject(value)) return { remarks: [], unsaid: 0, complete: true };
  const broken = brokenBy(found);
  const remarks: Remark[] = [];
  const datasets = broken.member(value, [], 'datasets');
  // An empty set when nothing is declared; undefined when nobody knows what is.
  const aliases =
    datasets === undefined ? new Set<string>() : isObject(datasets) ? new Set(Object.keys(datasets)) : undefined;
  if (isObject(datasets)) {
    const defaults = defaultsOf(value, broken);
    for (const alias of Object.keys(datasets))
      append(remarks, datasetRemarks(alias, datasets[alias], defaults, blocks, broken));
  }
  if (!Array.isArray(value['lineage'])) return { remarks, unsaid: 0, complete: true };
  const lineage = value['lineage'] as unknown as readonly LineageEntry[];
  const entries = lineageRemarks(lineage, aliases, broken);
  append(remarks, entries.remarks);
  return { ...entries, remarks };
}

type Aliases = ReadonlySet<string> | undefined;

function lineageRemarks(lineage: readonly LineageEntry[], aliases: Aliases, broken: Broken): CrossRemarks {
  const remarks: Remark[] = [];
  let tablePairs = 0;
  let columnPairs = 0;
  let unsaid = 0;
  let complete = true;
  let at = 0;
  for (; at < lineage.length && remarks.length <= MAX_PROBLEMS; at += 1) {
    const entry = lineage[at] as LineageEntry;
    if (broken.whole('lineage', at)) {
      if (!isKnown(entry.from, aliases)) append(remarks, aliasRemarks(entry.from, ['lineage', at, 'from'], aliases));
      if (!isKnown(entry.to, aliases)) append(remarks, aliasRemarks(entry.to, ['lineage', at, 'to'], aliases));
      const { from, to, expansion } = expandEntry(lineage, at);
      tablePairs += from.refs.length * to.refs.length;
      columnPairs += expansion.pairs;
      complete &&= expansion.remarks.length <= MAX_PROBLEMS;
      for (const remark of expansion.remarks) remarks.push(remark);
    } else if (isObject(entry)) {
      const part = brokenEntry(entry, at);
      for (const { alias, path } of part.aliases) {
        if (remarks.length <= MAX_PROBLEMS) append(remarks, aliasRemarks(alias, path, aliases));
        else if (aliases?.has(alias) === false) unsaid += 1;
      }
      complete &&= part.remarks.length <= MAX_PROBLEMS;
      append(remarks, part.remarks);
      tablePairs += part.tablePairs;
      columnPairs += part.columnPairs;
    }
  }
  for (const [kind, count] of [
    ['table', tablePairs],
    ['column', columnPairs],
  ] as const) {
    if (count <= MAX_PAIRS) continue;
    remarks.push({ path: ['lineage'], message: tooManyPairs(kind, count) });
  }
  const rest = uncounted(lineage.slice(at), aliases);
  return { remarks, unsaid: unsaid + rest.unsaid, complete: complete && rest.complete };
}

function isKnown(refs: OneOrMore<DatasetRef>, aliases: Aliases): boolean {
  return aliases === undefined || (typeof refs === 'string' && aliases.has(refs));
}

function aliasRemarks(refs: OneOrMore<DatasetRef>, path: Path, aliases: Aliases): readonly Remark[] {
  if (aliases === undefined) return [];
  return listOf(refs).flatMap((ref, at) => {
    if (typeof ref !== 'string' || aliases.has(ref)) return [];
    // A suggestion looks at every alias: not worth it in a document of thousands that are all wrong.
    const hint = aliases.size <= 1_000 ? didYouMean(ref, aliases) : '';
    const message = `no dataset has the alias ${quoted(ref)}${hint}; add it under datasets, or write { namespace, name }`;
    return [{ path: Array.isArray(refs) ? [...path, at] : path, message }];
  });
}

/** Unknown aliases of entries that are not looked at any more: nothing else can be counted without working it out. */
function uncounted(rest: readonly LineageEntry[], aliases: Aliases): Omit<CrossRemarks, 'remarks'> {
  let unsaid = 0;
  let complete = true;
  for (const entry of rest) {
    if (!isObject(entry)) continue;
    for (const refs of [entry['from'], entry['to']]) {
      for (const ref of listOf(refs)) if (isNameText(ref) && aliases?.has(ref) === false) unsaid += 1;
    }
    complete &&= entry['columns'] === undefined;
  }
  return { unsaid, complete };
}
