import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import { attempts } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { Call, CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';
import { lineageInfo, nodeOf, type TableSpec } from './wire.ts';

/** ShowLineageBulk pages hold up to this many job nodes (Huawei, "ShowLineageBulk", read 2026-11). */
const PAGE = 100;
const MAX_ATTEMPTS = 3;

const pageSchema = z.looseObject({
  total: z.int().min(0),
  data: z.array(
    z.looseObject({
      source_db: z.string().nullish(),
      source_schema: z.string().nullish(),
      source_table: z.string().nullish(),
      target_db: z.string().nullish(),
      target_schema: z.string().nullish(),
      target_table: z.string().nullish(),
      node_name: z.string().nullish(),
      node_qualified_name: z.string(),
      workspace_id: z.string().nullish(),
    }),
  ),
});
type Row = z.output<typeof pageSchema>['data'][number];

/** Asks for one page; gives the answer as it came. */
export type AskPage = (query: readonly QueryPair[], options: CallOptions) => Promise<HttpAnswer>;

/**
 * The qualified names of all nodes that look like the call's: same node name, workspace and tables. None at all proves that there is no
 * such node, because only a complete scan gets that far; a list that changes while it is read is `unavailable`.
 */
export async function locateNodes(
  call: Call,
  ask: AskPage,
  failure: (answer: HttpAnswer) => Failure,
  io: Pick<VendorIo, 'now' | 'sleep' | 'random' | 'permit'>,
  options: CallOptions,
): Promise<readonly string[]> {
  const rows = new Map<string, Row[]>();
  let total: number | undefined;
  for (let offset = 0; total === undefined || offset < total; offset += PAGE) {
    const page = await readPage(offset);
    if (total !== undefined && page.total !== total) throw changed();
    total = page.total;
    for (const row of page.data) {
      const known = rows.get(row.node_qualified_name);
      if (known) known.push(row);
      else rows.set(row.node_qualified_name, [row]);
    }
  }
  if (rows.size !== total) throw changed();
  const { workspaceId } = nodeOf(call);
  const wanted = pairsOf(call);
  const name = lineageInfo(call).node_name;
  return [...rows]
    .filter(([, edges]) => {
      const [first] = edges;
      const here =
        first?.workspace_id === undefined || first.workspace_id === null || first.workspace_id === workspaceId;
      const pairs = new Set(edges.map(pairOf));
      return (
        here && first?.node_name === name && pairs.size === wanted.size && [...wanted].every((pair) => pairs.has(pair))
      );
    })
    .map(([qualifiedName]) => qualifiedName);

  async function readPage(offset: number) {
    const { value } = await attempts(
      async () => {
        await io.permit(options.deadlineMs);
        const answer = await ask(
          [
            ['offset', String(offset)],
            ['limit', String(PAGE)],
          ],
          options,
        );
        if (answer.status !== 200) throw failure(answer);
        const parsed = pageSchema.safeParse(parseAnswer(answer.body));
        if (!parsed.success)
          throw new Failure(
            'unavailable',
            'DataArts answered ShowLineageBulk with something else than a page of lineage.',
          );
        return parsed.data;
      },
      {
        max: MAX_ATTEMPTS,
        deadlineMs: options.deadlineMs,
        now: io.now,
        sleep: io.sleep,
        random: io.random,
        repeatable: true,
      },
    );
    return value;
  }
}

function changed(): Failure {
  return new Failure(
    'unavailable',
    'The list of DataArts nodes changed while it was read, so it proves nothing. It is read again later.',
  );
}

function pairsOf(call: Call): Set<string> {
  const { inputs, outputs } = nodeOf(call);
  const nameOf = (table: TableSpec) => [table.database ?? '', table.schema, table.table];
  return new Set(inputs.flatMap((from) => outputs.map((to) => JSON.stringify([nameOf(from), nameOf(to)]))));
}

function pairOf(row: Row): string {
  return JSON.stringify([
    [row.source_db ?? '', row.source_schema ?? '', row.source_table ?? ''],
    [row.target_db ?? '', row.target_schema ?? '', row.target_table ?? ''],
  ]);
}
