import type { Json } from '../product.ts';
import type { FilterQuery } from './command.ts';
import { endOfGuid, placeOf } from './ends.ts';
import type { End, Lineage, Pair } from './lineage.ts';
import type { ParsedPair, Surroundings } from './seed.ts';

interface Row {
  readonly source: End;
  readonly target: End;
  readonly columns: Iterable<readonly [from: string, to: string, ...unknown[]]>;
  readonly node?: { readonly id?: string | undefined; readonly env?: string | undefined };
}

/**
 * The rows of GetTableLineages, or with `columns` those of GetTableColumnLineages. The two differ in the defaults of
 * NeedUpstream and NeedDownstream (false and true) and in the case of the environment. Registered lineage carries no
 * node, so a filter on nodes hides it.
 */
export function lineageRows(
  guid: string,
  filter: FilterQuery,
  columns: boolean,
  lineage: Lineage,
  around: Surroundings,
): readonly Json[] {
  const pairs = new Set<Pair>();
  const parsed = new Set<ParsedPair>();
  if (filter.NeedUpstream ?? columns) {
    for (const pair of lineage.upstream(guid)) pairs.add(pair);
    for (const pair of around.upstream.get(guid) ?? []) parsed.add(pair);
  }
  if (filter.NeedDownstream ?? columns) {
    for (const pair of lineage.downstream(guid)) pairs.add(pair);
    for (const pair of around.downstream.get(guid) ?? []) parsed.add(pair);
  }
  const rows = [...[...pairs].map(registeredRow), ...[...parsed].map(parsedRow)];
  const exists = (end: End) => around.assets?.has(end.label) ?? true;
  return rows
    .filter((row) => filter.NeedNotExistObject === true || (exists(row.source) && exists(row.target)))
    .filter((row) => filter.NodeEnv === undefined || row.node?.env === filter.NodeEnv)
    .filter((row) => !filter.NodeIdList?.length || filter.NodeIdList.includes(row.node?.id ?? ''))
    .flatMap((row) => {
      const table = {
        ...side('Input', row.source, !exists(row.source), columns),
        ...side('Output', row.target, !exists(row.target), columns),
        ...(row.node?.env === undefined ? {} : { NodeEnv: columns ? row.node.env.toUpperCase() : row.node.env }),
        ...(row.node?.id === undefined ? {} : { NodeId: row.node.id }),
      };
      if (!columns) return [table];
      return Array.from(row.columns, ([from, to]) => ({
        ...table,
        ...column('Input', row.source, from),
        ...column('Output', row.target, to),
      }));
    });
}

/** What the simulator holds, in the words of `GET /_sandbox/lineage`. */
export function heldLineage(lineage: Lineage, { seed }: Surroundings): Json {
  const registered = Array.from(lineage.pairs(), (pair: Pair) => ({
    source: pair.source.label,
    target: pair.target.label,
    columns: Array.from(pair.columns.values(), ([from, to]) => [from, to]),
    origin: 'registered',
  }));
  const parsed = (seed.parsedLineage ?? []).map(({ source, target, columns, origin }) => ({
    source,
    target,
    columns,
    origin,
  }));
  return [...registered, ...parsed];
}

function registeredRow({ source, target, columns }: Pair): Row {
  return { source, target, columns: columns.values() };
}

function parsedRow(pair: ParsedPair): Row {
  return {
    source: endOfGuid(pair.source),
    target: endOfGuid(pair.target),
    columns: pair.columns,
    node: { id: pair.nodeId, env: pair.nodeEnv },
  };
}

function side(prefix: 'Input' | 'Output', end: End, deleted: boolean, upper: boolean): Record<string, Json> {
  const env = end.env ?? 'PROD';
  const place = end.guid === undefined ? undefined : placeOf(end.guid);
  return {
    ...(place === undefined ? {} : { [`${prefix}${place.kind}Id`]: place.id }),
    ...(end.guid === undefined ? {} : { [`${prefix}TableGuid`]: end.guid }),
    [`${prefix}TableName`]: end.name,
    [`${prefix}TableEnv`]: upper ? env : env.toLowerCase(),
    [`${prefix}TableDeleted`]: deleted,
  };
}

function column(prefix: 'Input' | 'Output', end: End, name: string): Record<string, Json> {
  return {
    [`${prefix}ColumnName`]: name,
    ...(end.guid === undefined ? {} : { [`${prefix}ColumnGuid`]: `${end.guid}.${name}` }),
  };
}
