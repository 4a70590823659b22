import { columnsOf as partsOf, wish } from '../../shared/core/claims.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { WithdrawCall } from '../../shared/vendors/vendor.ts';
import type { Invocation } from './invocation.ts';
import { columnsOf, unitOf } from './vendors.ts';
import type { World } from './world.ts';

/** Owners that vanished together and must be held: their columns by unit, with the direct flag. */
export interface Guard {
  readonly owners: ReadonlySet<string>;
  readonly units: ReadonlyMap<string, ReadonlySet<string>>;
}

interface OwnerBody {
  readonly settled: boolean;
  readonly units: { readonly ids?: readonly string[] };
  readonly counts: Readonly<Record<string, number>>;
  readonly held?: { readonly id: string; readonly units: { readonly ids?: readonly string[] } };
  readonly vanish?: unknown;
}

const nameOf = (each: ColumnEdge): string => `${each.from.column}>${each.to.column}`;

/** Rules that hold at every moment, checked as things happen. */
export class Watch {
  private readonly world: World;
  private readonly busy = new Map<string, Invocation>();
  private readonly base = new Map<string, OwnerBody>();
  guards: Guard[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** A vendor call is about to leave. */
  called(inv: Invocation, op: 'register' | 'withdraw', unit: string, call: WithdrawCall): void {
    const { world } = this;
    if (inv.now() >= inv.deadlineMs) world.violate(`${inv.id} calls ${op} ${unit} after its deadline`);
    const other = this.busy.get(unit);
    if (other && other !== inv && !other.dead) world.violate(`${inv.id} and ${other.id} call ${unit} at once`);
    this.busy.set(unit, inv);
    const row = world.ledger.shadow.get(`unit/${unit}`);
    const state = row && decodeUnit(row.body);
    const intent = state?.intent;
    if (world.mutant?.blind) {
      // Its calls are not told by their intents.
    } else if (!state || !intent || intent.op !== op || !state.lease?.token.startsWith(`${inv.id}.`)) {
      world.violate(`${inv.id} calls ${op} ${unit} without a stored intent`);
    } else {
      const meant = new Set(partsOf(state, intent.mask).map(nameOf));
      for (const column of columnsOf(call).keys()) {
        if (!meant.has(column))
          world.violate(`${inv.id} calls ${op} ${unit} with ${column}, which its intent does not hold`);
      }
    }
    if (op === 'withdraw') {
      for (const guard of this.guards) {
        const columns = guard.units.get(unit);
        if (!columns) continue;
        // Somebody else who wants a column with the other direct flag makes it go and come again.
        const others = Object.entries(state?.claims ?? {}).filter(([owner]) => !guard.owners.has(owner));
        const declared = new Set(others.flatMap(([, claim]) => partsOf(state as UnitState, claim.mask).map(nameOf)));
        // So do the held ones themselves, when that was refused before they vanished and is made up for.
        for (const part of state ? partsOf(state, wish(state).mask) : []) {
          if (columnsOf(call).get(nameOf(part)) === !part.direct) declared.add(nameOf(part));
        }
        const gone = [...columnsOf(call)].some(
          ([each, direct]) => columns.has(`${each} ${direct}`) && !declared.has(each),
        );
        if (call.columns.length === 0 || call.cascade || gone) {
          world.violate(
            `${inv.id} withdraws ${unit}, which ${[...guard.owners].join()} held when they vanished together`,
          );
        }
      }
    }
  }

  returned(inv: Invocation, unit: string): void {
    if (this.busy.get(unit) === inv) this.busy.delete(unit);
  }

  /** A row was written. */
  stored(before: Row | undefined, row: Row): void {
    if (!row.key.startsWith('owner/')) return;
    const body = row.body as unknown as OwnerBody;
    const previous = before?.body as unknown as OwnerBody | undefined;
    this.judgeHold(row.key.slice('owner/'.length), previous, body);
    if (body.settled) this.base.set(row.key, body);
    else if (!before) this.base.delete(row.key);
  }

  /** An edit may be held only for what it withdraws of what was settled before. */
  private judgeHold(owner: string, before: OwnerBody | undefined, body: OwnerBody): void {
    const { world } = this;
    if (!body.held || before?.vanish || body.held.id === before?.held?.id || !world.manifests.get(owner)?.pairs) return;
    const known = new Set(before?.held?.units.ids ?? []);
    const gained = (body.held.units.ids ?? []).filter((id) => !known.has(id));
    if (gained.length === 0) return;
    const base = this.base.get(`owner/${owner}`);
    if (base?.units.ids === undefined) return;
    const settled = new Set(base.units.ids);
    const foreign = gained.filter((id) => !settled.has(id));
    if (foreign.length > 0) world.violate(`${owner}: held what it never settled: ${foreign.join()}`);
    const count = base.counts['dataphin'] ?? 0;
    const { ratio, smallTarget } = world.settings.policy;
    if (count < smallTarget || (body.held.units.ids?.length ?? 0) <= ratio * count) {
      world.violate(`${owner}: held ${gained.length} of ${count} edges, which is below the threshold`);
    }
  }

  /** Owners vanish together, so nothing of theirs may go before a person says so. */
  guard(owners: readonly string[]): void {
    const units = new Map<string, Set<string>>();
    for (const owner of owners) {
      const version = this.world.manifests.get(owner);
      if (version?.targets && !version.targets.includes('dataphin')) continue;
      for (const [pair, { columns }] of version?.pairs ?? []) {
        const unit = unitOf('dataphin', pair);
        const all = units.get(unit) ?? new Set<string>();
        for (const [column, direct] of columns) all.add(`${column} ${direct}`);
        units.set(unit, all);
      }
    }
    this.guards.push({ owners: new Set(owners), units });
  }

  /** Something else happens to an owner: what was expected of its group need not come true any more. */
  touched(owner: string): void {
    this.guards = this.guards.filter((guard) => !guard.owners.has(owner));
  }
}
