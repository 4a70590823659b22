import { Failure } from '../core/failure.ts';

/**
 * A refusal that says nothing of the account: only what it was about has to wait until somebody gives the right, and is tried again by
 * itself. `more` says what it was about.
 */
export function ofEntry(failure: Failure, more: string): Failure {
  const { message, status, code, words, requestId, maybeApplied } = failure;
  return new Failure('missing', `${message} ${more}`, {
    maybeApplied,
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    ...(words === undefined ? {} : { words }),
    ...(requestId === undefined ? {} : { requestId }),
  });
}
