import type { ColumnEdge, Job } from '../core/edge.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';

/** A table that an exported manifest names. */
export interface ExportTable {
  /** For people: its alias is made of it. */
  readonly label: string;
  /** `namespace/name`, if known. */
  readonly dataset?: string;
  readonly vendor: string;
  readonly block: JsonObject;
}

export interface ExportEntry {
  readonly from: readonly ExportTable[];
  readonly to: readonly ExportTable[];
  readonly columns: readonly ColumnEdge[];
  /** Of the vendor. */
  readonly options: JsonObject;
}

/** A manifest for one target that declares these entries; the same input always gives the same manifest. */
export function exportManifest(target: string, entries: readonly ExportEntry[], job: Job | undefined): JsonObject {
  const alias = aliases(entries.flatMap((entry) => [...entry.from, ...entry.to]));
  const name = (table: ExportTable | undefined) => (table && alias.get(keyOf(table))?.name) ?? '';
  const lineage = entries.map(({ from, to, columns, options }): JsonObject => {
    const vendor = to[0]?.vendor ?? '';
    const groups = new Map<string, ColumnEdge[]>();
    for (const edge of columns) {
      const key = JSON.stringify([edge.to, edge.direct]);
      groups.set(key, [...(groups.get(key) ?? []), edge]);
    }
    const list = [...groups.values()].flatMap((group): JsonObject[] => {
      const [first] = group;
      if (first === undefined) return [];
      return [
        {
          from: group.map((edge) => ({ dataset: name(from[edge.from.table]), column: edge.from.column })),
          to: { dataset: name(to[first.to.table]), column: first.to.column },
          ...(first.direct ? {} : { direct: false }),
        },
      ];
    });
    return {
      from: from.map(name),
      to: to.map(name),
      ...(list.length === 0 ? {} : { columns: list }),
      ...(Object.keys(options).length === 0 ? {} : { [vendor]: options }),
    };
  });
  const datasets = [...alias.values()].map(({ name: key, table }) => [
    key,
    { ...identityOf(table.dataset), [table.vendor]: table.block },
  ]);
  return {
    version: 1,
    targets: [target],
    ...(job === undefined ? {} : { job: { namespace: job.namespace, name: job.name } }),
    datasets: Object.fromEntries(datasets) as JsonObject,
    lineage,
  };
}

function keyOf({ block, dataset = '' }: ExportTable): string {
  return canonicalJson([block, dataset]);
}

function aliases(tables: readonly ExportTable[]) {
  const found = new Map(tables.map((table) => [keyOf(table), table]));
  const taken = new Set(['constructor', 'prototype']);
  return new Map(
    [...found]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, table]) => {
        const plain = table.label.replace(/[^A-Za-z0-9_-]/g, '_').slice(-200);
        const base = /^[A-Za-z]/.test(plain) ? plain : `t_${plain}`;
        let name = base;
        for (let more = 2; taken.has(name); more += 1) name = `${base}_${more}`;
        taken.add(name);
        return [key, { name, table }] as const;
      }),
  );
}

/** The ledger keeps both as one text; the namespace of a store ends with its authority, any other before the last slash. */
function identityOf(dataset: string | undefined): { readonly namespace?: string; readonly name?: string } {
  const found =
    dataset === undefined ? null : (/^([^:/]+:\/\/[^/]*)\/(.+)$/s.exec(dataset) ?? /^(.+)\/([^/]+)$/s.exec(dataset));
  const [, namespace, name] = found ?? [];
  return namespace === undefined || name === undefined ? {} : { namespace, name };
}
