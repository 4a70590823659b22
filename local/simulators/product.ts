import type { IncomingHttpHeaders } from 'node:http';
import type { AnsweringFault } from './faults.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A request as it came off the wire, before anything was decoded. */
export interface Arrived {
  readonly method: string;
  /** Raw path, still percent-encoded. */
  readonly path: string;
  /** Raw query without the question mark; empty when there is none. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What goes back, plus the word that `GET /_sandbox/calls` shows for it: `ok` or the vendor's error code. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Json;
  readonly outcome: string;
}

/** The verdict on a request: refused at the door, or an authenticated call that can be performed once, now or later. */
export type Admission =
  | { readonly operation: string; readonly refusal: Answer }
  | {
      readonly operation: string;
      /** The decoded body, for the call log. */
      readonly request: Json;
      /** Validates, applies and answers. Whatever it changes is on disk when it returns. */
      perform(): Answer;
      /** A side door (the token endpoint): spared by limits, and by faults that do not name it. */
      readonly aside?: true;
    };

/** One vendor's surface; everything that all simulators share is around it. */
export interface Product {
  readonly name: string;
  readonly operations: readonly string[];
  /** Bytes that a request body may have. */
  readonly bodyLimit: number;
  admit(arrived: Arrived): Admission;
  tooLarge(arrived: Arrived): Answer;
  fault(kind: AnsweringFault, arrived: Arrived): Answer;
  /** The answer of `GET /_sandbox/lineage`. */
  lineage(): Json;
  readonly modes: ModeBoard;
  readonly limits: Replaceable & { current(): Limits };
  readonly seed: Replaceable;
  close(): void;
}

/** Calls a simulator takes before it throttles; absent = no limit. */
export interface Limits {
  readonly callsPerSecond?: number | undefined;
  readonly callsPerDay?: number | undefined;
}

/** A setting that `PUT /_sandbox/…` replaces as a whole. */
export interface Replaceable {
  read(): Json;
  /** The problems if the value is wrong (then nothing changes). */
  replace(value: unknown): readonly string[];
}

/** The switches of a simulator, for `GET` and `PUT /_sandbox/modes`. */
export interface ModeBoard {
  describe(): Json;
  /** Changes the switches named and leaves the others; the problems if any name or value is wrong (then nothing changes). */
  change(wanted: unknown): readonly string[];
}
