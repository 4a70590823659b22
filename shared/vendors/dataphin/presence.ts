import { Failure } from '../../core/failure.ts';
import type { Call, CallOptions, Presence, WithdrawCall } from '../vendor.ts';
import { lineageRows, type Read, unlessUnknown } from './read-answer.ts';
import { columnLineagesSchema, guidsOf, tableLineagesSchema } from './wire.ts';

type Look = (call: Call, options: CallOptions) => Promise<Presence>;

/**
 * Whether Dataphin shows the call's pair, and all of its columns. Reads the target's upstream side: tables mostly have few
 * sources and may have any number of readers; there is no paging. Throws `Failure`, `unsupported` for a pair without both GUIDs.
 */
export async function readPresence(call: Call, read: Read): Promise<Presence> {
  const guids = guidsOf(call);
  if (guids === undefined) {
    throw new Failure(
      'unsupported',
      `Dataphin's lineage can be read back by GUID only, and ${call.from[0]?.name} or ${call.to[0]?.name} has none. Add "guid" in the manifest to have it checked.`,
    );
  }
  // Both flags are given, because the two reads differ in their defaults; without the third, unregistered assets may be left out.
  const filter = { NeedUpstream: true, NeedDownstream: false, NeedNotExistObject: true };
  const ask = (operation: string) => read(operation, [['TableGuid', guids.target]], ['FilterQuery', filter]);
  try {
    const tables = lineageRows(tableLineagesSchema, await ask('GetTableLineages')).TableLineageList ?? [];
    const edge = tables.some((row) => row.InputTableGuid === guids.source && row.OutputTableGuid === guids.target);
    if (!edge) return { edge, columns: [] };
    const listed = lineageRows(columnLineagesSchema, await ask('GetTableColumnLineages')).TableColumnLineageList ?? [];
    const columns = listed.flatMap((row) => {
      const from = columnIn(guids.source, row.InputColumnGuid);
      const to = columnIn(guids.target, row.OutputColumnGuid);
      return from === undefined || to === undefined ? [] : [{ from, to }];
    });
    const direct = new Map(call.columns.map((each) => [keyOf(each), each.direct]));
    return {
      edge,
      columns: columns.map(({ from, to }) => ({
        from: { table: 0, column: from },
        to: { table: 0, column: to },
        // IsDirect is not returned.
        direct: direct.get(JSON.stringify([from, to])) ?? true,
      })),
    };
  } catch (thrown) {
    return unlessUnknown(thrown, { edge: false, columns: [] });
  }
}

/**
 * After a refused Add of a pair that exists: the call with the columns that are not shown yet; undefined when none is
 * missing, or when not even the pair is shown (then the read says less than the refusal).
 */
export async function stillMissing(call: Call, options: CallOptions, look: Look): Promise<Call | undefined> {
  if (call.columns.length === 0) return undefined;
  const shown = await shownColumns(call, options, look);
  if (!shown.edge) return undefined;
  const columns = call.columns.filter((each) => !shown.keys.has(keyOf(each)));
  return columns.length === 0 ? undefined : { ...call, columns };
}

/**
 * After a refused Delete, because something of it does not exist: the call with what is still shown of it, undefined when
 * nothing is, or when everything is (then it is not ours: only lineage registered through OpenAPI can be deleted).
 */
export async function stillShown(
  call: WithdrawCall,
  options: CallOptions,
  look: Look,
): Promise<WithdrawCall | undefined> {
  if (call.columns.length === 0) return undefined;
  const shown = await shownColumns(call, options, look);
  const columns = call.columns.filter((each) => shown.keys.has(keyOf(each)));
  if (columns.length === call.columns.length) return undefined;
  const bareEdge = call.cascade && shown.edge && shown.keys.size === 0;
  return columns.length > 0 || bareEdge ? { ...call, columns } : undefined;
}

async function shownColumns(call: Call, options: CallOptions, look: Look) {
  const { edge, columns } = await look(call, options);
  return { edge, keys: new Set(columns.map(keyOf)) };
}

function keyOf({ from, to }: Call['columns'][number]): string {
  return JSON.stringify([from.column, to.column]);
}

/** The name of a column of this table, by its GUID; undefined for a column of another one. */
export function columnIn(table: string, guid: string | null | undefined): string | undefined {
  return guid?.startsWith(`${table}.`) && guid.length > table.length + 1 ? guid.slice(table.length + 1) : undefined;
}
