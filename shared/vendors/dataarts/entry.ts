import type { Dataset } from '../../core/dataset.ts';
import type { Entry } from '../../core/edge.ts';
import { type DatasetBlock, datasetBlock, type EntryBlock, entryBlock } from './blocks.ts';

const CONNECTION = ['connectionId', 'connectionName', 'clusterId', 'dataSourceType'] as const;
const PLACE = ['workspaceId', 'jobId', 'nodeName'] as const;

/**
 * An entry's DataArts options, or the reason why they cannot be used. What the entry itself gives counts. If it names no
 * connection, the tables' naming rules do, and must agree: one node has one connection. The other keys come from the rules of the outputs.
 */
export function readEntry(entry: Entry): { readonly options: EntryBlock } | { readonly problem: string } {
  const parsed = entryBlock.safeParse(entry.options['dataarts'] ?? {});
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    return { problem: `the dataarts options cannot be used: ${issues}` };
  }
  const options: { -readonly [key in keyof EntryBlock]: EntryBlock[key] } = { ...parsed.data };
  if (options.connectionId === undefined && options.connectionName === undefined) {
    const tables = [...entry.from, ...entry.to];
    for (const key of CONNECTION) {
      const values = distinct(tables, key);
      if (values.length > 1) {
        return {
          problem: `its tables belong to different DataArts connections (${key}: ${values.join(', ')}); split the entry, or give ${key} in its dataarts block`,
        };
      }
      const [value] = values;
      if (value !== undefined) options[key] ??= value;
    }
  }
  for (const key of PLACE) {
    const [value, ...others] = distinct(entry.to, key);
    if (options[key] !== undefined || value === undefined) continue;
    if (others.length > 0 && key !== 'nodeName') {
      return {
        problem: `the naming rules of its outputs differ in ${key}; split the entry, or give ${key} in its dataarts block`,
      };
    }
    options[key] = value;
  }
  return { options };
}

/** A dataset's DataArts block, or undefined when it has no usable one. */
export function tableBlock(dataset: Dataset): DatasetBlock | undefined {
  const parsed = datasetBlock.safeParse(dataset.vendors['dataarts']);
  return parsed.success && parsed.data.table !== undefined ? parsed.data : undefined;
}

function distinct(datasets: readonly Dataset[], key: string): string[] {
  const values = datasets.map((dataset) => dataset.entryOptions?.['dataarts']?.[key]);
  return [...new Set(values.filter((value) => typeof value === 'string'))];
}
