import { Failure, type FailureDetails, type FailureKind } from '../../core/failure.ts';
import { retryAfterMs } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { vendorText } from '../vendor-text.ts';
import type { DataphinAnswer } from './wire.ts';

/** Everything an answer says about what went wrong, in whichever of its two shapes. */
export interface Refusal {
  readonly operation: string;
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

interface Rule {
  readonly code?: RegExp;
  readonly message?: RegExp;
  readonly status?: readonly [least: number, most: number];
  readonly kind: FailureKind;
  readonly maybeApplied?: boolean;
  /** What a person should look at. */
  readonly advice: string;
}

const KEY = 'Check "access_key_id" and "access_key_secret" in the target\'s secret';

/**
 * First match wins; codes are compared by prefix, because their names vary between pages (Alibaba, public and gateway error
 * codes; Alibaba Dataphin, "Register data lineage using OpenAPI" and "AccessKey management", read 2026-11).
 */
const RULES: readonly Rule[] = [
  {
    code: /Throttling/,
    kind: 'throttled',
    advice: 'Lower "calls_per_second" in the target\'s secret if this repeats; nothing was done',
  },
  {
    status: [429, 429],
    kind: 'throttled',
    advice: 'Lower "calls_per_second" in the target\'s secret if this repeats; nothing was done',
  },
  {
    message: /invalid accessKey/i,
    kind: 'denied',
    advice: `${KEY}: a semi-managed Dataphin takes only keys that Dataphin itself issued (account menu > API Access > AccessKey Management), and a change there takes up to 30 minutes`,
  },
  {
    code: /^DataphinOpenApiForbidden/i,
    kind: 'denied',
    advice:
      '"op_tenant_id" in the target\'s secret is probably wrong; semi-managed: the tenantId in the browser\'s address',
  },
  {
    code: /^DataphinOpenApiRamUnAuthorized/i,
    kind: 'denied',
    advice:
      'Grant the key\'s user DataphinOpenAPIFullAccess in RAM (fully managed), and in Dataphin the right "Metadata - Other Features - Register External Lineage"',
  },
  {
    code: /^SignatureNonceUsed/,
    kind: 'unknown-outcome',
    advice:
      'Every attempt has a new nonce, so something on the way (a proxy) sent it twice; the first one may have been carried out',
  },
  {
    status: [500, 599],
    kind: 'unavailable',
    maybeApplied: true,
    advice: 'Dataphin could not work; it may have been done all the same',
  },
  {
    code: /^InvalidTimeStamp\.Expired/,
    kind: 'denied',
    advice: 'Set the clock of this machine: it is more than 15 minutes off',
  },
  {
    code: /^(Invalid|Missing)(TimeStamp|Date\b)/i,
    kind: 'denied',
    advice:
      'Every call carries the date of its attempt: look at the clock of this machine, and for a proxy that changes headers',
  },
  {
    code: /^InvalidAccessKeyId\.Inactive/,
    kind: 'denied',
    advice: `The key is disabled: enable it, or change "access_key_id" in the target's secret`,
  },
  { code: /^InvalidAccessKeyId/, kind: 'denied', advice: `${KEY}: there is no such key at this endpoint` },
  {
    code: /^(InvalidSecurityToken|SecurityTokenExpired)/i,
    kind: 'denied',
    advice: '"security_token" in the target\'s secret is wrong or expired',
  },
  {
    code: /^MissingSecurityToken/i,
    kind: 'denied',
    advice: 'The key is a temporary one, so "security_token" is needed in the target\'s secret as well',
  },
  {
    code: /^(Invalid|Missing)OpTenantId/,
    kind: 'denied',
    advice: '"op_tenant_id" in the target\'s secret is not taken',
  },
  { code: /^SignatureDoesNotMatch/, kind: 'denied', advice: `${KEY}: the secret does not belong to the key` },
  {
    code: /^(IncompleteSignature|(Invalid|Missing)Signature|Missing(AccessKey|Authorization|Action|Version|ContentSha256))/,
    kind: 'denied',
    advice:
      'The key could not be checked: this endpoint does not take ACS3-HMAC-SHA256 signatures (an old deployment, or a proxy that drops headers). Check "endpoint" in the target\'s secret',
  },
  {
    code: /^UnsupportedHTTPMethod/,
    kind: 'invalid',
    advice: 'Check "endpoint" in the target\'s secret for a wrong path',
  },
  {
    code: /^(Forbidden|NoPermission)/,
    kind: 'denied',
    advice: "Grant the key's user the right DataphinOpenAPIFullAccess in RAM",
  },
  { code: /^InvalidProtocol\.NeedSsl/, kind: 'denied', advice: '"endpoint" in the target\'s secret must be https' },
  {
    code: /^(InvalidApi|InvalidAction)/,
    kind: 'unsupported',
    advice:
      'This Dataphin has no such operation: registering needs v5.4.0, reading lineage back v5.4.2, and the OpenAPI add-on. Check "endpoint" in the target\'s secret',
  },
  {
    code: /^(InvalidProduct|InvalidVersion)/,
    kind: 'unsupported',
    advice: '"endpoint" in the target\'s secret is probably not a Dataphin OpenAPI address',
  },
  { status: [401, 401], kind: 'denied', advice: KEY },
  {
    status: [403, 403],
    kind: 'denied',
    advice:
      'Check the rights of the key\'s user ("Metadata - Other Features - Register External Lineage") and "op_tenant_id" in the target\'s secret',
  },
  {
    code: /NotExist|NotFound/i,
    kind: 'missing',
    advice:
      'Dataphin does not know a table or its project or data source: check "guid" in the manifest, or drop checkAssetExist',
  },
  { code: /^(Missing|Invalid)/, kind: 'invalid', advice: "Correct what it names in the manifest's dataphin blocks" },
  {
    code: /Duplicate|AlreadyExist|Existed/i,
    kind: 'conflict',
    advice: 'Dataphin holds something of this name already',
  },
  {
    status: [404, 404],
    kind: 'missing',
    advice: 'Check "endpoint" in the target\'s secret and "guid" in the manifest',
  },
  { status: [408, 408], kind: 'unavailable', maybeApplied: true, advice: 'The call did not arrive in time' },
  { status: [409, 409], kind: 'conflict', advice: 'Dataphin holds something that excludes this' },
  { status: [413, 414], kind: 'invalid', advice: 'The call is too large: split the entry' },
  { status: [431, 431], kind: 'invalid', advice: 'The call is too large: split the entry' },
  {
    status: [300, 399],
    kind: 'rejected',
    advice: 'Redirects are not followed: "endpoint" in the target\'s secret must be the final OpenAPI call address',
  },
  {
    status: [400, 499],
    kind: 'rejected',
    advice: "Correct the entry in the manifest, or take it to Dataphin's support with the request id",
  },
];

/** A failure that Dataphin did not explain well enough: it may have been done. */
const OTHERWISE: Rule = {
  kind: 'unavailable',
  maybeApplied: true,
  advice: 'Dataphin said neither yes nor why not; it may have been done',
};

/** The Failure for an answer that is not a success. `secrets` are cut out of the vendor's words. */
export function failureOf(
  refusal: Refusal,
  answer: HttpAnswer,
  secrets: readonly (string | undefined)[],
  nowMs: number,
  requestId: string | undefined,
): Failure {
  const rule = RULES.find((each) => matches(each, refusal)) ?? OTHERWISE;
  const code = vendorText(refusal.code, secrets);
  const words = vendorText(refusal.message, secrets);
  const label = [`HTTP ${answer.status}`, ...(code === '' ? [] : [code])].join(', ');
  const details: FailureDetails = {
    status: answer.status,
    ...(code === '' ? {} : { code }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(words === '' ? {} : { words }),
    ...(rule.maybeApplied === undefined ? {} : { maybeApplied: rule.maybeApplied }),
    ...retryHint(answer, nowMs),
  };
  return new Failure(
    rule.kind,
    `Dataphin did not carry out ${refusal.operation} (${label})${words === '' ? '' : `: "${words}"`}. ${rule.advice}.`,
    details,
  );
}

/** Status inside the body, where HTTP says 200: that is the one that counts. */
export function refusalOf(operation: string, httpStatus: number, body: DataphinAnswer): Refusal {
  const inner = body.HttpStatusCode ?? 0;
  const status = httpStatus < 300 && inner >= 400 ? inner : httpStatus;
  return { operation, status, code: body.Code ?? '', message: body.Message ?? '' };
}

/** Codes of the gateway, of keys and of tenants: their "NotFound" says nothing about lineage. */
const NOT_LINEAGE = /^(Invalid|Missing)|Tenant|User|Account|AccessKey|Project|Role|Permission/i;

/**
 * Whether the answer says that what was asked holds already: registered before, or nothing there to delete. The codes are
 * not documented, so they are recognised by their words; 5xx never counts.
 */
export function alreadyDone(refusal: Refusal): boolean {
  if (refusal.status >= 500) return false;
  if (refusal.operation === 'AddRegisterLineage') {
    return (
      /Duplicate|AlreadyExist|Existed/i.test(refusal.code) ||
      /lineage.*(already exist|duplicate)/i.test(refusal.message)
    );
  }
  if (refusal.operation !== 'DeleteRegisterLineage' || NOT_LINEAGE.test(refusal.code)) return false;
  return /NotExist|NotFound/i.test(refusal.code) || /lineage.*(not exist|not found)/i.test(refusal.message);
}

function matches(rule: Rule, refusal: Refusal): boolean {
  if (rule.code !== undefined && !rule.code.test(refusal.code)) return false;
  if (rule.message !== undefined && !rule.message.test(refusal.message)) return false;
  const [least, most] = rule.status ?? [0, 999];
  return refusal.status >= least && refusal.status <= most;
}

/** `x-acs-retry-after` is in milliseconds, `Retry-After` in seconds or a date. */
function retryHint(answer: HttpAnswer, nowMs: number): { readonly retryAfterMs?: number } {
  const own = Number(answer.headers['x-acs-retry-after']);
  const hint = Number.isFinite(own) && own >= 0 ? own : retryAfterMs(answer.headers['retry-after'], nowMs);
  return hint === undefined ? {} : { retryAfterMs: hint };
}
