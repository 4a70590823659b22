import { Failure } from '../../shared/core/failure.ts';
import type { ScanEnd } from './flink-scan.ts';

/** Whose trouble it is that a deployment was not read, as far as its failure tells. */
export type Whose = 'its own' | 'the account' | 'no time' | 'ours';

/** What Flink, or the way to it, said of one deployment. Unless it is the account's matter, others are read all the same. */
export function whoseOf(failure: Failure, now: number, deadlineMs: number): Exclude<Whose, 'ours'> {
  if (outOfTime(failure, now, deadlineMs)) return 'no time';
  // The kinds of an open circuit and of a spent budget, too.
  const refused = failure.kind === 'denied' || failure.kind === 'throttled';
  return refused || neverSent(failure) ? 'the account' : 'its own';
}

/** The same for the list of a namespace: answers that say no to it say nothing of others. */
export function whoseList(failure: Failure, now: number, deadlineMs: number): Exclude<Whose, 'ours'> {
  const whose = whoseOf(failure, now, deadlineMs);
  return whose === 'the account' && failure.kind === 'denied' && failure.status !== undefined ? 'its own' : whose;
}

/** What people are told of a namespace whose list failed while others were read. */
export function unlistedWords(namespace: string, { message }: Failure): string {
  return `namespace ${JSON.stringify(namespace)} could not be listed, so nothing of it is read or withdrawn: ${message}`;
}

/** How a scan ends at such a failure. */
export function endOf(whose: Exclude<Whose, 'its own'>): ScanEnd {
  if (whose === 'ours') return 'anew';
  return whose === 'no time' ? 'partial' : 'failed';
}

/** What people are told when an account was not read to the end. */
export function endedWords(whose: Exclude<Whose, 'its own'>, { message }: Failure): string {
  if (whose === 'ours') {
    return `what Flink shows could not be taken in, so reading it ended, nothing is withdrawn and the next pass begins anew: ${message}`;
  }
  const then = whose === 'no time' ? 'there was no time left; the next pass goes on' : 'nothing is withdrawn';
  return `Flink could not be read to the end, ${then}: ${message}`;
}

/** The same when many deployments in a row have been refused for some passes. The list was whole, so the scan may go on. */
export function manyWords({ message }: Failure): string {
  return `Flink refuses many deployments, so the next pass goes on with the others: ${message}`;
}

/** What people are told of a deployment that is left as it is. */
export function failedWords(whose: Whose, { message }: Failure): string {
  return whose === 'ours'
    ? `what Flink shows for it could not be taken in: ${message}`
    : `its lineage could not be read, so what it declared stays: ${message}`;
}

/**
 * There was no way to Flink: the transport says what stood in it, or a code that no answer gave says that our own budget could
 * not be read. Answers that cannot be read or were cut off are no such thing.
 */
function neverSent({ kind, code, status, maybeApplied, cause }: Failure): boolean {
  if (kind !== 'unavailable' || status !== undefined || maybeApplied) return false;
  return code !== undefined || (cause !== undefined && !(cause instanceof Failure));
}

/** What it waits for (the account's budget, mostly) comes after the deadline. */
function outOfTime({ retryable, retryAfterMs = 0 }: Failure, now: number, deadlineMs: number): boolean {
  return retryable && now + retryAfterMs + 1_000 >= deadlineMs;
}
