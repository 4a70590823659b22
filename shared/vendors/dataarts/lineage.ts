import type { LineageEdge, LineageTable, VendorLineage } from '../vendor.ts';
import type { BulkRow } from './bulk.ts';

/**
 * All lineage that DataArts lists, from the rows of ShowLineageBulk: tables only, and without their catalogs, because the list
 * names none. Pure.
 */
export function lineageOf(rows: Iterable<BulkRow>): VendorLineage {
  const tables: LineageTable[] = [];
  const places = new Map<string, number>();
  const edges = new Map<string, { readonly from: number; readonly to: number; readonly jobs: Set<string> }>();
  const jobs = new Map<string, string>();
  const place = (database: string, schema: string, table: string): number => {
    const name = [database, schema, table].filter((part) => part !== '').join('.');
    const known = places.get(name);
    if (known !== undefined) return known;
    const block = { ...(database === '' ? {} : { database }), ...(schema === '' ? {} : { schema }), table };
    tables.push({ name, ...(table === '' ? {} : { block }) });
    places.set(name, tables.length - 1);
    return tables.length - 1;
  };
  for (const row of rows) {
    const from = place(row.source_db ?? '', row.source_schema ?? '', row.source_table ?? '');
    const to = place(row.target_db ?? '', row.target_schema ?? '', row.target_table ?? '');
    const key = `${from} ${to}`;
    const edge = edges.get(key) ?? { from, to, jobs: new Set<string>() };
    edges.set(key, edge);
    edge.jobs.add(row.node_qualified_name);
    jobs.set(row.node_qualified_name, row.node_name ?? '');
  }
  return {
    tables,
    edges: Array.from(edges.values(), (edge): LineageEdge => ({ ...edge, jobs: [...edge.jobs], columns: [] })),
    jobs: Array.from(jobs, ([id, name]) => ({ id, details: { name } })),
    receipts: [],
  };
}
