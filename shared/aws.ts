import { setTimeout as delay } from 'node:timers/promises';
import { type AwsCall, awsFailure } from './aws-failure.ts';
import { Failure } from './core/failure.ts';
import { type Attempted, attempts } from './http/retry.ts';

export interface AwsOptions {
  /** The longest one attempt may take, its answer's body included, in milliseconds; default 2,000. */
  readonly attemptMs?: number;
  /** The longest one call of a port may take with all its attempts and waits, in milliseconds; default 5,000. */
  readonly callMs?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
}

/** How one call of a port talks to AWS; everything it sends shares one deadline. */
export interface AwsSession {
  /**
   * Sends at most three times. `send` must pass the signal on to the SDK. Throws `Failure`: one that `maybeApplied` is an
   * `unknown-outcome`, whatever the last attempt said. `ambiguous` of a success: an earlier attempt may have been carried out.
   */
  send<T>(call: AwsCall, send: (signal: AbortSignal) => Promise<T>): Promise<Attempted<T>>;
  /** Waits before round `round` (0, 1, …) of asking again for what the service left out; false when there is no time for it. */
  pause(round: number): Promise<boolean>;
}

const MAX_ATTEMPTS = 3;
const CONNECT_MS = 1_000;

/**
 * Settings that every SDK client has. The SDK itself never retries: it would not tell whether an earlier attempt may have
 * been carried out, and a conditional write must know that.
 */
export const AWS_CLIENT = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: 30_000, throwOnRequestTimeout: true },
} as const;

/** Opens a session for each call of a port. */
export function awsSessions(options: AwsOptions = {}): () => AwsSession {
  const { attemptMs = 2_000, callMs = 5_000, now = Date.now, random = Math.random } = options;
  const sleep = options.sleep ?? ((ms: number) => delay(ms));
  return () => {
    const deadlineMs = now() + callMs;
    return {
      async send(call, send) {
        const attempt = () => {
          const leftMs = Math.max(1, Math.min(attemptMs, deadlineMs - now()));
          return within(leftMs, send).catch((thrown: unknown) => {
            throw awsFailure(thrown, call);
          });
        };
        try {
          return await attempts(attempt, { max: MAX_ATTEMPTS, deadlineMs, now, sleep, random, repeatable: true });
        } catch (thrown) {
          throw inDoubt(awsFailure(thrown, call));
        }
      },
      async pause(round) {
        const waitMs = random() * 50 * 2 ** Math.min(round, 6);
        if (now() + waitMs >= deadlineMs) return false;
        await sleep(waitMs);
        return true;
      },
    };
  };
}

/** Rejects after `ms`, whatever hangs: the name server, the credentials, the connection or the answer's body. */
async function within<T>(ms: number, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const late = new Promise<never>((_, reject) => {
    // Before the SDK listens, so that the reason it gives for its own end does not come first.
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  });
  const reason = Object.assign(new Error(`no answer within ${Math.round(ms)} ms`), { name: 'TimeoutError' });
  const timer = setTimeout(() => controller.abort(reason), ms);
  try {
    return await Promise.race([late, send(controller.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throttled or refused after a lost attempt is no "nothing was done". */
function inDoubt(failure: Failure): Failure {
  if (!failure.maybeApplied || failure.kind === 'unknown-outcome') return failure;
  return new Failure('unknown-outcome', failure.message, {
    cause: failure,
    ...(failure.code === undefined ? {} : { code: failure.code }),
    ...(failure.status === undefined ? {} : { status: failure.status }),
    ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
  });
}
