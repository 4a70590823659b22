import { commit } from '../../shared/converge/commit.ts';
import { unitKey, unitRow } from '../../shared/converge/unit-row.ts';
import { claim } from '../../shared/core/claims.ts';
import { type Dataset, identity } from '../../shared/core/dataset.ts';
import type { Entry } from '../../shared/core/edge.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { unitId } from '../../shared/core/unit-id.ts';
import { decodeUnit, newUnit, type UnitState, type UnitTable } from '../../shared/core/unit-state.ts';
import { tableName as dataartsName } from '../../shared/vendors/dataarts/inbound.ts';
import { tableName as dataphinName } from '../../shared/vendors/dataphin/inbound.ts';
import type { Services } from '../../shared/wiring.ts';
import { inTurn, turnKey } from '../register/turn.ts';

/** What stands where a target's name would in the graph: this project itself. */
const HERE = 'kept';
const NAMES = { dataphin: dataphinName, dataarts: dataartsName } as const;

/**
 * Lineage that goes to no vendor has no units that a convergence would write; so that it is found in the graph all the same, it gets
 * rows like theirs, one per entry, under ids that nobody else makes.
 */
export async function rememberKept(owner: string, document: JsonObject | undefined, services: Services): Promise<void> {
  const { deps } = services;
  const { naming = NO_NAMING } = await deps.naming();
  const { entries } = resolveManifest(document as unknown as Manifest, naming);
  for (const [at, entry] of entries.entries()) {
    const state = unitOf(owner, entry, at, deps.now());
    for (;;) {
      const known = await deps.ledger.get(unitKey(state.id));
      if (await commit(deps.ledger, unitRow(state, deps), known?.rev ?? null)) break;
    }
  }
  await forgetFrom(owner, entries.length, services);
}

/** What `rememberKept` wrote for an owner. */
export async function keptUnits(owner: string, { deps }: Services): Promise<readonly UnitState[]> {
  const units: UnitState[] = [];
  for (;;) {
    const row = await deps.ledger.get(unitKey(idOf(owner, units.length)));
    if (!row) return units;
    units.push(decodeUnit(row.body));
  }
}

export async function forgetKept(owner: string, services: Services): Promise<void> {
  await forgetFrom(owner, 0, services);
}

/** Forgets what was only kept of an owner whose object somebody has removed; there is nobody else to notice. */
export async function forgetGone(owner: string, services: Services, deadlineMs: number): Promise<void> {
  if (!/^(dataphin|dataarts)\//.test(owner)) return;
  const { ledger, manifests } = services.deps;
  const gone = async () => (await manifests.head(owner)) === undefined;
  if (!(await gone())) return;
  const [turn, first] = [await ledger.get(turnKey(owner)), await ledger.get(unitKey(idOf(owner, 0)))];
  if (turn?.body['job'] === undefined && first === undefined) return;
  await inTurn(owner, services, deadlineMs, async (remember) => {
    if (!(await gone())) return;
    remember({});
    await forgetKept(owner, services);
  });
}

async function forgetFrom(owner: string, first: number, { deps }: Services): Promise<void> {
  for (let at = first; ; at += 1) {
    const row = await deps.ledger.get(unitKey(idOf(owner, at)));
    if (!row) return;
    await deps.ledger.remove(row.key, row.rev);
  }
}

function idOf(owner: string, at: number): string {
  return unitId([HERE, owner, String(at)]);
}

function unitOf(owner: string, entry: Entry, at: number, now: number): UnitState {
  const vendor = owner.startsWith('dataphin/') ? 'dataphin' : 'dataarts';
  const tables = (datasets: readonly Dataset[]) => datasets.map((dataset) => tableOf(dataset, vendor));
  const from = tables(entry.from);
  const to = tables(entry.to);
  const unit = newUnit({
    id: idOf(owner, at),
    vendor,
    target: HERE,
    account: HERE,
    from,
    to,
    spec: {},
    quietOptions: [],
  });
  const claimed = claim(unit, owner, entry.columns, {});
  const shown = claimed.claims[owner]?.mask ?? claimed.shown;
  return { ...claimed, shown, registeredAt: now, changedAt: now };
}

function tableOf(dataset: Dataset, vendor: keyof typeof NAMES): UnitTable {
  const known = identity(dataset);
  const name = NAMES[vendor](dataset.vendors[vendor] ?? {}) ?? dataset.alias ?? '';
  return { name, ...(known === undefined ? {} : { dataset: known }) };
}
