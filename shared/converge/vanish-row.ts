import pMap from 'p-map';
import { digest } from '../core/digest.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { bucketOf } from '../ledger/id-set.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import type { Vanish } from './owner.ts';

/** What became of an owner whose object vanished, at one account. */
export interface VanishVerdict {
  readonly id: string;
  readonly verdict: 'apply' | 'hold';
  readonly reason: string;
  /** What a person quotes to release all that vanished together. */
  readonly holdId: string;
  readonly at: number;
  /** Of the judge message that led to it. */
  readonly ticket: string;
}

/** Owners that vanish from one account's sight and are judged together. Who they are, their own rows say (`OwnerState.vanish.waits`). */
export interface Wave {
  readonly id: string;
  /** Edges the target knew when the first of them vanished. */
  readonly targetEdges: number;
  readonly lastAt: number;
  readonly ticket: string;
  readonly postponed: number;
}

/**
 * Owners of a wave that was judged, with the ids of their vanishing; those without one are told, but not concerned. In the row itself while
 * they are few, else in rows `<key>/<bucket>` by their hash.
 */
type Members = { readonly owners: Readonly<Record<string, string>> } | { readonly key: string; readonly bits: number };

/** The one verdict for all of a wave. */
export interface JudgedWave extends Omit<VanishVerdict, 'id'> {
  readonly wave: string;
  readonly members: Members;
}

/** What vanishes at an account: a row of the same size, however many owners vanish. */
interface Vanished {
  /** Waiting to be judged. */
  readonly wave?: Wave;
  /** The wave judged last; those before it have rows of their own. */
  readonly last?: JudgedWave;
  /** Verdicts as version 1 of the row had them, one for each owner; they count for a day. */
  readonly verdicts?: Readonly<Record<string, VanishVerdict>>;
}

/** The row's version 1: all of it in one place. */
interface Version1 extends Omit<Wave, 'id'> {
  readonly owners: Readonly<Record<string, unknown>>;
  readonly verdicts: Readonly<Record<string, VanishVerdict>>;
}

export interface ReadVanished extends Vanished {
  /** Of the row; null when there is none. */
  readonly rev: string | null;
  /** How an owner was judged whose row says this of its vanishing; undefined: not yet, or too long ago. */
  verdictOf(owner: string, vanish: Vanish | undefined): Promise<VanishVerdict | undefined>;
}

export const VANISH_VERSION = 2;
const VERDICTS_KEPT_MS = 86_400_000;
/** More would make each write of the row, while the next ones vanish, cost more than one unit. */
const INLINE = 2;
const PER_BUCKET = 64;
const WRITES_AT_ONCE = 8;

const vanishKey = (account: string): string => `vanish/${account}`;
const waveKey = (account: string, wave: string): string => `verdict/${account}/${wave}`;

/** Who waits to be judged at an account, and what was judged lately. */
export async function readVanished(account: string, deps: Pick<ConvergeDeps, 'ledger'>): Promise<ReadVanished> {
  const { ledger } = deps;
  const row = await ledger.get(vanishKey(account));
  const vanished = decode(row);
  /** Rows that were read, or are being read: many owners may ask. */
  const rows = new Map<string, Promise<Row | undefined>>();
  const read = (key: string): Promise<Row | undefined> => {
    const found = rows.get(key) ?? ledger.get(key);
    rows.set(key, found);
    return found;
  };
  async function judged(wave: string): Promise<JudgedWave | undefined> {
    if (vanished.wave?.id === wave) return undefined;
    if (vanished.last?.wave === wave) return vanished.last;
    return (await read(waveKey(account, wave)))?.body['judged'] as unknown as JudgedWave | undefined;
  }
  return {
    ...vanished,
    rev: row?.rev ?? null,
    async verdictOf(owner, vanish) {
      if (!vanish) return undefined;
      const old = vanished.verdicts?.[owner];
      if (old?.id === vanish.id) return old;
      const wave = vanish.waits?.[account];
      const found = wave === undefined ? undefined : await judged(wave);
      if (!found) return undefined;
      const { members, wave: _w, ...verdict } = found;
      const owners = 'owners' in members ? members.owners : ownersIn(await read(bucketKey(members, owner)));
      return owners[owner] === vanish.id ? { id: vanish.id, ...verdict } : undefined;
    },
  };
}

/** Writes what vanishes at an account iff it is still as it was read. */
export function writeVanished(
  account: string,
  before: ReadVanished,
  next: Vanished,
  deps: ConvergeDeps,
): Promise<boolean> {
  const since = deps.now() - VERDICTS_KEPT_MS;
  const old = Object.entries(before.verdicts ?? {}).filter(([, verdict]) => verdict.at > since);
  const vanished = { ...next, ...(old.length > 0 ? { verdicts: Object.fromEntries(old) } : {}) };
  const body = { kind: 'vanish', version: VANISH_VERSION, vanished: vanished as unknown as JsonObject };
  return commit(deps.ledger, { key: vanishKey(account), rev: deps.id(), body }, before.rev);
}

/** Gives the wave judged last a row of its own, so that another can take its place. */
export async function keepJudged(account: string, { last }: ReadVanished, deps: ConvergeDeps): Promise<void> {
  if (!last) return;
  const body = { kind: 'verdict', version: 1, judged: last as unknown as JsonObject };
  await create(waveKey(account, last.wave), body, deps);
}

/** Writes down who belongs to a wave, before it is said that it was judged. */
export async function saveMembers(
  account: string,
  owners: Readonly<Record<string, string>>,
  deps: ConvergeDeps,
): Promise<Members> {
  const all = Object.entries(owners);
  if (all.length <= INLINE) return { owners };
  const members = {
    key: waveKey(account, deps.id()),
    bits: Math.max(1, Math.ceil(Math.log2(all.length / PER_BUCKET))),
  };
  const buckets = new Map<string, Record<string, string>>();
  for (const [owner, id] of all) {
    const key = bucketKey(members, owner);
    const bucket = buckets.get(key) ?? {};
    bucket[owner] = id;
    buckets.set(key, bucket);
  }
  await pMap(
    buckets,
    ([key, bucket]) => create(key, { kind: 'vanished', version: 1, owners: bucket as Record<string, Json> }, deps),
    { concurrency: WRITES_AT_ONCE },
  );
  return members;
}

/** All owners of a judged wave. */
export async function membersOf({ members }: JudgedWave, deps: Pick<ConvergeDeps, 'ledger'>): Promise<string[]> {
  if ('owners' in members) return Object.keys(members.owners);
  const keys = Array.from({ length: 2 ** members.bits }, (_, bucket) => `${members.key}/${bucket}`);
  return [...(await deps.ledger.getMany(keys)).values()].flatMap((row) => Object.keys(ownersIn(row)));
}

function bucketKey({ key, bits }: { readonly key: string; readonly bits: number }, owner: string): string {
  return `${key}/${bucketOf(digest(owner), bits)}`;
}

function ownersIn(row: Row | undefined): Readonly<Record<string, string>> {
  return (row?.body['owners'] ?? {}) as Record<string, string>;
}

/** A row that says the same whoever makes it; it is there when this resolves. */
async function create(key: string, body: JsonObject, deps: ConvergeDeps): Promise<void> {
  const expiresAt = Math.ceil((deps.now() + VERDICTS_KEPT_MS) / 1_000);
  const { ledger } = deps;
  while (!(await commit(ledger, { key, rev: deps.id(), body, expiresAt }, null))) if (await ledger.get(key)) return;
}

function decode(row: Row | undefined): Vanished {
  const vanished = row?.body['vanished'] as unknown as Vanished | Version1 | undefined;
  if (!vanished) return {};
  if (!('owners' in vanished)) return vanished;
  // Whoever waited there says so again, because its own row does not say it yet.
  const { owners, verdicts, ...wave } = vanished;
  return Object.keys(owners).length === 0 ? { verdicts } : { verdicts, wave: { id: wave.ticket, ...wave } };
}
