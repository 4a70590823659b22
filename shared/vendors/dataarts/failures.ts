import { Failure, type FailureDetails, type FailureKind } from '../../core/failure.ts';
import { retryAfterMs } from '../../http/retry.ts';
import type { HttpAnswer } from '../../http/transport.ts';
import { parseAnswer, vendorText } from '../vendor-text.ts';
import { errorSchema } from './wire.ts';

interface Rule {
  readonly code?: RegExp;
  readonly status: readonly [least: number, most: number];
  readonly kind: FailureKind;
  /** What a person should look at. */
  readonly advice: string;
  /** The same where an IAM user signs in and not a key. */
  readonly tokenAdvice?: string;
}

const exactly = (status: number) => [status, status] as const;
const KEYS = '"ak" and "sk" in the target\'s secret';
const TOKEN =
  'DataArts takes no token of this IAM user, not even a new one: check "iam_endpoint", "region" and "project_id" in the target\'s secret, which must be of one region';
const USER_ROLE = 'Give the user of "iam_user" the role DAYU Administrator, or DAYU User with a role in the workspace';
const SUPPORT = 'If it lasts, take the request id to Huawei Cloud support';
const CONFIG =
  'The API itself is not set up right at this endpoint. Check "endpoint" or "region" in the target\'s secret';
const DOUBT = 'The node may have been created; look for it in DataArts Catalog before doing it by hand';

/**
 * First match wins. The HTTP status decides, because one code stands for up to six of them and the service's own codes are
 * not published; APIGW codes refine the advice (Huawei, "API Request Signing Guide", error codes, read 2026-11).
 */
const RULES: readonly Rule[] = [
  {
    status: exactly(429),
    kind: 'throttled',
    advice: 'Lower "calls_per_second" in the target\'s secret if this repeats; nothing was done',
  },
  {
    code: /^APIGW\.0613/,
    status: exactly(503),
    kind: 'unavailable',
    advice: `Huawei's IAM cannot be reached by its gateway; nothing was done. ${SUPPORT}`,
  },
  { status: [500, 599], kind: 'unknown-outcome', advice: DOUBT },
  { status: exactly(408), kind: 'unknown-outcome', advice: DOUBT },
  {
    code: /^APIGW\.0301/,
    status: exactly(401),
    kind: 'denied',
    advice: `${KEYS} are wrong. Correct them before trying again: after 5 failures in a row Huawei locks the caller out for 5 minutes`,
    tokenAdvice: TOKEN,
  },
  {
    code: /^APIGW\.0303/,
    status: exactly(401),
    kind: 'denied',
    advice: `The clock of this machine is more than 15 minutes off, or ${KEYS} are wrong; set the clock first`,
  },
  {
    code: /^APIGW\.0307/,
    status: exactly(401),
    kind: 'denied',
    advice: '"security_token" in the target\'s secret has expired or belongs to another region; renew it',
    tokenAdvice: TOKEN,
  },
  {
    status: exactly(401),
    kind: 'denied',
    advice: `Check ${KEYS}, and "security_token" if they are temporary`,
    tokenAdvice: TOKEN,
  },
  {
    code: /^APIGW\.0310/,
    status: exactly(403),
    kind: 'denied',
    advice: '"project_id" in the target\'s secret is not available',
  },
  {
    code: /^APIGW\.(0302|0304|0306)/,
    status: exactly(403),
    kind: 'denied',
    advice: 'Give the user of "ak" the role DAYU Administrator, or DAYU User with a role in the workspace',
    tokenAdvice: USER_ROLE,
  },
  {
    code: /^APIGW\.(0401|0402|0404)/,
    status: exactly(403),
    kind: 'denied',
    advice: 'The IP address of this machine is not allowed at Huawei; have it allowed',
  },
  {
    code: /^APIGW\.(0801|0802)/,
    status: exactly(403),
    kind: 'denied',
    advice: 'The service or user is not available in this region. Check "region" or "endpoint" in the target\'s secret',
  },
  {
    status: exactly(403),
    kind: 'denied',
    advice:
      'Give the user of "ak" a role in the workspace, and check "project_id" and "workspace_id" in the target\'s secret',
    tokenAdvice: USER_ROLE,
  },
  {
    code: /^APIGW\.0101/,
    status: exactly(404),
    kind: 'missing',
    advice:
      '"endpoint" or "region" in the target\'s secret does not lead to the DataArts Catalog API (dayu.<region>.myhuaweicloud.com)',
  },
  { code: /^APIGW\.0103/, status: exactly(404), kind: 'missing', advice: CONFIG },
  {
    status: exactly(404),
    kind: 'missing',
    advice:
      'Check "project_id" and "workspace_id" in the target\'s secret, and connectionId or connectionName in the manifest',
  },
  {
    code: /^APIGW\.(0501|0502)/,
    status: exactly(405),
    kind: 'denied',
    advice: "The app's quota is used up or it is frozen; have it raised or freed",
  },
  { status: exactly(405), kind: 'rejected', advice: CONFIG },
  { status: exactly(409), kind: 'conflict', advice: 'DataArts holds something that excludes this' },
  { status: [413, 414], kind: 'invalid', advice: 'The call is too large (bodies up to 12 MB): split the entry' },
  {
    status: exactly(494),
    kind: 'invalid',
    advice: 'The headers are too large: check "security_token" and "workspace_id" in the target\'s secret',
  },
  { code: /^APIGW\.(0104|0105|0106|0607)/, status: exactly(400), kind: 'invalid', advice: CONFIG },
  {
    status: exactly(400),
    kind: 'invalid',
    advice: 'Correct what it names in the manifest\'s dataarts blocks, and check "workspace_id"',
  },
  {
    status: [300, 399],
    kind: 'rejected',
    advice: 'Redirects are not followed: "endpoint" in the target\'s secret must be the final address',
  },
  { status: [400, 499], kind: 'rejected', advice: `Check "endpoint" in the target's secret. ${SUPPORT}` },
];

const OTHERWISE: Omit<Rule, 'status'> = { kind: 'unknown-outcome', advice: DOUBT };

/** The Failure for an answer that is not a success. `secrets` are cut out of the vendor's words. */
export function failureOf(
  operation: string,
  answer: HttpAnswer,
  secrets: readonly (string | undefined)[],
  nowMs: number,
  signIn: 'keys' | 'token' = 'keys',
): Failure {
  const parsed = errorSchema.safeParse(parseAnswer(answer.body));
  const body = parsed.success ? parsed.data : {};
  const code = vendorText(body.error_code ?? String(body.error?.code ?? ''), secrets);
  const words = vendorText(body.error_msg ?? body.error?.message ?? body.encoded_authorization_message ?? '', secrets);
  const requestId = vendorText(answer.headers['x-request-id'] ?? body.request_id ?? '', secrets);
  const rule = RULES.find((each) => matches(each, answer.status, code)) ?? OTHERWISE;
  const hint = retryAfterMs(answer.headers['retry-after'], nowMs);
  const details: FailureDetails = {
    status: answer.status,
    ...(code === '' ? {} : { code }),
    ...(requestId === '' ? {} : { requestId }),
    ...(words === '' ? {} : { words }),
    ...(hint === undefined ? {} : { retryAfterMs: hint }),
  };
  const label = [`HTTP ${answer.status}`, ...(code === '' ? [] : [code])].join(', ');
  const advice = (signIn === 'token' ? rule.tokenAdvice : undefined) ?? rule.advice;
  const outcome = rule.kind === 'unknown-outcome' ? 'gave no usable answer to' : 'did not carry out';
  return new Failure(
    rule.kind,
    `DataArts ${outcome} ${operation} (${label})${words === '' ? '' : `: "${words}"`}. ${advice}.`,
    details,
  );
}

function matches(rule: Rule, status: number, code: string): boolean {
  const [least, most] = rule.status;
  return status >= least && status <= most && (rule.code === undefined || rule.code.test(code));
}
