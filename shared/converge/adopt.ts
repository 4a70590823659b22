import { twinsOf } from '../core/claims.ts';
import { Failure } from '../core/failure.ts';
import { EDGE, has, type Mask, NONE, positions, without } from '../core/mask.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import { type ChunkCache, dropIds, loadIds, readWhole, saveIds } from '../ledger/id-set.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps, Target } from './deps.ts';
import type { Desired } from './desired.ts';
import { ADOPTED, assumedTarget } from './lost-ledger.ts';
import { decodeOwner, encodeOwner, newOwner, type OwnerState, ownerKey } from './owner.ts';
import { unitKey, unitRow } from './unit-row.ts';

/** What adopting an owner came to at one target, in edges (pairs of tables). */
export interface AdoptedEdges {
  readonly owner: string;
  readonly target: string;
  /** Count as registered from now on, without a call. */
  readonly counted: number;
  /** Were there before they were declared, and so never to be deleted; from now on they are ours. */
  readonly released: number;
  /** Were ours before. */
  readonly known: number;
  /** Not settled yet; adopting again finishes it. */
  readonly open: number;
  /** Column pairs of all of them. */
  readonly columns: number;
}

/**
 * Takes an owner's lease and writes down that these units exist already, before its manifest is stored: whoever converges it first, even
 * after a crash, counts them as registered, and no others that another manifest in its place declares. Gives the lease's token, for that
 * convergence. Throws `Failure` `conflict` while somebody is at work on the owner.
 */
export async function expectAdoption(
  owner: string,
  units: ReadonlySet<string>,
  deadlineMs: number,
  deps: ConvergeDeps,
): Promise<string> {
  const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
  const token = deps.id();
  const chunks: ChunkCache = new Map();
  const adopting = await saveIds(deps.ledger, units, chunks, deps.id);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const row = await deps.ledger.get(ownerKey(owner));
    const { vanish: _v, ...state } = row ? decodeOwner(row) : newOwner(owner);
    if (state.lease && deps.alive(state.lease)) break;
    const lease = { token, until: deadlineMs + 2 * clockSkewMs + ledgerTimeoutMs };
    const next = { ...state, lease, adopting, settled: false };
    const marked = { key: ownerKey(owner), rev: deps.id(), ...encodeOwner(next) };
    if (await commit(deps.ledger, marked, row?.rev ?? null)) return token;
  }
  await dropIds(deps.ledger, chunks, []);
  throw new Failure('conflict', `${owner} is being worked on; try again in a moment`);
}

/** What is declared, with the units that count as there already at targets that are not called. */
export async function assuming(
  desired: Desired,
  { adopting }: OwnerState,
  { ledger }: ConvergeDeps,
  chunks: ChunkCache,
): Promise<Desired> {
  if (adopting === undefined || desired.kind !== 'declared') return desired;
  const there = await loadIds(ledger, adopting, chunks);
  const targets = new Map<Target, Target>();
  const assumed = (target: Target): Target => {
    const known = targets.get(target) ?? assumedTarget(target);
    targets.set(target, known);
    return known;
  };
  const units = [...desired.units].map(([id, each]) => {
    const target = there.has(id) ? assumed(each.target) : each.target;
    return [id, { ...each, target }] as const;
  });
  return { ...desired, units: new Map(units) };
}

/**
 * Makes everything that an owner declares ours, also what was at a vendor before: once no manifest declares it any more it is deleted
 * where the vendor can. Makes no call. `since`: what was counted as registered from then on is new.
 */
export async function ownUnits(owner: string, since: number, deps: ConvergeDeps): Promise<readonly AdoptedEdges[]> {
  const ids = await readWhole(async () => {
    const row = await deps.ledger.get(ownerKey(owner));
    return row ? [...(await loadIds(deps.ledger, decodeOwner(row).units, new Map()))] : [];
  });
  const tallies = new Map<string, { -readonly [Key in keyof AdoptedEdges]: AdoptedEdges[Key] }>();
  for (let at = 0; at < ids.length; at += 100) {
    const rows = await deps.ledger.getMany(ids.slice(at, at + 100).map(unitKey));
    for (const each of rows.values()) {
      const unit = decodeUnit(each.body);
      const claim = unit.claims[owner];
      if (claim === undefined) continue;
      const tally = tallies.get(unit.target) ?? {
        owner,
        target: unit.target,
        counted: 0,
        released: 0,
        known: 0,
        open: 0,
        columns: 0,
      };
      tallies.set(unit.target, tally);
      tally[await own(unit.id, owner, since, deps)] += unit.from.length * unit.to.length;
      tally.columns += positions(claim.mask).length - 1;
    }
  }
  return [...tallies.values()];
}

async function own(id: string, owner: string, since: number, deps: ConvergeDeps) {
  for (;;) {
    const row = await deps.ledger.get(unitKey(id));
    const unit = row && decodeUnit(row.body);
    const claim = unit?.claims[owner];
    if (!row || !unit || !claim) return 'open';
    const there = has(unit.shown, claim.mask) || unit.nodes.some((node) => has(node.mask, claim.mask));
    if (!there || (unit.lease && deps.alive(unit.lease))) return 'open';
    const foreign = stillForeign(unit, claim.mask);
    if (foreign === undefined) {
      const receipts = [unit.receipt, ...unit.nodes.map((node) => node.receipt)];
      return receipts.includes(ADOPTED) && (unit.changedAt ?? 0) >= since ? 'counted' : 'known';
    }
    if (await commit(deps.ledger, unitRow({ ...unit, foreign }, deps), row.rev)) return 'released';
  }
}

/** What stays not ours once a claim is; undefined when nothing of the claim was. */
function stillForeign(unit: UnitState, claim: Mask): Mask | undefined {
  const { foreign = NONE } = unit;
  const mine = foreign & (claim | twinsOf(unit, claim));
  if (mine === NONE) return undefined;
  const others = without(foreign, mine | EDGE);
  // Columns of others go with their pair: as long as there are any, the pair itself is not ours to delete.
  const next = others === NONE ? without(foreign, mine) : without(foreign, without(mine, EDGE));
  return next === foreign ? undefined : next;
}
