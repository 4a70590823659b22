import type { Failure } from '../core/failure.ts';

/** Code of the `denied` failure that our own circuit throws: nothing was sent. */
export const CIRCUIT_OPEN = 'circuit-open';

/**
 * Whether an account may be called at all. Opens at once when the account refuses our credentials, for every convergence that shares
 * it, because more of the same may lock it (Huawei: five minutes after five failures).
 */
export interface Circuit {
  /** Tells one secret of the account from the next; too short to guess a secret from. */
  readonly secret: string;
  /** Learns what other processes know, with one read at most, and takes its turn to try when that has come, or a person asked (epoch ms). */
  look(askedAt?: number): Promise<void>;
  /** Why nothing may be sent now, and until when; undefined: go on. */
  refusal(): Failure | undefined;
  /**
   * Makes a call, alone while nobody knows whether the account takes our credentials. Throws what the call throws, or `Failure`
   * `denied` with code `CIRCUIT_OPEN` when nothing was sent.
   */
  run<T>(deadlineMs: number, call: () => Promise<T>): Promise<T>;
}
