import { randomUUID } from 'node:crypto';
import { MAX_DEPTH } from '../../shared/core/document.ts';
import { Failure } from '../../shared/core/failure.ts';
import { deeperThan, type Json, type JsonObject } from '../../shared/core/json.ts';
import { wireOwner } from '../../shared/core/owner-key.ts';
import { decodeUtf8 } from '../../shared/core/utf8.ts';
import { type Answer, json, type Request } from '../../shared/triggers/http.ts';
import { admitAcs3, type Refusal } from '../../shared/triggers/vendor-signature.ts';
import {
  API_VERSION,
  added,
  checkReferences,
  identityOf,
  subtracted,
  type WireCall,
} from '../../shared/vendors/dataphin/inbound.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Change, change } from './change.ts';
import { refusalOf, relayed, type Wording } from './failure-answer.ts';

/** Alibaba, public error codes, and Dataphin, "Register data lineage using OpenAPI", error codes; read 2026-11. */
const WORDING: Wording = {
  invalid: { status: 400, code: 'InvalidParameter.Format' },
  denied: { status: 401, code: 'DataphinOpenAPIRamUnAuthorized' },
  throttled: { status: 400, code: 'Throttling' },
  unavailable: { status: 503, code: 'ServiceUnavailable' },
};
const MISSING_SCOPE: Refusal = {
  ...WORDING.denied,
  message: 'You are not authorized to do this action, you should be authorized by RAM.',
};
const FOREIGN_TENANT = { status: 403, code: 'DataphinOpenApiForbidden' };
const OPERATIONS = {
  AddRegisterLineage: 'register',
  DeleteRegisterLineage: 'delete',
} as const;
type Operation = keyof typeof OPERATIONS;

/** `POST /` in Dataphin's RPC style. Every answer is in its envelope, whatever happens. */
export async function dataphin(request: Request, services: Services): Promise<Answer> {
  const id = randomUUID().toUpperCase();
  try {
    const action = request.headers['x-acs-action'] ?? request.query.get('Action') ?? '';
    const operation = Object.hasOwn(OPERATIONS, action) ? (action as Operation) : undefined;
    const scope = OPERATIONS[operation ?? 'AddRegisterLineage'];
    const admitted = await admitAcs3({ ...request, path: '/' }, scope, { missingScope: MISSING_SCOPE }, services);
    if ('refused' in admitted) return refused(admitted.refused, request, id);
    if (operation === undefined) {
      const message =
        action === ''
          ? 'x-acs-action is mandatory.'
          : `Specified api ${action.slice(0, 100)} is not found; there are ${Object.keys(OPERATIONS).join(' and ')}.`;
      const code = action === '' ? 'MissingAction' : 'InvalidAction.NotFound';
      return refused({ status: action === '' ? 400 : 404, code, message }, request, id);
    }
    const version = request.headers['x-acs-version'] ?? request.query.get('Version') ?? API_VERSION;
    if (version !== API_VERSION) {
      const message = `Specified parameter Version is not valid: use ${API_VERSION}.`;
      return refused({ status: 404, code: 'InvalidVersion', message }, request, id);
    }
    const call = readRequest(operation, request);
    checkReferences(call);
    const wanted = { ...(await changeOf(call, services)), caller: admitted.caller };
    const outcome = await change(wanted, services, request.deadlineMs);
    if (outcome.kind === 'rejected' || outcome.kind === 'retry') return refused(relayed(outcome, WORDING), request, id);
    const note = outcome.kind === 'done' ? outcome.edges.find((each) => each.reason !== undefined)?.reason : undefined;
    const message = outcome.kind === 'accepted' ? outcome.message : (note ?? 'successful');
    return json(
      200,
      { RequestId: id, Message: message, HttpStatusCode: 200, Code: 'OK', Success: true },
      { 'x-acs-request-id': id },
    );
  } catch (thrown) {
    return refused(refusalOf(thrown, WORDING, services), request, id);
  }
}

async function changeOf(call: WireCall, services: Services): Promise<Omit<Change, 'caller'>> {
  const { opTenantId, operation } = call;
  const mode = services.settings.wire.dataphin;
  const { list } = await services.deps.targets();
  const own = list.filter((each) => each.vendor.name === 'dataphin');
  const target = own.find((each) => String(each.secret['op_tenant_id']) === opTenantId);
  if (target === undefined && own.length > 0 && mode !== 'keep') {
    const message = 'Openapi request is forbidden, maytenantId invalid.';
    throw new Failure('denied', message, FOREIGN_TENANT);
  }
  const name = target?.name ?? 'dataphin';
  const targets = mode === 'keep' ? [] : mode === 'all' ? 'all' : [name];
  return {
    owner: wireOwner('dataphin', identityOf(call)),
    mode,
    concern: { target: name },
    next(known) {
      if (operation === 'AddRegisterLineage') return { kind: 'stored', document: added(known, call, targets) };
      const left = known === undefined ? ({ kind: 'nothing' } as const) : subtracted(known, call);
      if (left.kind === 'nothing') {
        const message =
          'No such lineage was registered through this address, and only what was can be deleted here; nothing was changed.';
        throw new Failure('missing', message, { code: 'RegisterLineageNotExist' });
      }
      return left.kind === 'gone' ? left : { kind: 'stored', document: left.document };
    },
  };
}

/** OpTenantId in the query, the command in the body: a form whose field is JSON, or JSON with the field as text or object. */
function readRequest(operation: Operation, { query, headers, body }: Request): WireCall {
  const text = decodeUtf8(body);
  if (text === undefined) throw invalid('InvalidParameter.Format', 'The body is not UTF-8.');
  const fields =
    /^\s*application\/json\b/i.test(headers['content-type'] ?? '') || /^\s*\{/.test(text)
      ? objectOf(text, 'The body')
      : Object.fromEntries(new URLSearchParams(text));
  const opTenantId = String(query.get('OpTenantId') ?? fields['OpTenantId'] ?? '');
  if (opTenantId === '') throw invalid('MissingOpTenantId', 'OpTenantId is mandatory for this action.');
  if (!/^\d{1,19}$/.test(opTenantId)) throw invalid('InvalidOpTenantId', 'OpTenantId is a number.');
  const name = `${operation}Command`;
  const given = fields[name] ?? query.get(name) ?? undefined;
  if (given === undefined || given === '') throw invalid(`Missing${name}`, `${name} is mandatory for this action.`);
  const command = typeof given === 'string' ? objectOf(given, name) : asObject(given, name);
  if (deeperThan(command, MAX_DEPTH)) throw invalid(`Invalid${name}`, `${name} is nested more than ${MAX_DEPTH} deep.`);
  return { operation, opTenantId, command };
}

function objectOf(text: string, what: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw invalid(codeFor(what), `${what} is not JSON.`);
  }
  return asObject(value, what);
}

function asObject(value: Json, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw invalid(codeFor(what), `${what} is not a JSON object.`);
}

function codeFor(what: string): string {
  return what === 'The body' ? 'InvalidParameter.Format' : `Invalid${what}`;
}

function invalid(code: string, message: string): Failure {
  return new Failure('invalid', message, { code });
}

/** The gateway's error body, as Alibaba's error-code pages show it (read 2026-11). */
export function refused({ status, code, message }: Refusal, request: Pick<Request, 'headers'>, id: string): Answer {
  const body = {
    RequestId: id,
    HostId: request.headers['host'] ?? '',
    Code: code,
    Message: message,
    Recommend: `https://api.aliyun.com/troubleshoot?q=${encodeURIComponent(code)}&source=PopGw`,
  };
  return json(status, body, { 'x-acs-request-id': id });
}
