import { Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import { attempts } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { signAcs3 } from '../../signing/acs3.ts';
import { encodeForm, type QueryPair } from '../../signing/canonical.ts';
import type { Call, CallOptions, Presence, Receipt, VendorClient, VendorIo, WithdrawCall } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { alreadyDone, failureOf, refusalOf } from './failures.ts';
import { endpointOf, readSecret, type Secret } from './secret.ts';
import {
  addCommand,
  answerSchema,
  API_VERSION,
  columnLineagesSchema,
  type DataphinAnswer,
  type Defaults,
  deleteCommand,
  guidsOf,
  succeeded,
  tableLineagesSchema,
} from './wire.ts';

const MAX_ATTEMPTS = 3;

/** Dataphin's verbs for the account of a secret. Throws `Failure` `invalid` when the secret cannot be used. */
export function connect(given: JsonObject, io: VendorIo): VendorClient {
  const secret = readSecret(given);
  const defaults: Defaults = {
    ...(secret.tenant_id === undefined ? {} : { tenantId: secret.tenant_id }),
    ...(secret.user_id === undefined ? {} : { userId: secret.user_id }),
  };
  const call = caller(secret, io);
  return {
    register: async (wanted, options) =>
      call('AddRegisterLineage', [], ['AddRegisterLineageCommand', addCommand(wanted, defaults)], options),
    withdraw: async (wanted: WithdrawCall, options) =>
      call('DeleteRegisterLineage', [], ['DeleteRegisterLineageCommand', deleteCommand(wanted, defaults)], options),
    present: (wanted, options) => present(wanted, (...request) => call(...request, options)),
  };
}

interface Done extends Receipt {
  readonly body: DataphinAnswer;
}
type CallFn = (
  operation: string,
  query: readonly QueryPair[],
  field: readonly [name: string, json: object],
  options: CallOptions,
) => Promise<Done>;

/** Signs anew and takes a new permit for every attempt: a nonce is good for one. */
function caller(secret: Secret, io: VendorIo): CallFn {
  const { protocol, host, path } = endpointOf(secret);
  const credentials = {
    accessKeyId: secret.access_key_id,
    accessKeySecret: secret.access_key_secret,
    ...(secret.security_token === undefined ? {} : { securityToken: secret.security_token }),
  };
  const secrets = [secret.access_key_secret, secret.security_token, secret.access_key_id];
  return async (operation, extraQuery, [name, json], options) => {
    const query: QueryPair[] = [['OpTenantId', String(secret.op_tenant_id)], ...extraQuery];
    const body = new TextEncoder().encode(encodeForm([[name, JSON.stringify(json)]]));
    const request = {
      method: 'POST' as const,
      host,
      // RPC style signs "/" whatever path leads to the deployment.
      path: '/',
      query,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body,
      action: operation,
      version: API_VERSION,
    };
    const { value, ambiguous } = await attempts(
      async () => {
        await io.permit(options.deadlineMs);
        const answer = await io.transport.send({
          method: 'POST',
          url: `${protocol}//${host}${path}/?${encodeForm(query)}`,
          headers: signAcs3(request, credentials, { date: new Date(io.now()), nonce: io.nonce() }),
          body,
          deadlineMs: options.deadlineMs,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        return interpret(operation, answer, secrets, io.now());
      },
      {
        max: MAX_ATTEMPTS,
        deadlineMs: options.deadlineMs,
        now: io.now,
        sleep: io.sleep,
        random: io.random,
        repeatable: true,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    );
    return { ...value, ambiguous };
  };
}

/** The receipt and body of an answer that says done; throws the Failure of any other. */
function interpret(
  operation: string,
  answer: HttpAnswer,
  secrets: readonly (string | undefined)[],
  nowMs: number,
): { readonly receipt: string; readonly body: DataphinAnswer } {
  const parsed = answerSchema.safeParse(gatewayNames(parseAnswer(answer.body)));
  const body: DataphinAnswer = parsed.success ? parsed.data : {};
  const requestId = vendorText(body.RequestId ?? answer.headers['x-acs-request-id'], secrets);
  const inTwoHundreds = answer.status >= 200 && answer.status < 300;
  if (inTwoHundreds && (!parsed.success || !isEnvelope(body))) {
    throw new Failure(
      'unknown-outcome',
      `Dataphin answered ${operation} with HTTP ${answer.status} and a body that is not its own JSON; it may have been done. Check "endpoint" in the target's secret if this repeats.`,
      { status: answer.status, ...(requestId === '' ? {} : { requestId }) },
    );
  }
  if (inTwoHundreds && succeeded(body)) return { receipt: requestId, body };
  const refusal = refusalOf(operation, answer.status, body);
  if (alreadyDone(refusal)) return { receipt: requestId, body };
  throw failureOf(refusal, answer, secrets, nowMs, requestId === '' ? undefined : requestId);
}

/** The gateway writes `Code` or `code`, and so on. */
function gatewayNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const known = ['RequestId', 'Message', 'HttpStatusCode', 'Code', 'Success'];
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [known.find((name) => name.toLowerCase() === key.toLowerCase()) ?? key, inner]),
  );
}

function isEnvelope(body: DataphinAnswer): boolean {
  return body.Success !== undefined || body.Code !== undefined || body.HttpStatusCode !== undefined;
}

/** Reads the target's upstream side: tables mostly have few sources and may have any number of readers. No paging exists. */
async function present(
  call: Call,
  read: (operation: string, query: readonly QueryPair[], field: readonly [string, object]) => Promise<Done>,
): Promise<Presence> {
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
    const tables = rows(tableLineagesSchema, (await ask('GetTableLineages')).body).TableLineageList ?? [];
    const edge = tables.some((row) => row.InputTableGuid === guids.source && row.OutputTableGuid === guids.target);
    if (!edge) return { edge, columns: [] };
    const listed = rows(columnLineagesSchema, (await ask('GetTableColumnLineages')).body).TableColumnLineageList ?? [];
    const columns = listed.flatMap((row) => {
      const from = columnIn(guids.source, row.InputColumnGuid);
      const to = columnIn(guids.target, row.OutputColumnGuid);
      return from === undefined || to === undefined ? [] : [{ from, to }];
    });
    const direct = new Map(call.columns.map((each) => [JSON.stringify([each.from.column, each.to.column]), each.direct]));
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
    // A table that Dataphin does not know shows no lineage.
    if (thrown instanceof Failure && thrown.kind === 'missing') return { edge: false, columns: [] };
    throw thrown;
  }
}

function rows<T>(schema: { safeParse(value: unknown): { success: boolean; data?: T } }, body: DataphinAnswer): T {
  const parsed = schema.safeParse(body);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw new Failure('unavailable', 'Dataphin answered a lineage read in a form that is not documented. Try again, or report it with the request id.', {
    ...(body.RequestId ? { requestId: body.RequestId } : {}),
    maybeApplied: false,
  });
}

function columnIn(table: string, guid: string | null | undefined): string | undefined {
  return guid?.startsWith(`${table}.`) && guid.length > table.length + 1 ? guid.slice(table.length + 1) : undefined;
}
