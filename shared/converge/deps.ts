import type { Problem } from '../core/edge.ts';
import type { JsonObject } from '../core/json.ts';
import type { Naming } from '../core/naming.ts';
import type { PolicyLimits } from '../core/policy.ts';
import type { Circuit } from '../http/circuit.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../log.ts';
import type { Manifests } from '../manifests/manifests.ts';
import type { Metrics } from '../metrics.ts';
import type { Lines, Parse } from '../parse.ts';
import type { Queue } from '../queue/queue.ts';
import type { Vendor, VendorClient } from '../vendors/vendor.ts';
import type { LedgerCheck } from './lost-ledger.ts';

/** One configured account of a vendor. */
export interface Target {
  /** `dataphin`, `dataarts/finance` */
  readonly name: string;
  readonly vendor: Vendor;
  readonly account: string;
  readonly secret: JsonObject;
  readonly client: VendorClient;
  /** What may be done there; `sync` unless given. */
  readonly mode?: TargetMode;
  /** It is report-only because the ledger was restored, whatever its mode is. */
  readonly restored?: true;
  /** It is not called: what is registered counts as there already, on a person's word. */
  readonly assumed?: true;
  /** What the account allows; absent: no limit. */
  readonly budget?: { readonly callsPerSecond?: number; readonly callsPerDay?: number };
  /** Whether the account takes our credentials; absent: nobody keeps count. */
  readonly circuit?: Circuit;
}

/**
 * `sync`: the vendor is made to show what is declared; `upsert-only`: nothing is withdrawn there; `report-only`: nothing is sent there at
 * all. What is not done waits, and is done when the mode is `sync` again.
 */
export type TargetMode = 'sync' | 'upsert-only' | 'report-only';

export interface Targets {
  readonly list: readonly Target[];
  /** Targets that are not usable now, and why; nothing is withdrawn from them. */
  readonly problems: readonly TargetProblem[];
}

export interface TargetProblem {
  readonly target: string;
  readonly message: string;
  /** Whether edges go there. */
  readonly registers: boolean;
  /** It may be over in a minute, without anybody doing anything. */
  readonly passing?: boolean;
}

/** naming.yaml as it stands: `problems` when it cannot be used, in which case nothing may change. */
export interface NamingFile {
  readonly etag: string;
  readonly naming?: Naming;
  readonly problems?: readonly Problem[];
}

export interface ConvergeSettings {
  readonly deployment: string;
  /** Where people open the pages. */
  readonly webUrl?: string;
  readonly policy: PolicyLimits;
  /** How long vanished manifests wait for others, or for coming back. */
  readonly graceMs: number;
  /** How long after its sender's deadline a vendor may still apply a call. */
  readonly lateBoundMs: number;
  /** By how much clocks of two machines may differ. */
  readonly clockSkewMs: number;
  /** How long one ledger call may take. */
  readonly ledgerTimeoutMs: number;
  /** How long one vendor call with its retries may take. */
  readonly callBudgetMs: number;
  /** Units worked on at once, per target; up to four times as many where its budget lets their calls through. */
  readonly concurrency: number;
}

/** Everything `converge` touches besides pure code. */
export interface ConvergeDeps {
  readonly ledger: Ledger;
  readonly manifests: Manifests;
  readonly queue: Pick<Queue, 'send'>;
  readonly log: Log;
  /** Where numbers go; nowhere unless given. */
  readonly metrics?: Metrics;
  readonly settings: ConvergeSettings;
  targets(): Promise<Targets>;
  naming(): Promise<NamingFile>;
  /** Whether the ledger can be trusted; it can unless given. */
  readonly ledgerCheck?: LedgerCheck;
  /** How manifests are read; here and now unless given. */
  readonly parse?: Parse;
  /** How the lines of warnings are found; here and now unless given. */
  readonly lines?: Lines;
  /** Epoch milliseconds. */
  now(): number;
  /** A globally unique id. */
  id(): string;
  /** Whether the holder of a lease may still be running, clock skew already in `until`. */
  alive(lease: { readonly token: string; readonly until: number }): boolean;
}
