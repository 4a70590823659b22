import type { ColumnEdge } from './edge.ts';
import type { VendorAnswer } from './failure.ts';
import type { Json, JsonObject } from './json.ts';
import { canonicalJson } from './json.ts';
import { decodeMask, encodeMask, type Mask, NONE } from './mask.ts';
import { storedParts } from './parts.ts';

/** One end of a unit: the vendor's own name (as people know it), the OpenLineage identity if known. */
export interface UnitTable {
  /** e.g. `odps.300000001.p.orders` or `db.schema.orders`; used in status, graph (`dataphin:…`) and logs. */
  readonly name: string;
  /** `namespace/name`, if the manifest or a naming rule says it. */
  readonly dataset?: string;
  /** Without an identity: the name at another vendor that its manifest gives the same table, `dataphin:odps.1.p.t`. */
  readonly same?: string;
}

/** What one owner wants of the unit. */
export interface Claim {
  readonly mask: Mask;
  readonly options: JsonObject;
}

/** A call that is about to be made; written before it, so that a successor knows it may have been. */
export interface Intent {
  readonly op: 'register' | 'withdraw';
  readonly mask: Mask;
  readonly cascade: boolean;
  /** Digest of the loud options that a register sends. */
  readonly options: string;
  /** One of several calls that one change takes, or the last of an edge with columns: what they lead to is read back at the end. */
  readonly part?: true;
  /** The latest moment the vendor may still apply it: deadline of the call + late bound + clock skew (epoch ms). */
  readonly until: number;
}

export interface UnitLease {
  /** Of the convergence that holds it. */
  readonly token: string;
  readonly until: number;
  /** Unique per intent, so that a confirm can never confirm another call's intent. */
  readonly step: string;
}

/** One node that a create-only vendor made for us; it stays there for good. */
export interface CreatedNode {
  readonly mask: Mask;
  readonly options: string;
  readonly receipt: string;
  readonly at: number;
}

/** A create that may have been carried out. */
export interface UncertainNode {
  readonly mask: Mask;
  readonly options: string;
  readonly until: number;
}

/** The vendor refused this very content. */
export interface Refusal {
  /** Digest of what was wanted; other content is tried afresh. */
  readonly content: string;
  readonly kind: string;
  readonly message: string;
  readonly answer?: VendorAnswer;
  readonly at: number;
  /** When trying the same again makes sense, because what is wrong can be mended elsewhere; absent: never. */
  readonly retryAt?: number;
  readonly attempts: number;
  /** Tag of the secret that was refused: with another one it is worth trying at once. */
  readonly secret?: string;
}

/** Everything one ledger row knows about one unit. */
export interface UnitState {
  readonly id: string;
  readonly vendor: string;
  readonly target: string;
  readonly account: string;
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  readonly spec: JsonObject;
  readonly quietOptions: readonly string[];
  /** Column edges by position: `parts[0]` is bit 1. */
  readonly parts: readonly ColumnEdge[];
  readonly claims: Readonly<Record<string, Claim>>;
  /** Known to be at the vendor, put there by us. */
  readonly shown: Mask;
  /** May be at the vendor. */
  readonly maybe: Mask;
  /** Was at the vendor before our first register; undefined until looked. Never deleted. */
  readonly foreign?: Mask;
  /** Column edges that we put there and surely took away again, the latest of them: should they come back, they are ours. */
  readonly past?: Mask;
  /** A change of several calls, or the withdrawal of an edge, is not read back yet; how often that found something amiss. */
  readonly unproved?: number;
  /** What that change took away: shown all the same, it is ours. */
  readonly taken?: Mask;
  /** How often the vendor could not be asked about it. */
  readonly unread?: number;
  /** Digest of the loud options of the last register. */
  readonly shownOptions?: string;
  /** Digest of the options of registers that may still arrive before `addUntil`; `*` when they differ. */
  readonly addOptions?: string;
  /** Options of the last claims, once there are none any more. */
  readonly lastOptions?: JsonObject;
  /** No withdraw before this: a register may still arrive (epoch ms). Never lowered. */
  readonly addUntil: number;
  /** No register before this: a withdraw may still arrive (epoch ms). Never lowered. */
  readonly delUntil: number;
  readonly nodes: readonly CreatedNode[];
  readonly uncertain: readonly UncertainNode[];
  readonly intent?: Intent;
  readonly lease?: UnitLease;
  readonly refusal?: Refusal;
  /** Why the last call came to nothing although nobody refused it; gone with the next success. */
  readonly lastFailure?: { readonly message: string; readonly at: number; readonly answer?: VendorAnswer };
  readonly receipt?: string;
  readonly registeredAt?: number;
  readonly changedAt?: number;
  /** Digest of what its holders were told last: of options that differ between them, of a refusal. */
  readonly told?: string;
}

export type UnitOrigin = Pick<
  UnitState,
  'id' | 'vendor' | 'target' | 'account' | 'from' | 'to' | 'spec' | 'quietOptions'
>;

export function newUnit(origin: UnitOrigin): UnitState {
  return {
    ...origin,
    parts: [],
    claims: {},
    shown: NONE,
    maybe: NONE,
    addUntil: 0,
    delUntil: 0,
    nodes: [],
    uncertain: [],
  };
}

const OPTIONAL = ['shownOptions', 'addOptions', 'lastOptions', 'receipt', 'registeredAt', 'changedAt', 'told'] as const;

/** Form of a unit's row, its index entries included; what older forms were stands with `upgradeLedger`. */
export const UNIT_VERSION = 2;

/** As the ledger stores it: masks in hex, column edges as short arrays. */
export function encodeUnit(state: UnitState): JsonObject {
  const body: Record<string, Json> = {
    kind: 'unit',
    version: UNIT_VERSION,
    id: state.id,
    vendor: state.vendor,
    target: state.target,
    account: state.account,
    from: state.from as unknown as Json,
    to: state.to as unknown as Json,
    spec: state.spec,
    quiet: state.quietOptions,
    parts: storedParts(state.parts),
    claims: Object.fromEntries(
      Object.entries(state.claims).map(([owner, claim]) => [
        owner,
        Object.keys(claim.options).length === 0
          ? { mask: encodeMask(claim.mask) }
          : { mask: encodeMask(claim.mask), options: claim.options },
      ]),
    ),
    shown: encodeMask(state.shown),
    maybe: encodeMask(state.maybe),
    addUntil: state.addUntil,
    delUntil: state.delUntil,
    nodes: state.nodes.map((node) => ({ ...node, mask: encodeMask(node.mask) })),
    uncertain: state.uncertain.map((node) => ({ ...node, mask: encodeMask(node.mask) })),
  };
  if (state.foreign !== undefined) body['foreign'] = encodeMask(state.foreign);
  if (state.past) body['past'] = encodeMask(state.past);
  if (state.unproved !== undefined) body['unproved'] = state.unproved;
  if (state.taken !== undefined) body['taken'] = encodeMask(state.taken);
  if (state.unread !== undefined) body['unread'] = state.unread;
  if (state.intent) body['intent'] = { ...state.intent, mask: encodeMask(state.intent.mask) };
  if (state.lease) body['lease'] = { ...state.lease };
  if (state.refusal) body['refusal'] = { ...state.refusal } as JsonObject;
  if (state.lastFailure) body['lastFailure'] = { ...state.lastFailure };
  for (const key of OPTIONAL) if (state[key] !== undefined) body[key] = state[key];
  return body;
}

/** A unit as its row holds it. */
type StoredUnit = { readonly [key in (typeof OPTIONAL)[number]]?: UnitState[key] } & Pick<
  UnitState,
  'id' | 'vendor' | 'target' | 'account' | 'from' | 'to' | 'spec' | 'addUntil' | 'delUntil'
> &
  Pick<UnitState, 'unproved' | 'unread' | 'lease' | 'refusal' | 'lastFailure'> & {
    readonly quiet: readonly string[];
    readonly parts: readonly (readonly [number, string, number, string, number])[];
    readonly claims: Readonly<Record<string, { readonly mask: string; readonly options?: JsonObject }>>;
    readonly nodes: readonly Masked<CreatedNode>[];
    readonly uncertain: readonly Masked<UncertainNode>[];
    readonly intent?: Masked<Intent>;
  } & { readonly [key in 'shown' | 'maybe']: string } & { readonly [key in 'foreign' | 'past' | 'taken']?: string };

type Masked<T extends { readonly mask: Mask }> = Omit<T, 'mask'> & { readonly mask: string };

const masked = <T extends { readonly mask: string }>(stored: T) => ({ ...stored, mask: decodeMask(stored.mask) });

/** As `encodeUnit` wrote it. Questions read thousands of rows, so this makes no more objects than it must. */
export function decodeUnit(body: JsonObject): UnitState {
  const raw = body as unknown as StoredUnit;
  const unit: { -readonly [key in keyof UnitState]: UnitState[key] } = {
    id: raw.id,
    vendor: raw.vendor,
    target: raw.target,
    account: raw.account,
    from: raw.from,
    to: raw.to,
    spec: raw.spec,
    quietOptions: raw.quiet,
    parts: raw.parts.map((part) => ({
      from: { table: part[0], column: part[1] },
      to: { table: part[2], column: part[3] },
      direct: part[4] === 1,
    })),
    claims: decodeClaims(raw.claims),
    shown: decodeMask(raw.shown),
    maybe: decodeMask(raw.maybe),
    addUntil: raw.addUntil,
    delUntil: raw.delUntil,
    nodes: raw.nodes.map(masked),
    uncertain: raw.uncertain.map(masked),
  };
  if (raw.foreign !== undefined) unit.foreign = decodeMask(raw.foreign);
  if (raw.past !== undefined) unit.past = decodeMask(raw.past);
  if (raw.unproved !== undefined) unit.unproved = raw.unproved;
  if (raw.taken !== undefined) unit.taken = decodeMask(raw.taken);
  if (raw.unread !== undefined) unit.unread = raw.unread;
  if (raw.intent) unit.intent = masked(raw.intent);
  if (raw.lease) unit.lease = raw.lease;
  if (raw.refusal) unit.refusal = raw.refusal;
  if (raw.lastFailure) unit.lastFailure = raw.lastFailure;
  if (raw.shownOptions !== undefined) unit.shownOptions = raw.shownOptions;
  if (raw.addOptions !== undefined) unit.addOptions = raw.addOptions;
  if (raw.lastOptions !== undefined) unit.lastOptions = raw.lastOptions;
  if (raw.receipt !== undefined) unit.receipt = raw.receipt;
  if (raw.registeredAt !== undefined) unit.registeredAt = raw.registeredAt;
  if (raw.changedAt !== undefined) unit.changedAt = raw.changedAt;
  if (raw.told !== undefined) unit.told = raw.told;
  return unit;
}

function decodeClaims(stored: StoredUnit['claims']): UnitState['claims'] {
  const claims: Record<string, Claim> = {};
  for (const owner of Object.keys(stored)) {
    const { mask, options = {} } = stored[owner] ?? { mask: '0' };
    claims[owner] = { mask: decodeMask(mask), options };
  }
  return claims;
}

/** Whether two claims ask for the same. */
export function sameClaim(left: Claim | undefined, right: Claim | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.mask === right.mask && canonicalJson(left.options) === canonicalJson(right.options);
}
