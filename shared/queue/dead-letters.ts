/** A message that failed too often. It waits until somebody replays or drops it. */
export interface DeadLetter {
  readonly id: string;
  readonly body: string;
  /** What was said at the last failure. */
  readonly reason: string;
  readonly attempts: number;
  /** Which trigger it comes from. */
  readonly from?: string;
  /** When it was sent at first, epoch milliseconds. */
  readonly sentAt?: number;
}

/** Where dead letters lie; for the tools of operators. Every method throws `Failure`. */
export interface DeadLetters {
  /** The oldest first, at most `limit`. */
  list(limit: number): Promise<readonly DeadLetter[]>;
  /** Sends it again, or what does the same; false if there is none of that id. Throws `unsupported` where that cannot be done from here. */
  replay(id: string): Promise<boolean>;
  /** Forgets it; false if there is none of that id. */
  drop(id: string): Promise<boolean>;
  close(): Promise<void>;
}
