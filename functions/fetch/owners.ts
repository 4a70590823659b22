import type { HeldHere } from '../../shared/core/edge-outcome.ts';
import type { UnitState } from '../../shared/core/unit-state.ts';
import type { Services } from '../../shared/wiring.ts';

/** What the owners of units add to their graph. */
export interface OwnerFacts {
  /** Owner → `namespace/name` of its job. */
  readonly jobs: ReadonlyMap<string, string>;
  /** Unit id → the held withdrawal it is part of. */
  readonly held: ReadonlyMap<string, HeldHere>;
}

/** Reads the owners' rows: of a page of units, a batch or two. */
export async function ownerFacts(units: readonly UnitState[], { deps }: Services): Promise<OwnerFacts> {
  const owners = [...new Set(units.flatMap((unit) => Object.keys(unit.claims)))].sort();
  const jobs = new Map<string, string>();
  const held = new Map<string, HeldHere>();
  const rows = await deps.ledger.getMany(owners.map((owner) => `owner/${owner}`));
  for (const owner of owners) {
    const row = rows.get(`owner/${owner}`)?.body as OwnerRow | undefined;
    if (row?.job !== undefined) jobs.set(owner, row.job);
    if (row?.held === undefined) continue;
    const { id, reason, units: ids } = row.held;
    for (const unit of await idsOf(ids, deps.ledger)) held.set(unit, { id, reason });
  }
  return { jobs, held };
}

/** What is read here of an owner's row. */
interface OwnerRow {
  readonly job?: string;
  readonly held?: {
    readonly id: string;
    readonly reason: string;
    readonly units: { readonly ids?: readonly string[]; readonly chunks?: readonly string[] };
  };
}

/** Ids of units as an owner's row keeps them: in it, or in rows of their own. */
export async function idsOf(
  stored: { readonly ids?: readonly string[]; readonly chunks?: readonly string[] },
  ledger: Services['deps']['ledger'],
): Promise<readonly string[]> {
  if (stored.ids !== undefined) return stored.ids;
  const chunks = await ledger.getMany(stored.chunks ?? []);
  return [...chunks.values()].flatMap((row) => row.body['ids'] as unknown as readonly string[]);
}
