import { asFailure, Failure } from '../../core/failure.ts';
import type { JsonObject } from '../../core/json.ts';
import { attempts, keepingDoubt } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { signAcs3 } from '../../signing/acs3.ts';
import { encodeForm, type QueryPair } from '../../signing/canonical.ts';
import { ofEntry } from '../of-entry.ts';
import type { Call, CallOptions, Receipt, VendorClient, VendorIo, WithdrawCall } from '../vendor.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { alreadyDone, failureOf, refusalOf } from './failures.ts';
import { readLineage } from './lineage.ts';
import { readPresence, stillMissing, stillShown } from './presence.ts';
import { probe } from './probe.ts';
import { endpointOf, readSecret, type Secret } from './secret.ts';
import { verifyPairs } from './verify.ts';
import {
  API_VERSION,
  addCommand,
  answerSchema,
  type DataphinAnswer,
  type Defaults,
  deleteCommand,
  succeeded,
} from './wire.ts';

const MAX_ATTEMPTS = 3;
/** A call that is given less time than this is not begun: cut off, nobody would know what became of it. */
const LEAST_MS = 1_000;

/** Dataphin's verbs for the account of a secret. Throws `Failure` `invalid` when the secret cannot be used. */
export function connect(given: JsonObject, io: VendorIo): VendorClient {
  const secret = readSecret(given);
  const defaults: Defaults = {
    ...(secret.tenant_id === undefined ? {} : { tenantId: secret.tenant_id }),
    ...(secret.user_id === undefined ? {} : { userId: secret.user_id }),
  };
  const call = caller(secret, io);
  const present: NonNullable<VendorClient['present']> = (wanted, options) =>
    readPresence(wanted, async (...request) => (await call(...request, options)).body);
  const lineage: NonNullable<VendorClient['lineage']> = (query, options) =>
    readLineage(query, async (...request) => (await call(...request, options)).body);
  const verify: NonNullable<VendorClient['verify']> = (wanted, { others = false, ...options }) =>
    verifyPairs(wanted, async (...request) => (await call(...request, { ...options, lane: 'verify' })).body, {
      others,
    });
  const tell = async (operation: string, wanted: Call, command: object, options: CallOptions) => {
    try {
      return await call(operation, [], [`${operation}Command`, command], options);
    } catch (thrown) {
      throw ofTenant(asFailure(thrown), wanted, defaults);
    }
  };
  const add = (wanted: Call, options: CallOptions) =>
    tell('AddRegisterLineage', wanted, addCommand(wanted, defaults), options);
  const remove = (wanted: WithdrawCall, options: CallOptions) =>
    tell('DeleteRegisterLineage', wanted, deleteCommand(wanted, defaults), options);
  return {
    ...(secret.read_back === false
      ? {}
      : { probe: (options: CallOptions) => probe(call, options), present, lineage, verify }),
    register: async (wanted, options) => {
      const first = await add(wanted, options);
      if (!first.already) return receipt(first);
      return keepingDoubt(first.ambiguous, async () => {
        const rest = await left(() => stillMissing(wanted, options, present));
        if (rest === undefined) return receipt(first);
        const second = await add(rest, options);
        if (second.already) throw refusesColumns(rest, receipt(second, first));
        return receipt(second, first);
      });
    },
    withdraw: async (wanted, options) => {
      const first = await remove(wanted, options);
      if (!first.already) return receipt(first);
      return keepingDoubt(first.ambiguous, async () => {
        const rest = await left(() => stillShown(wanted, options, present));
        return rest === undefined ? receipt(first) : receipt(await remove(rest, options), first);
      });
    },
  };
}

/** An entry that names a tenant or user of its own may be refused for these: that says nothing of the account. */
function ofTenant(failure: Failure, { options }: Call, defaults: Defaults): Failure {
  const own = (['tenantId', 'userId'] as const).filter(
    (key) => options[key] !== undefined && String(options[key]) !== String(defaults[key]),
  );
  if (failure.kind !== 'denied' || failure.status !== 403 || own.length === 0) return failure;
  return ofEntry(failure, `The entry names ${own.map((key) => `${key} ${options[key]}`).join(' and ')} itself.`);
}

interface Done extends Receipt {
  /** Dataphin refused, because it holds what was to be registered or does not hold what was to be deleted. */
  readonly already: boolean;
  readonly body: DataphinAnswer;
}
type CallFn = (
  operation: string,
  query: readonly QueryPair[],
  field: readonly [name: string, json: object],
  options: CallOptions,
) => Promise<Done>;

function receipt(done: Done, before?: Done): Receipt {
  return { receipt: done.receipt, ambiguous: done.ambiguous || before?.ambiguous === true };
}

/** Where lineage cannot be read back, "already" is believed for the whole call. */
async function left<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look();
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) return undefined;
    throw thrown;
  }
}

function refusesColumns(rest: Call, { receipt: requestId, ambiguous }: Receipt): Failure {
  return new Failure(
    'conflict',
    `Dataphin holds the pair ${rest.from[0]?.name} -> ${rest.to[0]?.name} already and takes no further columns for it (${rest.columns.length} missing). Take the pair out of the manifest until it is withdrawn, then declare it again.`,
    { maybeApplied: ambiguous, ...(requestId === '' ? {} : { requestId }) },
  );
}

/** Signs anew and takes a new permit for every attempt: a nonce is good for one. */
function caller(secret: Secret, io: VendorIo): CallFn {
  const { protocol, host, path } = endpointOf(secret);
  const credentials = {
    accessKeyId: secret.access_key_id,
    accessKeySecret: secret.access_key_secret,
    ...(secret.security_token === undefined ? {} : { securityToken: secret.security_token }),
  };
  const secrets = [secret.access_key_secret, secret.security_token, secret.access_key_id];
  const tenant: QueryPair = ['OpTenantId', String(secret.op_tenant_id)];
  return async (operation, extraQuery, [name, json], options) => {
    const query = [tenant, ...extraQuery];
    const url = `${protocol}//${host}${path}/?${encodeForm(query)}`;
    // A form is ASCII.
    const body = Buffer.from(encodeForm([[name, JSON.stringify(json)]]), 'latin1');
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
        await io.permit(options.deadlineMs - LEAST_MS, options.lane);
        const answer = await io.transport.send({
          method: 'POST',
          url,
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
        failed: io.failed,
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
): Omit<Done, 'ambiguous'> {
  const parsed = answerSchema().safeParse(gatewayNames(parseAnswer(answer.body)));
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
  if (inTwoHundreds && succeeded(body)) return { receipt: requestId, already: false, body };
  const refusal = refusalOf(operation, answer.status, body);
  if (alreadyDone(refusal)) return { receipt: requestId, already: true, body };
  throw failureOf(refusal, answer, secrets, nowMs, requestId === '' ? undefined : requestId);
}

/** The gateway writes `Code` or `code`, and so on. */
function gatewayNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (!Object.keys(value).some((key) => nameOf(key) !== key)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [nameOf(key), inner]));
}

const GATEWAY_NAMES: ReadonlyMap<string, string> = new Map(
  ['RequestId', 'Message', 'HttpStatusCode', 'Code', 'Success'].map((name) => [name.toLowerCase(), name]),
);

function nameOf(key: string): string {
  return GATEWAY_NAMES.get(key.toLowerCase()) ?? key;
}

function isEnvelope(body: DataphinAnswer): boolean {
  return body.Success !== undefined || body.Code !== undefined || body.HttpStatusCode !== undefined;
}
