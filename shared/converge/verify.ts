import { columnsOf, wish } from '../core/claims.ts';
import { believing, type Drift, driftOf, isUnshown, stillShown } from '../core/drift.ts';
import { asFailure } from '../core/failure.ts';
import { NONE } from '../core/mask.ts';
import { againAt, withdrawalRefused } from '../core/refusal.ts';
import { edgeEntry } from '../core/unit-index.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import type { Call, Sight } from '../vendors/vendor.ts';
import { correct } from './correct.ts';
import type { ConvergeDeps, Target } from './deps.ts';
import { unitKey } from './unit-row.ts';
import { driftedOf, type Findings, findings, type Verified } from './verified.ts';

export interface VerifyOptions {
  /** No read may still be running after this instant (epoch ms). */
  readonly deadlineMs: number;
  /** Register again what vanished. */
  readonly heal: boolean;
  /** Withdraw again columns of ours that came back although they were withdrawn. */
  readonly prune: boolean;
}

/** What verification goes through: all of `ids`, or those behind a place where it stopped before. */
export interface Scope {
  readonly ids: Iterable<string>;
  readonly after?: string;
  /** Only these of them. */
  readonly only?: (state: UnitState) => boolean;
  /** Whose they are: of what nobody declares any more, the one that keeps it. */
  readonly owner?: string;
}

const ROWS_AT_ONCE = 100;
/** A read answers for a whole table; of tables with very many edges so many at a time. */
const UNITS_AT_ONCE = 2_000;
const LEAST_MS = 2_000;

/**
 * Compares units that the ledger believes to be shown with what the vendor shows. Writes nothing unless it heals; then it corrects what the
 * ledger believes, on the very row it compared, and has an owner converge: only that calls the vendor.
 */
export async function verifyUnits(
  ids: Iterable<string>,
  deps: ConvergeDeps,
  options: VerifyOptions,
): Promise<Verified> {
  const found = findings();
  await verifyScope({ ids }, deps, options, found);
  return found.result();
}

/** The same, into `found`. Gives the place where it stopped, if time or the budget was up; undefined at the end. */
export async function verifyScope(
  scope: Scope,
  deps: ConvergeDeps,
  options: VerifyOptions,
  found: Findings,
): Promise<string | undefined> {
  const { list } = await deps.targets();
  const byAccount = new Map(list.map((target) => [target.account, target]));
  const groups = await grouped(scope, byAccount, deps, found);
  let done = scope.after ?? '';
  for (const [place, { target, ids }] of groups) {
    if (!found.stopped() && deps.now() + LEAST_MS >= options.deadlineMs) found.stop(deps.now());
    if (found.stopped()) {
      found.skipped(ids.length);
      continue;
    }
    for (let start = 0; start < ids.length; start += UNITS_AT_ONCE) {
      const some = ids.slice(start, start + UNITS_AT_ONCE);
      await verifyTogether(target, { ids: some, owner: scope.owner }, deps, options, found);
    }
    if (!found.stopped()) done = place;
  }
  return found.stopped() ? done : undefined;
}

/** Ids by what one read answers for, in the order of their places: a table at a target, or all nodes of a target. */
async function grouped(
  { ids, after = '', only = () => true }: Scope,
  byAccount: ReadonlyMap<string, Target>,
  deps: ConvergeDeps,
  found: Findings,
): Promise<readonly (readonly [string, { target: Target; ids: string[] }])[]> {
  const groups = new Map<string, { target: Target; ids: string[] }>();
  for (const { state } of await unitsOf([...new Set(ids)], deps)) {
    if (!only(state) || !isCalm(state, deps)) continue;
    const target = byAccount.get(state.account);
    if (!target?.client.verify) {
      found.cannot(state.target, unreadable(state, target), 1);
      continue;
    }
    const place = JSON.stringify([target.name, target.vendor.abilities.withdraw ? (state.to[0]?.name ?? '') : '']);
    if (place <= after) continue;
    const group = groups.get(place) ?? { target, ids: [] };
    groups.set(place, group);
    group.ids.push(state.id);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

interface Unit {
  readonly row: Row;
  readonly state: UnitState;
}

async function unitsOf(ids: readonly string[], deps: ConvergeDeps): Promise<Unit[]> {
  const units: Unit[] = [];
  for (let start = 0; start < ids.length; start += ROWS_AT_ONCE) {
    const rows = await deps.ledger.getMany(ids.slice(start, start + ROWS_AT_ONCE).map(unitKey));
    for (const row of rows.values()) units.push({ row, state: decodeUnit(row.body) });
  }
  return units;
}

/** Something of ours is believed to be there, nobody works on it, and no call can take effect any more that would change it. */
function isCalm(state: UnitState, deps: ConvergeDeps): boolean {
  const now = deps.now();
  if (state.intent || state.lease) return false;
  // It is about to be read back, unless the change came to an end before.
  if (state.unproved !== undefined && !state.refusal) return false;
  if (state.uncertain.some((each) => now < each.until)) return false;
  return (
    (state.shown !== NONE || state.nodes.length > 0 || isUnshown(state) || withdrawalRefused(state)) &&
    now >= state.addUntil &&
    now >= state.delUntil
  );
}

function unreadable(state: UnitState, target: Target | undefined): string {
  return target
    ? `${state.target} cannot be read with what its secret holds`
    : `${state.target} is not configured now, or points at another account`;
}

async function verifyTogether(
  target: Target,
  { ids, owner }: { readonly ids: readonly string[]; readonly owner: string | undefined },
  deps: ConvergeDeps,
  options: VerifyOptions,
  found: Findings,
): Promise<void> {
  await target.circuit?.look();
  const refused = target.circuit?.refusal();
  if (refused) return found.cannot(target.name, refused.message, ids.length);
  // Read now, before the vendor: a row that is still the same afterwards was compared with what came after it.
  const units = (await unitsOf(ids, deps)).filter(({ state }) => isCalm(state, deps));
  let sights: readonly Sight[];
  try {
    // A complete list of many pages takes longer than a call.
    const deadlineMs = target.vendor.abilities.withdraw
      ? Math.min(options.deadlineMs, deps.now() + deps.settings.callBudgetMs)
      : options.deadlineMs;
    const calls = units.map(({ state }) => callOf(state));
    sights = (await target.client.verify?.(calls, { deadlineMs, others: true })) ?? [];
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (failure.kind !== 'throttled') return found.cannot(target.name, failure.message, units.length);
    found.skipped(units.length);
    return found.stop(deps.now() + (failure.retryAfterMs ?? 0));
  }
  const { lateBoundMs, clockSkewMs } = deps.settings;
  const sync = target.mode === undefined || target.mode === 'sync';
  const prune = options.prune && sync;
  for (const [at, { row, state }] of units.entries()) {
    const sight = sights[at];
    if (!sight?.readable) {
      found.cannot(target.name, `${target.vendor.title} cannot be asked about an edge without its ids there`, 1);
      continue;
    }
    if (withdrawalRefused(state) && wish(state).mask === NONE) {
      found.checked();
      const rest = stillShown(state, sight);
      if (options.heal && sync && rest !== state) await correct(row, rest, owner, deps);
      continue;
    }
    const drift = driftOf(state, sight, (sight.at ?? deps.now()) - lateBoundMs - 2 * clockSkewMs);
    const drifted = driftedOf(state, drift);
    const heals = drifted?.kind === 'returned' ? prune : options.heal && target.mode !== 'report-only';
    const corrects =
      heals && (drifted !== undefined || drift.lost.length > 0 || isUnshown(state)) && !asGivenUp(state, drift, deps);
    const corrected = corrects && (await correct(row, believing(state, drift, { prune }), owner, deps));
    // Changed since it was read: what the vendor was asked for may be what somebody has just done there.
    if (drifted && !corrected && (corrects || !(await isStill(row, deps)))) {
      found.skipped(1);
      continue;
    }
    found.checked();
    found.foreign(target, state, drift);
    if (!drifted) continue;
    found.drifted(drifted);
    if (corrected) found.healed();
  }
  await foreignEdges(target, units, sights, deps, found);
}

/** The vendor shows just what it showed when that was given up: tried again like anything that is refused, not whenever it is compared. */
function asGivenUp(state: UnitState, drift: Drift, deps: ConvergeDeps): boolean {
  if (!state.refusal || drift.unshown === NONE || (drift.missing | drift.returned) !== NONE) return false;
  return deps.now() < againAt(state.refusal);
}

async function isStill(row: Row, deps: ConvergeDeps): Promise<boolean> {
  return (await deps.ledger.get(row.key))?.rev === row.rev;
}

function callOf(state: UnitState): Call {
  const { from, to, spec } = state;
  return { from, to, spec, columns: columnsOf(state, state.shown | wish(state).mask), options: wish(state).options };
}

/** Other edges into the same tables, unless the ledger knows them as somebody's of ours. */
async function foreignEdges(
  target: Target,
  units: readonly Unit[],
  sights: readonly Sight[],
  deps: ConvergeDeps,
  found: Findings,
): Promise<void> {
  const seen = new Set<string>();
  for (const [at, { state }] of units.entries()) {
    const others = sights[at]?.others ?? [];
    const [table] = state.to;
    if (others.length === 0 || !table || seen.has(table.name)) continue;
    seen.add(table.name);
    const ours = new Set<string>();
    const index = edgeEntry(table.dataset ?? table.same ?? `${state.vendor}:${table.name}`, 'upstream');
    for (let after: string | undefined, more = true; more; ) {
      const page = await deps.ledger.find(index, after === undefined ? {} : { after });
      for (const row of (await deps.ledger.getMany(page.items)).values()) {
        const unit = decodeUnit(row.body);
        if (unit.account === target.account) for (const from of unit.from) ours.add(from.name);
      }
      after = page.next;
      more = after !== undefined;
    }
    for (const { from, to } of others) if (!ours.has(from)) found.other({ target: target.name, from, to });
  }
}
