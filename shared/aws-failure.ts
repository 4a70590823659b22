import { Failure, type FailureKind } from './core/failure.ts';

/** What an AWS SDK client throws, as far as it tells us anything (AWS SDK for JavaScript v3). */
interface SdkError {
  readonly name?: string;
  readonly code?: unknown;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number };
}

export interface AwsCall {
  /** What was done to what, for messages: `S3 put manifests/a.yaml`. */
  readonly what: string;
  /** Whether it can have changed something. */
  readonly writes: boolean;
  /** The service's own words stay out of the failure: for calls whose answers hold secrets. */
  readonly quiet?: boolean;
}

/** Refused before anything was done. `RequestThrottled` and `OverLimit` come with 403, `SlowDown` with 503. */
const THROTTLED = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequestsException',
  'LimitExceededException',
  'OverLimit',
  'SlowDown',
  'BandwidthLimitExceeded',
  'KmsThrottled',
  'KMS.ThrottlingException',
]);

/** The table, bucket or queue itself: a wrong setting or one that is being made, never an absent item. */
const NO_STORE = new Set([
  'ResourceNotFoundException',
  'NoSuchBucket',
  'QueueDoesNotExist',
  'AWS.SimpleQueueService.NonExistentQueue',
]);

/** Answered with 400, where other codes would mean that the request was malformed. */
const NO_RIGHT = new Set([
  'AccessDeniedException',
  'UnrecognizedClientException',
  'MissingAuthenticationTokenException',
  'MissingAuthenticationToken',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'InvalidClientTokenId',
  'ExpiredTokenException',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'DecryptionFailure',
  'OptInRequired',
]);

/** Nothing was sent: there was no connection. */
const UNSENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ERR_TLS|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SI)/;

/**
 * What an SDK call threw, as a `Failure`. A write without an answer that can be trusted (timeout, cut connection, 5xx,
 * unreadable answer) is `unknown-outcome`; the same for a read is `unavailable`.
 */
export function awsFailure(thrown: unknown, call: AwsCall): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as SdkError;
  const code = typeof error.code === 'string' ? error.code : (error.name ?? 'Error');
  const name = error.name ?? 'Error';
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const { kind, advice } = judge(name, code, status, unsent(name, code, error.message), call.writes);
  const label = name === 'Error' ? code : name;
  const words =
    call.quiet || error.message === undefined || error.message === '' ? label : `${label}: ${error.message}`;
  const requestId = error.$metadata?.requestId;
  return new Failure(kind, `${call.what} failed (${words.replace(/(?<![.\s])[.\s]+$/, '')}); ${advice}.`, {
    code: label,
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(call.quiet ? {} : { cause: thrown }),
  });
}

interface Verdict {
  readonly kind: FailureKind;
  readonly advice: string;
}

function judge(name: string, code: string, status: number | undefined, unsent: boolean, writes: boolean): Verdict {
  const either = [name, code];
  if (either.some((each) => THROTTLED.has(each)) || status === 429) {
    return { kind: 'throttled', advice: 'it is tried again later' };
  }
  if (either.some((each) => NO_STORE.has(each))) {
    return { kind: 'unavailable', advice: 'check the settings TABLE, BUCKET and QUEUE_URL, and the region' };
  }
  if (name === 'RequestTimeTooSkewed') return { kind: 'unavailable', advice: 'set the clock of this machine' };
  // KMS refusals come as `KMS.DisabledException`, `KmsAccessDenied` and the like, with 400 or 403.
  if (either.some((each) => NO_RIGHT.has(each) || /^kms/i.test(each)) || status === 401 || status === 403) {
    return { kind: 'denied', advice: 'give this function the right to do it (role, bucket or key policy)' };
  }
  if (unsent) return { kind: 'unavailable', advice: 'check the network and the region' };
  const lost = writes ? 'unknown-outcome' : 'unavailable';
  if (status === undefined || status < 300) return { kind: lost, advice: 'there was no answer that could be read' };
  if (status >= 500) return { kind: lost, advice: 'the service has a problem, it is tried again later' };
  if (status < 400) return { kind: 'unavailable', advice: 'it lives in another region; correct the region' };
  // 408: a request that never arrived whole; 409: two changes at once, one of which may go again.
  if (status === 408 || status === 409 || name === 'RequestTimeout') {
    return { kind: 'unavailable', advice: 'it is tried again later' };
  }
  return { kind: 'invalid', advice: 'the service does not take this request' };
}

function unsent(name: string, code: string, message = ''): boolean {
  // Both timeouts have one name; only this one is certain to have sent nothing.
  return UNSENT.test(code) || (name === 'TimeoutError' && message.includes('did not establish a connection'));
}
