import type * as z from 'zod';
import type { ColumnEdge, Entry, Job, Problem } from '../core/edge.ts';
import type { JsonObject } from '../core/json.ts';
import type { UnitTable } from '../core/unit-state.ts';
import type { Transport } from '../http/transport.ts';

export type { UnitTable } from '../core/unit-state.ts';

/**
 * A vendor is a plain object: its limits, how its names are written in a manifest, how edges become calls (pure),
 * and a client of optional verbs. What a vendor cannot do is simply absent. Add one by copying `_template/`.
 */
export interface Vendor {
  /** Folder name, manifest block name, and default target and secret name. */
  readonly name: string;
  /** For people, e.g. "Huawei DataArts Studio". */
  readonly title: string;
  /** Raise it whenever `units` would map the same entries differently: every owner is then planned again. */
  readonly mappingVersion: number;
  readonly limits: Limits;
  readonly abilities: Abilities;
  /**
   * Strict schemas of the vendor's blocks in a manifest; every key optional at this level, checked again by `units`.
   * `check` says what is wrong between the keys of a dataset block whose defaults are filled in (empty: nothing).
   */
  readonly blocks: {
    readonly dataset: z.ZodObject;
    readonly entry: z.ZodObject;
    check?(dataset: JsonObject): readonly string[];
  };
  /** Schema of the target's secret; its keys are in the vendor's README. */
  readonly secret: z.ZodType<JsonObject>;
  /** Identity of the account a secret points at; ledger rows are keyed by it. Holds no secret value. */
  account(secret: JsonObject): string;
  /** Splits entries into units, the pieces that one ledger row tracks. Pure and deterministic. */
  units(input: MappingInput): Mapping;
  /** Opens the account a secret describes. Cheap; nothing is sent until a verb is called. */
  connect(secret: JsonObject, io: VendorIo): VendorClient;
}

export interface Limits {
  /** Column edges that one register or withdraw call may carry. */
  readonly columnsPerCall: number;
  /** Default budget of an account. */
  readonly callsPerSecond: number;
  readonly callsPerDay?: number;
}

export interface Abilities {
  /** Repeating a register call adds nothing twice. Without it a possibly delivered call is never sent again unproved. */
  readonly repeatable: boolean;
  /** What was registered can be taken back. */
  readonly withdraw: boolean;
  /** What to tell a person when it cannot: what stays, and what to do by hand. */
  readonly withdrawHint?: string;
}

export interface MappingInput {
  readonly entries: readonly Entry[];
  readonly job?: Job;
  /** From `account(secret)`. */
  readonly account: string;
  readonly secret: JsonObject;
  /** Deployment name (stage), part of names that only we give. */
  readonly deployment: string;
}

export interface Mapping {
  readonly units: readonly Unit[];
  /** Edges that the vendor has no name for, with the reason; they withdraw nothing. */
  readonly unresolved: readonly Unresolved[];
}

/** What one row of the ledger tracks: at Dataphin a table pair, at DataArts one job node. */
export interface Unit {
  /** Stable hash over the resolved vendor names within the account; see `unitId`. */
  readonly id: string;
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  /** The vendor's own identity of the unit: all that `register` and `withdraw` need besides columns and options. */
  readonly spec: JsonObject;
  readonly columns: readonly ColumnEdge[];
  /** Merged across owners key by key (contract.md 3.3). */
  readonly options: JsonObject;
  /** Option names whose change is not worth a call (they say how to call, not what is shown). */
  readonly quietOptions?: readonly string[];
  /** Manifest paths it comes from, for messages. */
  readonly paths: readonly string[];
  readonly warnings?: readonly Problem[];
}

export interface Unresolved {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** One call to be made about one unit. `columns` never exceeds `limits.columnsPerCall`. */
export interface Call {
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  readonly spec: JsonObject;
  readonly columns: readonly ColumnEdge[];
  readonly options: JsonObject;
}

export interface WithdrawCall extends Call {
  /** Whether the table edge goes with its last column. */
  readonly cascade: boolean;
}

export interface CallOptions {
  /** No attempt may still be running after this instant (epoch milliseconds). */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface Receipt {
  /** The vendor's RequestId or qualified_name. */
  readonly receipt: string;
  /** An earlier attempt of the same call got no trustworthy answer and may still be applied. */
  readonly ambiguous: boolean;
}

/** The verbs of one account. Each throws a `Failure`; retries happen inside (at most 3 attempts). */
export interface VendorClient {
  register?(call: Call, options: CallOptions): Promise<Receipt>;
  withdraw?(call: WithdrawCall, options: CallOptions): Promise<Receipt>;
  /** Whether the vendor already shows the table edge, and which of its columns. */
  present?(call: Call, options: CallOptions): Promise<Presence>;
}

export interface Presence {
  readonly edge: boolean;
  readonly columns: readonly ColumnEdge[];
}

/** What a client needs from outside; nothing else reaches clock, randomness or network. */
export interface VendorIo {
  readonly transport: Transport;
  /** Epoch milliseconds. */
  now(): number;
  /** A fresh unique string for every attempt (32 hex characters). */
  nonce(): string;
  /** 0 ≤ x < 1, for jitter. */
  random(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Waits until the account's budget allows one more call; rejects when that is after `deadlineMs`. */
  permit(deadlineMs: number): Promise<void>;
}
