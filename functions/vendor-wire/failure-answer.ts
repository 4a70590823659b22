import { Failure } from '../../shared/core/failure.ts';
import type { Refusal } from '../../shared/triggers/vendor-signature.ts';
import type { Services } from '../../shared/wiring.ts';
import type { Verdict } from './outcome.ts';

/** How one vendor says the common things. */
export interface Wording {
  readonly invalid: Omit<Refusal, 'message'>;
  readonly denied: Omit<Refusal, 'message'>;
  readonly throttled: Omit<Refusal, 'message'>;
  readonly unavailable: Omit<Refusal, 'message'>;
}

/** What a caller is told of an error, in the vendor's words; what is nobody's fault but ours is only logged in full. */
export function refusalOf(thrown: unknown, wording: Wording, services: Services): Refusal {
  if (!(thrown instanceof Failure)) {
    services.log.error('request failed', { reason: thrown instanceof Error ? thrown.message : String(thrown) });
    return { ...wording.unavailable, message: 'An unexpected error; the log has it.' };
  }
  const { kind, code, status } = thrown;
  const message = shortened(thrown.message);
  switch (kind) {
    case 'invalid':
    case 'conflict':
      // A code of our own, `too-large` say, is no code of a vendor.
      return {
        ...wording.invalid,
        ...(code && /^[A-Z]/.test(code) ? { code } : {}),
        ...(status ? { status } : {}),
        message,
      };
    case 'missing':
      return { ...wording.invalid, status: 404, ...(code && /^[A-Z]/.test(code) ? { code } : {}), message };
    case 'denied':
      return { ...wording.denied, ...(code ? { code } : {}), ...(status ? { status } : {}), message };
    case 'throttled':
      return { ...wording.throttled, message };
    default:
      return { ...wording.unavailable, message };
  }
}

/** Of a body that is wrong all over, the beginning is enough. */
const LONGEST_MESSAGE = 2_000;

function shortened(message: string): string {
  return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE - 1).toWellFormed()}…`;
}

/** A vendor's refusal handed on: in its status and code where it gave some that are an error's. */
export function relayed(verdict: Exclude<Verdict, { kind: 'done' }>, wording: Wording): Refusal {
  const standard = verdict.kind === 'rejected' ? wording.invalid : wording.unavailable;
  const status = verdict.status !== undefined && verdict.status >= 400 ? verdict.status : standard.status;
  return { status, code: verdict.code ?? standard.code, message: verdict.message };
}
