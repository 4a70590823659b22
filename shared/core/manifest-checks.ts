import { expandEntry, listOf, sideOf } from './columns.ts';
import type { Json, JsonObject } from './json.ts';
import { append } from './large-lists.ts';
import {
  type Blocks,
  type DatasetRef,
  type LineageEntry,
  MAX_PAIRS,
  type Manifest,
  type OneOrMore,
  tooManyPairs,
} from './manifest-schema.ts';
import { mergedOver } from './merge.ts';
import type { Path } from './position.ts';
import { MAX_PROBLEMS, quoted, type Remark } from './problems.ts';
import { didYouMean } from './suggest.ts';

const NONE: readonly Remark[] = [];
const RESERVED: ReadonlySet<string> = new Set(['constructor', 'prototype']);

/**
 * What the schema cannot see: aliases that do not exist, columns of other datasets, keys that exclude each other, too many
 * pairs. `value` may be broken; parts in which `broken` has a remark already are passed over, everything else is checked.
 */
export function crossRemarks(value: Json, broken: readonly Remark[], blocks: Blocks): readonly Remark[] {
  if (!isObject(value)) return [];
  const bad = new Set<string>();
  for (const { path } of broken)
    for (let end = 1; end <= path.length; end += 1) bad.add(path.slice(0, end).join('\u0000'));
  const whole = (...path: Path): boolean => bad.size === 0 || !bad.has(path.join('\u0000'));
  const manifest = value as unknown as Manifest;
  const remarks: Remark[] = [];
  const datasets = isObject(value['datasets']) ? manifest.datasets : value['datasets'] === undefined ? {} : undefined;
  for (const alias of Object.keys(datasets ?? {})) {
    if (RESERVED.has(alias))
      remarks.push({ path: ['datasets', alias], message: `${quoted(alias)} cannot be used as an alias` });
    if (whole('datasets', alias))
      append(remarks, datasetRemarks(manifest, alias, blocks, whole('defaults', 'datasets')));
  }
  if (Array.isArray(value['lineage'])) append(remarks, lineageRemarks(manifest.lineage, datasets, whole));
  return remarks;
}

function datasetRemarks(manifest: Manifest, alias: string, blocks: Blocks, withDefaults: boolean): readonly Remark[] {
  const { namespace, name, symlinks: _, ...vendors } = manifest.datasets?.[alias] ?? {};
  const path = ['datasets', alias];
  const remarks: Remark[] = [];
  if (namespace === undefined && name === undefined && Object.keys(vendors).length === 0) {
    remarks.push({
      path,
      message: 'says nothing about the dataset; give namespace and name, or what a vendor calls it',
    });
  } else if ((namespace === undefined) !== (name === undefined)) {
    const [given, absent] = namespace === undefined ? ['name', 'namespace'] : ['namespace', 'name'];
    remarks.push({ path: [...path, given], message: `${given} needs ${absent} beside it` });
  }
  for (const [vendor, block] of Object.entries(vendors)) {
    if (!isObject(block) || !withDefaults) continue;
    const complete = mergedOver(manifest.defaults?.datasets?.[vendor], block);
    for (const message of blocks[vendor]?.check?.(complete) ?? []) remarks.push({ path: [...path, vendor], message });
  }
  return remarks;
}

type Whole = (...path: Path) => boolean;

function lineageRemarks(
  lineage: readonly LineageEntry[],
  datasets: Manifest['datasets'] | undefined,
  whole: Whole,
): readonly Remark[] {
  const remarks: Remark[] = [];
  const aliases = datasets === undefined ? undefined : new Set(Object.keys(datasets));
  let tablePairs = 0;
  let columnPairs = 0;
  const isKnown = (refs: OneOrMore<DatasetRef>): boolean =>
    aliases === undefined || (typeof refs === 'string' && aliases.has(refs));
  for (let at = 0; at < lineage.length && remarks.length <= MAX_PROBLEMS; at += 1) {
    const entry = lineage[at] as LineageEntry;
    const usable = isObject(entry as unknown as Json);
    const hasFrom = usable && whole('lineage', at, 'from');
    const hasTo = usable && whole('lineage', at, 'to');
    if (hasFrom && !isKnown(entry.from)) remarks.push(...aliasRemarks(entry.from, ['lineage', at, 'from'], aliases));
    if (hasTo && !isKnown(entry.to)) remarks.push(...aliasRemarks(entry.to, ['lineage', at, 'to'], aliases));
    if (!hasFrom || !hasTo) continue;
    if (!whole('lineage', at, 'columns')) {
      tablePairs += sideOf(entry.from).refs.length * sideOf(entry.to).refs.length;
      continue;
    }
    const { from, to, expansion } = expandEntry(lineage, at);
    tablePairs += from.refs.length * to.refs.length;
    columnPairs += expansion.pairs;
    for (const remark of expansion.remarks) remarks.push(remark);
  }
  for (const [kind, count] of [
    ['table', tablePairs],
    ['column', columnPairs],
  ] as const) {
    if (count <= MAX_PAIRS) continue;
    remarks.push({ path: ['lineage'], message: tooManyPairs(kind, count) });
  }
  return remarks;
}

function aliasRemarks(
  refs: OneOrMore<DatasetRef>,
  path: Path,
  aliases: ReadonlySet<string> | undefined,
): readonly Remark[] {
  if (aliases === undefined) return NONE;
  return listOf(refs).flatMap((ref, at) => {
    if (typeof ref !== 'string' || aliases.has(ref)) return [];
    // A suggestion looks at every alias: not worth it in a document of thousands that are all wrong.
    const hint = aliases.size <= 1_000 ? didYouMean(ref, aliases) : '';
    const message = `no dataset has the alias ${quoted(ref)}${hint}; add it under datasets, or write { namespace, name }`;
    return [{ path: Array.isArray(refs) ? [...path, at] : path, message }];
  });
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
