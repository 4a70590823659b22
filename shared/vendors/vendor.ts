import type * as z from 'zod';
import type { ColumnEdge, Entry, Job, Problem } from '../core/edge.ts';
import type { Failure } from '../core/failure.ts';
import type { JsonObject } from '../core/json.ts';
import type { VendorBlocks } from '../core/manifest-schema.ts';
import type { UnitTable } from '../core/unit-state.ts';
import type { Lane } from '../http/budget.ts';
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
   * Strict schemas of the vendor's blocks in a manifest; every key optional at this level, checked again by `units`. Without `entry` lineage can
   * only be read: such a vendor is no target of a manifest.
   */
  readonly blocks: VendorBlocks;
  /** Schema of the target's secret; its keys are in the vendor's README. */
  readonly secret: z.ZodType<JsonObject>;
  /** Identity of the account a secret points at; ledger rows are keyed by it. Holds no secret value. */
  account(secret: JsonObject): string;
  /** How a dataset block is called in `UnitTable.name`; undefined for a block that names no table. */
  label?(block: JsonObject): string | undefined;
  /** The block that `label` calls so; undefined where the text leaves it open. */
  block?(label: string): JsonObject | undefined;
  /** A unit as a manifest would say it: the blocks of its tables and the options of its entry. The reverse of `units`. */
  written?(unit: Pick<Unit, 'spec' | 'options'>, deployment: string): Written;
  /** Splits entries into units, the pieces that one ledger row tracks. Pure and deterministic. */
  units(input: MappingInput): Mapping;
  /** What must be so at the vendor before this works, and cannot be seen from here; for people. */
  readonly prerequisites?: readonly string[];
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
  /** Merged across owners key by key. */
  readonly options: JsonObject;
  /** Option names whose change is not worth a call (they say how to call, not what is shown). */
  readonly quietOptions?: readonly string[];
  /** Manifest paths it comes from, for messages. */
  readonly paths: readonly string[];
  readonly warnings?: readonly Problem[];
}

/** What a manifest would have to say for a unit to come out of it. */
export interface Written {
  readonly from: readonly JsonObject[];
  readonly to: readonly JsonObject[];
  readonly options: JsonObject;
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
  /** Which share of the account's budget it takes; its own unless given. */
  readonly lane?: Lane;
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
  /**
   * Receipts of everything at the vendor that looks like what this call would make, or may have made. An empty list is proof that there is
   * nothing. Absent when the account cannot be read.
   */
  locate?(call: Call, options: CallOptions): Promise<readonly string[]>;
  /** Whether the vendor already shows the table edge, and which of its columns. */
  present?(call: Call, options: CallOptions): Promise<Presence>;
  /**
   * What the vendor shows of each of these units now, in their order, for few calls: units that share a table are read together. Throws
   * for all when it cannot be read; a list that changed while it was read is `unavailable`.
   */
  verify?(units: readonly Call[], options: VerifyOptions): Promise<readonly Sight[]>;
  /** A read that changes nothing and shows whether the account takes our credentials; absent where nothing can be read. */
  probe?(options: CallOptions): Promise<void>;
  /** Lineage that the vendor found out by itself, asked live. Nothing known about an existing start is an empty answer, not a failure. */
  lineage?(query: LineageQuery, options: CallOptions): Promise<VendorLineage>;
  /** All lineage that the vendor lists, asked live; absent where it has no such list, or it may not be read. */
  everything?(options: CallOptions): Promise<VendorLineage>;
  /**
   * What runs there and may have lineage. Each comes once; when the list has changed too much while it was read, it ends with
   * a retryable `Failure`, so what did not come by the end is not there.
   */
  pipelines?(filter: PipelineFilter, options: CallOptions): AsyncIterable<Pipeline>;
  /** Ids of the jobs of a pipeline that run; if none runs, of its latest. Empty when it never ran. */
  jobsOf?(pipeline: Pick<Pipeline, 'id' | 'namespace'>, options: CallOptions): Promise<readonly string[]>;
}

/** Where to start, which way and how far to look. */
export interface LineageQuery {
  /** `job`: a job id, or id or name of its pipeline; `jobId`: a job id and nothing else; `table`: the vendor's id (or GUID) of a table. */
  readonly start: { readonly job: string } | { readonly jobId: string } | { readonly table: string };
  /** Part of the account to look in; default: the one of the secret. */
  readonly namespace?: string;
  readonly direction: 'upstream' | 'downstream' | 'both';
  /** How many edges away from the start; at least 1. */
  readonly depth: number;
  readonly level: 'table' | 'column';
  /** Whether a temporary table is meant. */
  readonly temporary: boolean;
}

/** Secrets in `details` are masked already. */
export interface VendorLineage {
  readonly tables: readonly LineageTable[];
  readonly edges: readonly LineageEdge[];
  readonly jobs: readonly LineageJob[];
  /** Request ids of the vendor. */
  readonly receipts: readonly string[];
  /** Indexes of tables beyond which nothing more was asked, because it would have been too much. */
  readonly unread?: readonly number[];
}

export interface LineageTable {
  /** Unique in the answer: the vendor's own name, or the text of an edge's end that names no known table. */
  readonly name: string;
  /** As a manifest would say it; absent when the end is not resolved. */
  readonly block?: JsonObject;
  /** It exists only while a job runs. */
  readonly temporary?: true;
  /** What the vendor tells besides, under its own field names. */
  readonly details?: JsonObject;
}

export interface LineageEdge {
  /** Indexes into `tables`. */
  readonly from: number;
  readonly to: number;
  /** Ids of the jobs that make it. */
  readonly jobs: readonly string[];
  readonly columns: readonly { readonly from: string; readonly to: string }[];
}

export interface LineageJob {
  readonly id: string;
  readonly details: JsonObject;
}

export interface PipelineFilter {
  readonly namespace?: string;
  readonly name?: string;
  /** Any of the values; without values any. */
  readonly label?: { readonly key: string; readonly values?: readonly string[] };
  /** In the vendor's words, e.g. `RUNNING`. */
  readonly status?: string;
  /** `later`: without their jobs, which cost a call per pipeline; ask with `jobsOf`. */
  readonly jobs?: 'later';
}

/** What was deployed and runs as jobs. */
export interface Pipeline {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Ids of the jobs that run; if none runs, of the latest. */
  readonly jobs: readonly string[];
}

export interface Presence {
  readonly edge: boolean;
  readonly columns: readonly ColumnEdge[];
}

export interface VerifyOptions extends CallOptions {
  /** Also tell what else is there, where that takes a read more. */
  readonly others?: boolean;
}

/** What a vendor shows of one unit. */
export interface Sight extends Presence {
  /** False where this unit cannot be read at all (no GUID): nothing is known then. */
  readonly readable: boolean;
  /** Receipts of the nodes that look like this unit, at a vendor that keeps one per call. */
  readonly nodes?: readonly string[];
  /** Every receipt that the complete list holds; what is not in it is not there. */
  readonly all?: ReadonlySet<string>;
  /** When the list was read (epoch ms), if that was before it was asked for. */
  readonly at?: number;
  /** Other lineage that came with it, as pairs of the vendor's names: whose it is, only the ledger knows. */
  readonly others: readonly { readonly from: string; readonly to: string }[];
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
  permit(deadlineMs: number, lane?: Lane): Promise<void>;
  /** Told of every attempt that failed, also when another one follows. */
  readonly failed?: ((failure: Failure) => void) | undefined;
}
