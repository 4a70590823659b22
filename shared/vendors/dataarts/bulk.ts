import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import { attempts } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';

/** ShowLineageBulk pages hold up to this many job nodes (Huawei, "ShowLineageBulk", read 2026-11). */
const PAGE = 100;
const MAX_ATTEMPTS = 3;

const pageSchema = z.lazy(() =>
  z.looseObject({
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
  }),
);
export type BulkRow = z.output<typeof pageSchema>['data'][number];

/** Asks for one page; gives the answer as it came. */
export type AskPage = (query: readonly QueryPair[], options: CallOptions) => Promise<HttpAnswer>;

/** What reading needs from outside. */
export interface BulkReading {
  readonly ask: AskPage;
  failure(answer: HttpAnswer): Failure;
  readonly io: Pick<VendorIo, 'now' | 'sleep' | 'random' | 'permit' | 'failed'>;
}

/** The rows of all nodes, by the node's qualified name. A list that changes while it is read is `unavailable`: only a complete scan proves anything. */
export async function readBulk(
  { ask, failure, io }: BulkReading,
  options: CallOptions,
): Promise<ReadonlyMap<string, readonly BulkRow[]>> {
  const rows = new Map<string, BulkRow[]>();
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
  return rows;

  async function readPage(offset: number) {
    const { value } = await attempts(
      async () => {
        await io.permit(options.deadlineMs, options.lane);
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
        failed: io.failed,
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
