import { Failure, type FailureDetails, type FailureKind } from '../../core/failure.ts';
import { retryAfterMs } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { vendorText } from '../vendor-text.ts';
import type { Envelope } from './wire.ts';

interface Rule {
  readonly code?: RegExp;
  /** Against code and message together: the service's own codes are not documented. Only where HTTP says 2xx. */
  readonly words?: RegExp;
  readonly status?: readonly [least: number, most: number];
  readonly kind: FailureKind;
  /** What a person should look at. */
  readonly advice: string;
}

const KEY = 'Check "access_key_id" and "access_key_secret" in the target\'s secret';
const BUDGET = 'Try again later; lower "calls_per_second" in the target\'s secret if this repeats';
const LATER = 'Flink could not work now; try again later';
const RIGHTS =
  'Grant the key\'s user the right to read deployments and jobs (e.g. stream:ListDeployments in RAM, and membership in the namespace), and check "workspace" in the target\'s secret';
const UNKNOWN =
  'Check the job, deployment or table that was asked for, and "workspace" and "namespace" (in the request or the target\'s secret)';
const ENDPOINT =
  '"endpoint" or "region" in the target\'s secret does not lead to ververica.<region>.aliyuncs.com, which has this operation';
const within = (least: number, most = least) => [least, most] as const;

/**
 * First match wins; codes are compared by prefix, because their names vary between pages (Alibaba, public and gateway error
 * codes, read 2026-11). Every call only reads, so none can have been carried out by mistake.
 */
const RULES: readonly Rule[] = [
  { code: /Throttling/i, kind: 'throttled', advice: BUDGET },
  { status: within(429), kind: 'throttled', advice: BUDGET },
  { code: /^SignatureNonceUsed/, kind: 'unavailable', advice: 'Something on the way (a proxy) sent the call twice' },
  { status: within(500, 599), kind: 'unavailable', advice: LATER },
  {
    code: /^InvalidTimeStamp\.Expired/,
    kind: 'denied',
    advice: 'Set the clock of this machine: it is more than 15 minutes off',
  },
  {
    code: /^(Invalid|Missing)TimeStamp/i,
    kind: 'denied',
    advice: 'Check the clock of this machine, and that nothing on the way changes the header x-acs-date',
  },
  {
    code: /^InvalidAccessKeyId\.Inactive/,
    kind: 'denied',
    advice: 'The key is disabled: enable it, or change "access_key_id" in the target\'s secret',
  },
  { code: /^InvalidAccessKeyId/, kind: 'denied', advice: `${KEY}: there is no such key` },
  { code: /^MissingAccessKeyId/, kind: 'denied', advice: `${KEY}: no key arrived` },
  {
    code: /^MissingSecurityToken/i,
    kind: 'denied',
    advice: 'The key is a temporary one: give its "security_token" in the target\'s secret, too',
  },
  {
    code: /^(InvalidSecurityToken|SecurityTokenExpired)/i,
    kind: 'denied',
    advice: '"security_token" in the target\'s secret is wrong or expired; renew it together with the key',
  },
  { code: /^SignatureDoesNotMatch/, kind: 'denied', advice: `${KEY}: the secret does not belong to the key` },
  {
    code: /^(IncompleteSignature|InvalidSignature|MissingSignature)/,
    kind: 'denied',
    advice: 'Something on the way drops or changes headers. Check "endpoint" in the target\'s secret',
  },
  { code: /^InvalidProtocol\.NeedSsl/, kind: 'denied', advice: '"endpoint" in the target\'s secret must be https' },
  { code: /^(InvalidApi|InvalidAction|InvalidProduct|InvalidVersion)/, kind: 'unsupported', advice: ENDPOINT },
  { code: /^UnsupportedHTTPMethod/, kind: 'unsupported', advice: ENDPOINT },
  { code: /^(Forbidden|NoPermission)/, kind: 'denied', advice: RIGHTS },
  { status: within(401), kind: 'denied', advice: KEY },
  { status: within(403), kind: 'denied', advice: RIGHTS },
  { code: /NotExist|NotFound/i, kind: 'missing', advice: UNKNOWN },
  { code: /^(Missing|Invalid)/, kind: 'invalid', advice: UNKNOWN },
  { status: within(404), kind: 'missing', advice: `${UNKNOWN}, and "endpoint"` },
  { status: within(408), kind: 'unavailable', advice: LATER },
  {
    status: within(300, 399),
    kind: 'rejected',
    advice: 'Redirects are not followed: "endpoint" in the target\'s secret must be the final address',
  },
  {
    status: within(400, 499),
    kind: 'rejected',
    advice: `${UNKNOWN}. If it lasts, take the request id to Alibaba's support`,
  },
  { words: /throttl|flow control|too many requests|rate limit/i, kind: 'throttled', advice: BUDGET },
  // Before `missing`: "there is no permission" is both.
  {
    words: /forbidden|denied|unauthori[sz]ed|not (?:been )?authori[sz]ed|(?:no|not have) permission|not permitted/i,
    kind: 'denied',
    advice: RIGHTS,
  },
  { words: /not (?:be )?found|not exist|no such|there is no/i, kind: 'missing', advice: UNKNOWN },
  {
    // A "temporary table" is a thing of Flink's and no trouble of the moment.
    words:
      /internal ?error|internal ?server|unavailable|timed?[ -]?out|temporar(?:y (?:failure|error|fault|problem)|ily (?:out of|not|down|failed|over))|backend/i,
    kind: 'unavailable',
    advice: LATER,
  },
];

/** Said no inside HTTP 2xx, with a code that no page documents. */
const REFUSED: Rule = {
  kind: 'rejected',
  advice: `${UNKNOWN}. If it lasts, take the request id to Alibaba's support`,
};
const NOT_AN_ANSWER: Rule = {
  kind: 'unavailable',
  advice: 'The answer is not one of Flink\'s. Check "endpoint" in the target\'s secret if this repeats',
};

/** The Failure for an answer that is not a success. `secrets` are cut out of the vendor's words. */
export function failureOf(
  operation: string,
  answer: HttpAnswer,
  envelope: Envelope | undefined,
  secrets: readonly (string | undefined)[],
  nowMs: number,
): Failure {
  const code = envelope?.code ?? '';
  const message = envelope?.message ?? '';
  const rule = RULES.find((each) => matches(each, answer.status, code, message)) ?? otherwise(answer, envelope);
  const [shownCode, words] = [vendorText(code, secrets), vendorText(message, secrets)];
  const requestId = vendorText(envelope?.requestId || answer.headers['x-acs-request-id'], secrets);
  const label = [`HTTP ${answer.status}`, ...(shownCode === '' ? [] : [shownCode])].join(', ');
  const details: FailureDetails = {
    status: answer.status,
    maybeApplied: false,
    ...(shownCode === '' ? {} : { code: shownCode }),
    ...(requestId === '' ? {} : { requestId }),
    ...retryHint(answer, nowMs),
  };
  return new Failure(
    rule.kind,
    `Flink did not answer ${operation} (${label})${words === '' ? '' : `: "${words}"`}. ${rule.advice}.`,
    details,
  );
}

function otherwise({ status }: HttpAnswer, envelope: Envelope | undefined): Rule {
  return status < 300 && envelope?.success === false ? REFUSED : NOT_AN_ANSWER;
}

function matches(rule: Rule, status: number, code: string, message: string): boolean {
  if (rule.code !== undefined && !rule.code.test(code)) return false;
  if (rule.words !== undefined && (status >= 300 || !rule.words.test(`${code} ${message}`))) return false;
  const [least, most] = rule.status ?? [0, 999];
  return status >= least && status <= most;
}

/** `x-acs-retry-after` is in milliseconds, `Retry-After` in seconds or a date. */
function retryHint(answer: HttpAnswer, nowMs: number): { readonly retryAfterMs?: number } {
  const given = answer.headers['x-acs-retry-after'];
  const own = given === undefined ? Number.NaN : Number(given);
  const hint = Number.isFinite(own) && own >= 0 ? own : retryAfterMs(answer.headers['retry-after'], nowMs);
  return hint === undefined ? {} : { retryAfterMs: hint };
}
