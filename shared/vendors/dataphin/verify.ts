import type { Call, Sight } from '../vendor.ts';
import { columnIn } from './presence.ts';
import { lineageRows, type Read, unlessUnknown } from './read-answer.ts';
import { columnLineagesSchema, guidsOf, tableLineagesSchema } from './wire.ts';

const UNREADABLE: Sight = { readable: false, edge: false, columns: [], others: [] };

interface Table {
  readonly pairs: readonly (readonly [source: string, target: string])[];
  readonly columns: readonly (readonly [source: string, target: string])[];
}

/**
 * What Dataphin shows of pairs: one read of a target table's upstream side answers for all pairs into it, a second one for their columns. With
 * `others` the tables are read even where the columns alone would tell.
 */
export async function verifyPairs(
  units: readonly Call[],
  read: Read,
  options: { readonly others: boolean },
): Promise<readonly Sight[]> {
  const guids = units.map((unit) => guidsOf(unit));
  const sights: Sight[] = units.map(() => UNREADABLE);
  for (const target of new Set(guids.flatMap((each) => each?.target ?? []))) {
    const here = units.flatMap((unit, at) => {
      const known = guids[at];
      return known?.target === target ? [{ unit, at, source: known.source }] : [];
    });
    const table = await readTable(target, here, read, options.others);
    const ours = new Set(here.map((each) => each.source));
    const others = [...new Set(table.pairs.map(([source]) => source))].filter((source) => !ours.has(source));
    for (const { unit, at, source } of here) {
      const direct = new Map(unit.columns.map((each) => [keyOf(each.from.column, each.to.column), each.direct]));
      const columns = table.columns.flatMap(([input, output]) => {
        const from = columnIn(source, input);
        const to = columnIn(target, output);
        if (from === undefined || to === undefined) return [];
        // IsDirect is not returned.
        const flag = direct.get(keyOf(from, to)) ?? true;
        return [{ from: { table: 0, column: from }, to: { table: 0, column: to }, direct: flag }];
      });
      const edge = columns.length > 0 || table.pairs.some(([input]) => input === source);
      sights[at] = { readable: true, edge, columns, others: others.map((from) => ({ from, to: target })) };
    }
  }
  return sights;
}

async function readTable(
  target: string,
  here: readonly { readonly unit: Call; readonly source: string }[],
  read: Read,
  others: boolean,
): Promise<Table> {
  // The flags are explicit: the two reads differ in their defaults, and unregistered assets may be left out.
  const filter = { NeedUpstream: true, NeedDownstream: false, NeedNotExistObject: true };
  const ask = (operation: string) => read(operation, [['TableGuid', target]], ['FilterQuery', filter]);
  try {
    const wanted = here.some(({ unit }) => unit.columns.length > 0);
    const columns = wanted
      ? (lineageRows(columnLineagesSchema, await ask('GetTableColumnLineages')).TableColumnLineageList ?? []).map(
          (row) => [row.InputColumnGuid ?? '', row.OutputColumnGuid ?? ''] as const,
        )
      : [];
    const told = here.every(({ source }) => columns.some(([input]) => columnIn(source, input) !== undefined));
    if (told && !others) return { columns, pairs: [] };
    const rows = lineageRows(tableLineagesSchema, await ask('GetTableLineages')).TableLineageList ?? [];
    const pairs = rows.flatMap((row) =>
      row.OutputTableGuid === target && row.InputTableGuid ? [[row.InputTableGuid, target] as const] : [],
    );
    return { columns, pairs };
  } catch (thrown) {
    return unlessUnknown(thrown, { columns: [], pairs: [] });
  }
}

function keyOf(from: string, to: string): string {
  return JSON.stringify([from, to]);
}
