import type { Json } from '../product.ts';
import type { LineageInfo, Seed } from './seed.ts';

interface Place {
  readonly table: string;
  readonly column?: string;
}

/** What the seed says, in the words of `GET /_sandbox/lineage`: `catalog.database.table` where an end can be resolved. */
export function heldLineage(seed: Seed): Json {
  const pairs = new Map<string, { source: string; target: string; columns: Map<string, string[]> }>();
  const pairOf = (source: string, target: string) => {
    const key = JSON.stringify([source, target]);
    const pair = pairs.get(key) ?? { source, target, columns: new Map() };
    pairs.set(key, pair);
    return pair;
  };
  for (const info of Object.values(seed.lineage)) {
    const place = places(info);
    for (const { source, destination } of info.edges?.tableLineage ?? []) {
      pairOf(place(source).table, place(destination).table);
    }
    for (const relation of info.edges?.columnLineage ?? []) {
      const [from, to] = [place(relation.source), place(relation.destination)];
      const pair = pairOf(from.table, to.table);
      if (from.column !== undefined && to.column !== undefined) {
        pair.columns.set(JSON.stringify([from.column, to.column]), [from.column, to.column]);
      }
    }
  }
  return Array.from(pairs.values(), ({ source, target, columns }) => ({
    source,
    target,
    columns: [...columns.values()],
    origin: 'parsed',
  }));
}

/** Finds what the end of a relation means: column id, table id, id of a node with one table, name of the only such table, else the text itself. */
export function places(info: LineageInfo): (end: string) => Place {
  const byId = new Map<string, Place>();
  const byNode = new Map<string, Place>();
  const byName = new Map<string, Place | undefined>();
  for (const node of info.nodes ?? []) {
    const [only, ...others] = node.tables ?? [];
    if (only !== undefined && others.length === 0) {
      byNode.set(node.id, { table: [node.catalogName, node.databaseName, only.tableName].filter(Boolean).join('.') });
    }
    for (const { id, tableName, columns } of node.tables ?? []) {
      const table = [node.catalogName, node.databaseName, tableName].filter(Boolean).join('.');
      byId.set(id, { table });
      byName.set(tableName, byName.has(tableName) ? undefined : { table });
      for (const { id: columnId, columnName } of columns ?? []) byId.set(columnId, { table, column: columnName });
    }
  }
  return (end) => byId.get(end) ?? byNode.get(end) ?? byName.get(end) ?? { table: end };
}
