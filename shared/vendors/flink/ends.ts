import type { LineageNode } from './wire.ts';

/** What an end of a relation means: a table, perhaps one of its columns. */
export interface Place {
  /** Index into the tables of the answer. */
  readonly table: number;
  readonly column?: string;
}

/** Tables of one LineageInfo as they are found again: by ids, and by names that only one of them has. */
export interface Directory {
  place(node: LineageNode, table: LineageNode['tables'][number], index: number): void;
  /** A node that has no tables stands for itself; one with a single table is that table. */
  placeNode(node: LineageNode, index: number): void;
  /** Undefined when the text names nothing, or more than one thing. */
  find(end: string, level: 'table' | 'column'): Place | undefined;
}

const AMBIGUOUS = 'ambiguous';
type Names = Map<string, Place | typeof AMBIGUOUS>;

/**
 * Whether ends hold ids or names is not documented (Alibaba, "GetLineageInfo", updated Mar 31 2026), nor how a column is
 * addressed; the page's example shows table-like names at both levels. So: the id of that level first, then other ids, then a
 * unique name.
 */
export function directory(): Directory {
  const columnIds = new Map<string, Place>();
  const tableIds = new Map<string, Place>();
  const nodeIds = new Map<string, Place>();
  const names: Names = new Map();
  const columnNames: Names = new Map();

  return {
    place(node, table, index) {
      const place = { table: index };
      if (table.id) tableIds.set(table.id, place);
      const labels = labelsOf(node, table.tableName);
      for (const label of labels) addName(names, label, place);
      for (const { id, columnName } of table.columns) {
        if (columnName === undefined) continue;
        const column = { table: index, column: columnName };
        if (id) columnIds.set(id, column);
        addName(columnNames, columnName, column);
        for (const label of [...labels, ...(table.id ? [table.id] : [])]) {
          addName(columnNames, `${label}.${columnName}`, column);
        }
      }
    },
    placeNode(node, index) {
      if (node.id) nodeIds.set(node.id, { table: index });
    },
    find(end, level) {
      const ids = level === 'column' ? [columnIds, tableIds, nodeIds] : [tableIds, nodeIds, columnIds];
      for (const known of ids) {
        const place = known.get(end);
        if (place !== undefined) return place;
      }
      const named = names.get(end) ?? (level === 'column' ? columnNames.get(end) : undefined);
      return named === AMBIGUOUS ? undefined : named;
    },
  };
}

/** `table`, `database.table` and `catalog.database.table`, as far as they are known. */
function labelsOf(node: LineageNode, tableName: string | undefined): readonly string[] {
  if (tableName === undefined) return [];
  const parts = [node.catalogName, node.databaseName].filter((part) => part !== undefined);
  return [tableName, ...parts.map((_, at) => [...parts.slice(parts.length - 1 - at), tableName].join('.'))];
}

function addName(names: Names, name: string, place: Place): void {
  const known = names.get(name);
  if (known === undefined) names.set(name, place);
  else if (known === AMBIGUOUS || known.table !== place.table || known.column !== place.column) {
    names.set(name, AMBIGUOUS);
  }
}
