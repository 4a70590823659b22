import type { Json, JsonObject } from '../core/json.ts';
import { NO_IDS, type StoredIds } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';

/** What the ledger knows about one owner: the head of its row. The units themselves are rows of their own. */
export interface OwnerState {
  readonly owner: string;
  /** `namespace/name` of the job that its manifest declared last; absent: it named none. */
  readonly job?: string;
  /** Everything the hash stands for has been applied and nothing is outstanding. */
  readonly settled: boolean;
  /** Digest of what was applied: content, naming, targets, mapping versions. */
  readonly hash?: string;
  /** Content hash whose claims are all written; the judge of vanished owners waits for it. */
  readonly claimed?: string;
  readonly lease?: { readonly token: string; readonly until: number };
  /** Token of a lease after whose end a message will look again, should its holder be dead. */
  readonly watched?: string;
  /** Every unit this owner may hold a claim on, written ahead of the claims. */
  readonly units: StoredIds;
  /** The units as they were when last settled: withdrawals are judged against these, never against written-ahead ones. */
  readonly base: StoredIds;
  /** How many of them each account holds, when last settled. */
  readonly counts: Readonly<Record<string, number>>;
  /** Accounts that were configured when last settled; the first contact with another one is held. */
  readonly configured: readonly string[];
  /** Edges per outcome of its status document, when last settled. */
  readonly outcomes?: Readonly<Record<string, number>>;
  /** Since when (epoch ms) the first of its unknown edges is unknown, when last settled; absent: none is. */
  readonly unknownSince?: number;
  /** When (epoch ms) a person asked for what is not done yet: whoever goes on with it tries again what was refused before. */
  readonly asked?: number;
  /** When (epoch ms) the first of what a vendor refuses is tried again; absent: nothing is refused. */
  readonly again?: number;
  /** Targets that could not be used when the owner was new, nor since: meeting them is no first contact. */
  readonly awaited?: readonly string[];
  readonly held?: Held;
  /** Withdrawn units that a vendor without deletion still shows. */
  readonly left?: StoredIds;
  /** Released by a person: these and no others may be withdrawn. */
  readonly allowed?: StoredIds;
  /** The object is gone and the owner waits for a verdict of this id. */
  readonly vanish?: Vanish;
  /** The object is gone, and what that withdraws has been judged, once and for all, at these accounts. */
  readonly judged?: readonly string[];
  /** A person says that others have registered these units: its next convergence counts them as done, without a call. */
  readonly adopting?: StoredIds;
  /** A person asked for the removal (HTTP DELETE): never held. */
  readonly explicit?: boolean;
  /** What is being applied and since when; a unit registered since then is news, an older one unchanged. */
  readonly goal?: { readonly hash: string; readonly since: number };
  /** Of the one continuation that counts. */
  readonly ticket?: string;
  /** Something about its units changed from outside; gone with the next lease. */
  readonly nudge?: string;
  /** Passes without settling, for the back-off. */
  readonly tries: number;
  /** A message about it is on its way: a pass need not send another one. */
  readonly queued?: Queued;
  /** How its last convergence ended: when, how long it took, and what the status document says. */
  readonly last?: { readonly at: number; readonly ms: number; readonly state: string };
}

/** The object was seen to be gone. */
export interface Vanish {
  readonly id: string;
  readonly at: number;
  /** By account, those that vanish together with it and are judged with it: the wave it joined (`Wave`). */
  readonly waits?: Readonly<Record<string, string>>;
}

/** The mark of a message that is on its way, for one goal. It ends by time, should the message be lost. */
export interface Queued {
  /** Of the goal (`goalHash`) that it was sent for; a newer one is news. */
  readonly hash: string;
  readonly at: number;
  readonly until: number;
  /** How often it was sent for this goal. */
  readonly times: number;
  /** Of the pass that sent it; absent: a continuation. */
  readonly pass?: string;
}

export interface Held {
  /** What a person quotes to release it; stands for exactly these units and accounts. */
  readonly id: string;
  readonly at: number;
  readonly reason: string;
  readonly units: StoredIds;
  /** Accounts whose first contact is held. */
  readonly accounts: readonly string[];
}

export const ownerKey = (owner: string): string => `owner/${owner}`;

export function newOwner(owner: string): OwnerState {
  return { owner, settled: false, units: NO_IDS, base: NO_IDS, counts: {}, configured: [], tries: 0 };
}

export function encodeOwner(state: OwnerState): { body: JsonObject; index: string[] } {
  const index = ['owners'];
  if (!state.settled) index.push('unsettled');
  if (state.held) index.push('held', `held:${state.held.id}`);
  return { body: { kind: 'owner', version: 1, ...(state as unknown as Record<string, Json>) }, index };
}

export function decodeOwner(row: Row): OwnerState {
  const { kind: _kind, version: _version, ...state } = row.body;
  return state as unknown as OwnerState;
}
