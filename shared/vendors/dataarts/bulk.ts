import * as z from 'zod';
import { asFailure, Failure } from '../../core/failure.ts';
import { attempts } from '../../http/retry.ts';
import { ANSWER_TOO_LARGE, type HttpAnswer } from '../../http/transport.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { CallOptions, VendorIo } from '../vendor.ts';
import { parseAnswer } from '../vendor-text.ts';

/** ShowLineageBulk pages hold up to this many job nodes (Huawei, "ShowLineageBulk", read 2026-11). */
const MOST_NODES = 100;
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

/** A page as it came, and what no message about it may quote. */
export interface AskedPage {
  readonly answer: HttpAnswer;
  readonly secrets: readonly (string | undefined)[];
}

/** Asks for one page. */
export type AskPage = (query: readonly QueryPair[], options: CallOptions) => Promise<AskedPage>;

/** What reading needs from outside. */
export interface BulkReading {
  readonly ask: AskPage;
  failure(asked: AskedPage): Failure;
  readonly io: Pick<VendorIo, 'now' | 'sleep' | 'random' | 'permit' | 'failed'>;
}

/** The rows of all nodes, by the node's qualified name. A list that changes while it is read is `unavailable`: only a complete scan proves anything. */
export async function readBulk(
  { ask, failure, io }: BulkReading,
  options: CallOptions,
): Promise<ReadonlyMap<string, readonly BulkRow[]>> {
  const rows = new Map<string, BulkRow[]>();
  let total: number | undefined;
  let limit = MOST_NODES;
  for (let offset = 0; total === undefined || offset < total; ) {
    const page = await readPage(offset);
    // Each node comes with all its pairs of tables: a page of large ones may be more than is read of an answer.
    if (page === 'too large') {
      limit = Math.ceil(limit / 4);
      continue;
    }
    offset += limit;
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

  async function readPage(offset: number): Promise<z.output<typeof pageSchema> | 'too large'> {
    const { value } = await attempts(
      async () => {
        await io.permit(options.deadlineMs, options.lane);
        const asked = await ask(
          [
            ['offset', String(offset)],
            ['limit', String(limit)],
          ],
          options,
        ).catch((thrown: unknown) => {
          if (limit > 1 && asFailure(thrown).code === ANSWER_TOO_LARGE) return undefined;
          throw thrown;
        });
        if (asked === undefined) return 'too large';
        const { answer } = asked;
        if (answer.status !== 200) throw failure(asked);
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
