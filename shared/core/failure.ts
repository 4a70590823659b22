/**
 * What can go wrong, as a closed list. Everything a vendor, a network or a store can do to us is one of these.
 *
 * - `invalid` the request is malformed; sending it again changes nothing
 * - `denied` credentials, permission or tenant are wrong; somebody has to change a setting or a right
 * - `missing` what the request names does not exist at the vendor
 * - `conflict` the vendor already holds something that excludes this
 * - `unsupported` the vendor has no way to do it
 * - `rejected` the vendor refuses this content for a reason of its own
 * - `throttled` too many calls; nothing was done
 * - `unavailable` the other side could not work now
 * - `unknown-outcome` sent, and no answer that can be trusted: it may have been done
 */
export type FailureKind =
  | 'invalid'
  | 'denied'
  | 'missing'
  | 'conflict'
  | 'unsupported'
  | 'rejected'
  | 'throttled'
  | 'unavailable'
  | 'unknown-outcome';

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['throttled', 'unavailable', 'unknown-outcome']);

export interface FailureDetails {
  /** The vendor's own code, e.g. `APIGW.0308`. */
  readonly code?: string;
  /** HTTP status of the answer, if there was one. */
  readonly status?: number;
  /** The vendor's request id, to quote to its support. */
  readonly requestId?: string;
  /** The vendor's own words, without secrets. */
  readonly words?: string;
  /** How long the vendor asked to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /**
   * Whether the vendor may have carried the call out all the same. Always true for `unknown-outcome`;
   * for `unavailable` true when a server answered (5xx), false when nothing was ever sent.
   */
  readonly maybeApplied?: boolean;
  /** How many bytes it had, if it was too large. */
  readonly size?: number;
  readonly cause?: unknown;
}

/** The one error class. Its message says what happened and what to do next, and never holds a secret. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly words: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly maybeApplied: boolean;
  readonly size: number | undefined;

  constructor(kind: FailureKind, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.code = details.code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.words = details.words;
    this.retryAfterMs = details.retryAfterMs;
    this.maybeApplied = details.maybeApplied ?? kind === 'unknown-outcome';
    this.size = details.size;
  }

  /** Whether a later attempt of the very same call can succeed without anybody changing anything. */
  get retryable(): boolean {
    return RETRYABLE.has(this.kind);
  }
}

/** What a vendor answered that was no success. */
export type VendorAnswer = {
  /** HTTP status. */
  readonly status: number;
  readonly code?: string;
  readonly words?: string;
};

/** The answer behind a failure; undefined when there was none. */
export function answerOf({ status, code, words }: Failure): VendorAnswer | undefined {
  if (status === undefined) return undefined;
  return { status, ...(code === undefined ? {} : { code }), ...(words === undefined ? {} : { words }) };
}

/** Any thrown value as a Failure; what is not one already is a bug or a store's error, hence `unknown-outcome`. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure('unknown-outcome', message, { cause: thrown });
}
