import type * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { DataphinAnswer } from './wire.ts';

/** One lineage read: gives the body of an answer that says done, throws `Failure` for any other. */
export type Read = (
  operation: string,
  query: readonly QueryPair[],
  field: readonly [name: string, json: object],
) => Promise<DataphinAnswer>;

const ENDPOINT = 'Check "endpoint" in the target\'s secret, and what stands before Dataphin on the way there';

/**
 * Codes of the gateway, of keys and of tenants: their "NotFound" says nothing about a table. A project is not among them, because a
 * table's GUID names it: where there is no such project, there is no such table.
 */
const NOT_A_TABLE = /^(Invalid|Missing)(?!.*(Table|Guid|Asset))|Tenant|User|Account|AccessKey|Role|Permission/i;

/** The names of the lists end alike: `TableLineageList`, `TableColumnLineageList`. */
const LIST = /LineageList$/;

/**
 * What a lineage read holds. That a list is left out, or null, where a table has no lineage is not documented and not excluded either
 * (Alibaba Dataphin, SDK 2023-06-30, models of the reads), so it counts as empty where the request id shows that Dataphin answered.
 * Throws `Failure` `unavailable` for any other form: what is read as "no lineage" makes an edge of others look like ours.
 */
export function lineageRows<T>(schema: z.ZodType<T>, body: DataphinAnswer): T {
  const details = { maybeApplied: false, ...(body.RequestId ? { requestId: body.RequestId } : {}) };
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const message =
      'Dataphin answered a lineage read in a form that is not documented. Try again, or report it with the request id.';
    throw new Failure('unavailable', message, details);
  }
  if (!body.RequestId && !Object.keys(body).some((key) => LIST.test(key))) {
    const message = `A lineage read was answered with neither a list nor a request id, so somebody else than Dataphin has answered. ${ENDPOINT}.`;
    throw new Failure('unavailable', message, details);
  }
  return parsed.data;
}

/**
 * What a table shows whose read was refused: nothing (`empty`), if Dataphin itself says that it does not know the table. Throws what was
 * thrown, and `Failure` `unavailable` for a "not found" of somebody else (a proxy, an ingress) or of something else (a tenant, a user).
 */
export function unlessUnknown<T>(thrown: unknown, empty: T): T {
  if (!(thrown instanceof Failure) || thrown.kind !== 'missing') throw thrown;
  const { code, status, requestId, words, retryAfterMs } = thrown;
  // Dataphin's and the gateway's codes are words; a server in front of them may repeat its status there.
  const theirs = code !== undefined && /\D/.test(code);
  if (theirs && !NOT_A_TABLE.test(code)) return empty;
  const said = `HTTP ${status}${code === undefined ? '' : `, ${code}`}${words === undefined ? '' : `: "${words}"`}`;
  const why = theirs
    ? 'is not about the table, so nobody knows what it shows. Check "op_tenant_id" in the target\'s secret'
    : `has no code of Dataphin's, so somebody else has answered. ${ENDPOINT}`;
  throw new Failure('unavailable', `The answer to a lineage read (${said}) ${why}.`, {
    maybeApplied: false,
    cause: thrown,
    ...(code === undefined ? {} : { code }),
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(words === undefined ? {} : { words }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
