import { type Refusal, refusal } from '../alibaba-gateway.ts';
import type { AddCommand, AssetRef, ColumnRef } from './command.ts';
import type { Column, End } from './lineage.ts';

/** The table a reference means. One given by GUID and one given by properties are never the same here. */
export function endOf(ref: AssetRef): End {
  if (ref.Guid !== undefined) return endOfGuid(ref.Guid);
  const name = ref.Name ?? '';
  return {
    key: JSON.stringify([ref.MetadataType, ref.Catalog ?? null, ref.Schema ?? null, ref.Env ?? null, name]),
    label: [ref.Catalog, ref.Schema, name].filter((part) => part !== undefined).join('.'),
    name,
    ...(ref.Env === undefined ? {} : { env: ref.Env }),
  };
}

export function endOfGuid(guid: string): End {
  return { key: guid, label: guid, guid, name: guid.slice(guid.lastIndexOf('.') + 1) };
}

/**
 * The column pairs of a command, by name. A column GUID is its table's GUID, a dot and the column's name; one that stands
 * under another table, and a ParentGuid that is not the table, are refused.
 */
export function columnsOf(command: Pick<AddCommand, 'Source' | 'Target' | 'DetailedLineages'>): Column[] | Refusal {
  const columns: Column[] = [];
  for (const [index, detail] of (command.DetailedLineages ?? []).entries()) {
    const from = columnName(detail.Source, command.Source, `DetailedLineages.${index}.Source`);
    if (typeof from !== 'string') return from;
    const to = columnName(detail.Target, command.Target, `DetailedLineages.${index}.Target`);
    if (typeof to !== 'string') return to;
    columns.push([from, to, detail.IsDirect ?? true]);
  }
  return columns;
}

function columnName(column: ColumnRef, table: AssetRef, where: string): string | Refusal {
  const invalid = (key: string, why: string) => refusal(400, `Invalid${key}`, `${where}.${key} ${why}.`);
  if (table.Guid !== undefined && column.ParentGuid !== undefined && column.ParentGuid !== table.Guid) {
    return invalid('ParentGuid', `is not the GUID of the table, ${table.Guid}`);
  }
  if (column.Guid === undefined) return column.Name ?? '';
  const parent = table.Guid ?? column.ParentGuid;
  const prefix = parent === undefined ? undefined : `${parent}.`;
  if (prefix !== undefined && (!column.Guid.startsWith(prefix) || column.Guid.length === prefix.length)) {
    return invalid('Guid', `is not <TableGuid>.<ColumnName> with the table ${parent}`);
  }
  const name = column.Guid.slice(prefix?.length ?? column.Guid.lastIndexOf('.') + 1);
  return column.Name !== undefined && column.Name !== name ? invalid('Name', 'is not the column of the Guid') : name;
}

/** Project, business unit or data source of a GUID, and its place in the answer of a read. */
export function placeOf(guid: string): { readonly kind: 'Project' | 'BizUnit' | 'DataSource'; readonly id: string } {
  const [engine = '', , id = ''] = guid.split('.');
  if (engine === 'dp_table') return { kind: 'BizUnit', id };
  return { kind: engine === 'dp_ds_table' ? 'DataSource' : 'Project', id };
}

/** Whether the seeded sources cover a table: `<engine>.<tenant>.<name>`, or the bare name of a project, unit or data source. */
export function hasSource(sources: ReadonlySet<string>, ref: AssetRef): boolean {
  if (ref.Guid !== undefined) {
    const prefix = ref.Guid.split('.').slice(0, 3).join('.');
    return sources.has(prefix) || sources.has(placeOf(ref.Guid).id);
  }
  return [...sources].some((source) => source.slice(source.lastIndexOf('.') + 1) === ref.Schema);
}
