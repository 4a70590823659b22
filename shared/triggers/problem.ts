import { STATUS_CODES } from 'node:http';
import type { Problem } from '../core/edge.ts';
import { asFailure, Failure, type FailureKind } from '../core/failure.ts';
import type { Answer, Route } from './http.ts';

/**
 * An RFC 9457 problem document; `errors` lists every single thing that is wrong with the request. It is always there, and empty where
 * `detail` says all.
 */
export function problem(status: number, detail: string, errors: readonly Problem[] = []): Answer {
  const document = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, errors };
  return {
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: `${JSON.stringify(document, null, 2)}\n`,
  };
}

const STATUS: Readonly<Record<FailureKind, number>> = {
  invalid: 400,
  denied: 403,
  missing: 404,
  conflict: 409,
  unsupported: 501,
  rejected: 422,
  throttled: 503,
  unavailable: 503,
  'unknown-outcome': 503,
};

/** What our own codes are told as, whatever the kind. */
const STATUS_OF_CODE: ReadonlyMap<string | undefined, number> = new Map([
  ['not-acceptable', 406],
  ['precondition-failed', 412],
  ['too-large', 413],
]);

/** Asks a client to send the same again: the one answer that every client tries again on that tries again at all. */
export function comeAgain(detail: string): Answer {
  const answer = problem(503, `${detail}; send the request again`);
  return { ...answer, headers: { ...answer.headers, 'retry-after': '1' } };
}

/** The answer where no route takes a request: other methods would do (405), or there is nothing at all (404). */
export function unserved(method: string, path: string, allowed: readonly string[]): Answer {
  if (allowed.length === 0) return problem(404, `there is nothing at ${path.slice(0, 200)}`);
  const answer = problem(405, `${method} is not offered here; use ${allowed.join(' or ')}`);
  return { ...answer, headers: { ...answer.headers, allow: allowed.join(', ') } };
}

/** The answer to a request that is larger than this many bytes. */
export function requestTooLarge(
  bytes: number,
  { instead = 'drop larger manifests into the bucket under manifests/' }: Pick<Route, 'instead'> = {},
): Answer {
  return problem(413, `a request may have ${bytes} bytes; ${instead}`);
}

/** What middy throws when the time of an invocation is up. */
const TIMES_UP: ReadonlySet<unknown> = new Set(['TimeoutError', 'AbortError']);

/** What a caller is told of an error. What is not a `Failure` is our own fault: it says so, and no more. */
export function problemOf(thrown: unknown): Answer {
  if (thrown instanceof Error && TIMES_UP.has(thrown.name)) return comeAgain('there was no time for all of it');
  if (!(thrown instanceof Failure)) return problem(500, 'an unexpected error; the log has it');
  const failure = asFailure(thrown);
  const status = STATUS_OF_CODE.get(failure.code) ?? STATUS[failure.kind];
  const answer = problem(status, failure.message);
  return status === 503 ? { ...answer, headers: { ...answer.headers, 'retry-after': '5' } } : answer;
}
