import { digest } from '../core/digest.ts';
import { append } from '../core/large-lists.ts';
import { judgeEdit } from '../core/policy.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import { type ChunkCache, loadIds, NO_IDS, type StoredIds } from '../ledger/id-set.ts';
import type { ConvergeDeps, Target, Targets } from './deps.ts';
import type { Desired, DesiredUnit, UnresolvedEdge } from './desired.ts';
import type { OwnerState } from './owner.ts';
import { labelOf } from './status.ts';
import { unitKey } from './unit-row.ts';
import { countEdges, type VanishVerdict } from './vanish.ts';

/** What one convergence will do about each unit of an owner. */
export interface Decision {
  /** Declared: to be claimed and shown. */
  readonly claims: ReadonlyMap<string, DesiredUnit>;
  /** No longer declared: the claim goes. */
  readonly withdraw: readonly { readonly id: string; readonly target: Target }[];
  /** Left as they are, but a dead worker's call may have to be settled. */
  readonly settle: readonly { readonly id: string; readonly target: Target }[];
  /** No longer declared, but a person decides. */
  readonly held: ReadonlySet<string>;
  /** Accounts whose first contact waits for a person. */
  readonly heldAccounts: readonly string[];
  readonly heldClaims: readonly DesiredUnit[];
  readonly holdId: string;
  readonly holdReason: string;
  /** Left as they are: out of reach, unresolved (absence of a name is not a withdrawal), or not to be changed in their target's mode. */
  readonly kept: ReadonlySet<string>;
  /** Declared, but their target is report-only: neither claimed nor sent. Those that were claimed before are kept, too. */
  readonly reported: readonly DesiredUnit[];
  /** Withdrawn before, still at a vendor that cannot delete. */
  readonly left: ReadonlySet<string>;
  /** All units in the owner's row so far. */
  readonly known: ReadonlySet<string>;
  /** Those of them that were there when it was last settled; the others were only written ahead. */
  readonly base: ReadonlySet<string>;
  readonly configured: readonly string[];
  /** Undeclared units as the ledger has them. */
  readonly states: ReadonlyMap<string, UnitState>;
  accounts(ids: ReadonlySet<string>): string[];
}

interface Input {
  readonly state: OwnerState;
  readonly desired: Desired;
  readonly targets: Targets;
  /** Of a vanished owner, by account; undefined: nobody has to be asked. */
  readonly verdicts: ReadonlyMap<string, VanishVerdict> | undefined;
  readonly deps: ConvergeDeps;
  readonly chunks: ChunkCache;
}

/** Sorts an owner's units into what is claimed, withdrawn, held for a person, and left alone. */
export async function decide(input: Input): Promise<Decision> {
  const { state, desired, targets, verdicts, deps, chunks } = input;
  const ids = (stored: StoredIds = NO_IDS): Promise<Set<string>> => loadIds(deps.ledger, stored, chunks);
  const known = await ids(state.units);
  const base = await ids(state.base);
  const heldBefore = await ids(state.held?.units);
  const allowed = await ids(state.allowed);
  const leftBefore = await ids(state.left);
  const explicit = desired.kind === 'absent' && state.explicit === true;
  const byAccount = new Map(targets.list.map((target) => [target.account, target]));

  const claims = new Map<string, DesiredUnit>();
  const heldClaims: DesiredUnit[] = [];
  const reported: DesiredUnit[] = [];
  const released = new Set(state.configured);
  for (const [id, each] of desired.kind === 'declared' ? desired.units : []) {
    // An account that this owner, registered before, never met: a person looks first. Units already claimed go on.
    const { account, name, mode } = each.target;
    if (mode === 'report-only') {
      reported.push(each);
      continue;
    }
    const met = released.has(account) || state.awaited?.includes(name) === true || known.has(id);
    const first = state.configured.length > 0 && !met;
    if (first) heldClaims.push(each);
    else claims.set(id, each);
  }
  const heldAccounts = [...new Set(heldClaims.map((each) => each.target.account))].sort();
  const undeclared = desired.kind === 'unreadable' ? [] : [...known].filter((id) => !claims.has(id));
  const states = await unitStates(
    new Set([...(desired.kind === 'unreadable' ? known : undeclared), ...leftBefore]),
    deps,
  );

  const withdraw: { id: string; target: Target }[] = [];
  const held = new Set<string>();
  const kept = new Set<string>(desired.kind === 'unreadable' ? known : []);
  const fresh = new Map<string, string[]>();
  for (const id of undeclared) {
    const unit = states.get(id);
    if (!unit) continue; // written ahead, never claimed
    const target = byAccount.get(unit.account);
    if (!target || keepsAll(target) || mayBeUnresolved(unit, desired)) {
      // What is held stays held while it is out of reach: it must not be judged anew, as a smaller change.
      (heldBefore.has(id) && !allowed.has(id) && !explicit ? held : kept).add(id);
    } else if (!target.vendor.abilities.withdraw || allowed.has(id) || !base.has(id) || explicit)
      withdraw.push({ id, target });
    // What an edit left held goes with the manifest itself, when the removal as a whole is no matter for a person.
    else if (heldBefore.has(id) && verdicts?.get(unit.account)?.verdict !== 'apply') held.add(id);
    else push(fresh, unit.account, id);
  }
  if (desired.kind === 'unreadable') for (const id of heldBefore) held.add(id);
  let holdId = '';
  let holdReason = held.size > 0 ? (state.held?.reason ?? '') : '';
  for (const [account, freshIds] of fresh) {
    const verdict =
      verdicts?.get(account) ?? (desired.kind === 'absent' ? undefined : await judgeFresh(account, freshIds));
    if (verdict?.verdict === 'hold') {
      for (const id of freshIds) held.add(id);
      holdReason = verdict.reason;
      holdId = (verdict as Partial<VanishVerdict>).holdId ?? holdId;
    } else {
      const target = byAccount.get(account) as Target;
      append(
        withdraw,
        freshIds.map((id) => ({ id, target })),
      );
    }
  }
  if (held.size > 0 || heldAccounts.length > 0) {
    const sameAsBefore = state.held && held.size === heldBefore.size && [...held].every((id) => heldBefore.has(id));
    const sameAccounts = heldAccounts.join() === (state.held?.accounts ?? []).join();
    if (sameAsBefore && sameAccounts) holdId = state.held?.id ?? '';
    // The id stands for exactly what is held: what comes later gets another one.
    // The first contact with an account is one decision for all its owners.
    if (held.size === 0) holdId = digest(`first contact ${heldAccounts.join()}`);
    if (holdId === '') holdId = digest(JSON.stringify([state.owner, [...held].sort(), heldAccounts]));
    if (heldAccounts.length > 0)
      holdReason ||= `first contact with a newly configured target (${heldAccounts.join(', ')})`;
  }

  // Released or withdrawn at last: what is claimed again, or claimed by others, is no longer left behind.
  const left = [...leftBefore].filter((id) => {
    const unit = states.get(id);
    return unit !== undefined && !claims.has(id) && Object.keys(unit.claims).length === 0;
  });
  // Also when the owner was settled: a target that comes back may have been left with calls in doubt.
  const settle = [...new Set([...held, ...kept])].flatMap((id) => {
    const target = byAccount.get(states.get(id)?.account ?? '');
    return target && target.mode !== 'report-only' ? [{ id, target }] : [];
  });
  const accountOf = (id: string) => claims.get(id)?.target.account ?? states.get(id)?.account;
  // What is only reported has not been met, unless it is one of those that a new owner may reach at once.
  const met = targets.list.filter((target) => target.mode !== 'report-only' || state.configured.length === 0);
  const configured = [...new Set([...state.configured, ...met.map((target) => target.account)])]
    .filter((account) => !heldAccounts.includes(account))
    .sort();
  return {
    claims,
    withdraw,
    settle,
    held,
    heldAccounts,
    heldClaims,
    holdId,
    holdReason,
    kept,
    reported,
    left: new Set(left),
    known,
    base,
    configured,
    states,
    accounts: (set) => [...set].flatMap((id) => accountOf(id) ?? []),
  };

  async function judgeFresh(account: string, freshIds: readonly string[]) {
    const limits = deps.settings.policy;
    const edit = {
      base: state.counts[account] ?? freshIds.length,
      // With a hold open, a further edit is judged together with what is held: many small steps are one large one.
      withdrawn: freshIds.length + [...held].filter((id) => states.get(id)?.account === account).length,
      targetEdges: await countEdges(account, deps, limits.smallTarget),
    };
    return judgeEdit(edit, limits);
  }
}

/** Whether nothing may be withdrawn there now. */
export function keepsAll({ mode, vendor }: Target): boolean {
  return mode === 'report-only' || (mode === 'upsert-only' && vendor.abilities.withdraw);
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** The units of these ids that the ledger has. */
export async function unitStates(ids: ReadonlySet<string>, deps: ConvergeDeps): Promise<Map<string, UnitState>> {
  const states = new Map<string, UnitState>();
  const keys = [...ids].map(unitKey);
  for (let start = 0; start < keys.length; start += 100) {
    for (const row of (await deps.ledger.getMany(keys.slice(start, start + 100))).values()) {
      const unit = decodeUnit(row.body);
      states.set(unit.id, unit);
    }
  }
  return states;
}

/** Whether an edge that lost its vendor name may be this unit; unless it provably is another one, nothing is withdrawn. */
function mayBeUnresolved(unit: UnitState, desired: Desired): boolean {
  if (desired.kind !== 'declared') return false;
  return desired.unresolved.some(
    (edge) =>
      (edge.account === undefined ? edge.target === unit.target : edge.account === unit.account) &&
      unit.from.some((table) => maybe(table, edge.from)) &&
      unit.to.some((table) => maybe(table, edge.to)),
  );

  function maybe(table: UnitState['from'][number], label: UnresolvedEdge['from']): boolean {
    if (table.dataset !== undefined && label.includes('/')) return table.dataset === label;
    return table.dataset === undefined || !label.includes('/') || labelOf(table, unit.vendor) === label;
  }
}
