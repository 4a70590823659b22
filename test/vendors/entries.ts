import type { Dataset } from '../../shared/core/dataset.ts';
import type { ColumnEdge, Entry } from '../../shared/core/edge.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { MappingInput } from '../../shared/vendors/vendor.ts';

/** `['a', 0, 'b', 1, false]`: column a of input 0 feeds column b of output 1, indirectly. */
export type ColumnWords = readonly [from: string, fromAt: number, to: string, toAt: number, direct?: boolean];

export function columnEdge([from, fromAt, to, toAt, direct = true]: ColumnWords): ColumnEdge {
  return { from: { table: fromAt, column: from }, to: { table: toAt, column: to }, direct };
}

export function dataset(vendor: string, block: JsonObject, more: Partial<Dataset> = {}): Dataset {
  return { vendors: { [vendor]: block }, ...more };
}

export function entry(
  from: readonly Dataset[],
  to: readonly Dataset[],
  columns: readonly ColumnWords[] = [],
  options: Readonly<Record<string, JsonObject>> = {},
  path = 'lineage[0]',
): Entry {
  return { path, from, to, columns: columns.map(columnEdge), options };
}

export function mappingInput(entries: readonly Entry[], more: Partial<MappingInput> = {}): MappingInput {
  return {
    entries,
    account: 'host#1',
    secret: { workspace_id: 'ws' },
    deployment: 'test',
    ...more,
  };
}
