import type { PlanChange } from '../core/plan-document.ts';
import type { OpenStudy, PlanContext } from './plan-owner.ts';
import type { Drifted, ForeignLineage } from './verified.ts';
import { verifyUnits } from './verify.ts';

/** How the vendors differ from what the ledger believes of a plan's owners. */
export interface DriftFound {
  readonly byUnit: ReadonlyMap<string, Drifted>;
  readonly foreign: readonly ForeignLineage[];
  /** What could not be read, for people. */
  readonly notes: readonly string[];
}

export const NO_DRIFT: DriftFound = { byUnit: new Map(), foreign: [], notes: [] };

/** The time that is left for the answer once the vendors were read. */
const ANSWER_MS = 3_000;

/** Compares what owners claim with what the vendors show; corrects nothing. Reads as much as time and budgets allow, and says what is left. */
export async function readDrift(studies: readonly OpenStudy[], context: PlanContext): Promise<DriftFound> {
  const ids = new Set(studies.flatMap(({ decision }) => [...decision.claims.keys()]));
  const options = { deadlineMs: context.deadlineMs - ANSWER_MS, heal: false, prune: false };
  const { drifted, foreign, unreadable, left } = await verifyUnits([...ids].sort(), context.deps, options);
  const notes = unreadable.map(
    ({ target, edges, reason }) => `${edges} edges at ${target} could not be read: ${reason}`,
  );
  if (left > 0) notes.push(`${left} edges were not read, because time or the budget for reading was up`);
  return { byUnit: new Map(drifted.map((each) => [each.id, each])), foreign, notes };
}

/** Lets the ledger believe what the vendor shows of these units, so that converging their owner corrects it. */
export async function believeDrift(ids: readonly string[], context: PlanContext): Promise<void> {
  if (ids.length === 0) return;
  await verifyUnits(ids, context.deps, { deadlineMs: context.deadlineMs, heal: true, prune: true });
}

/** Units of an owner that drifted. */
export function driftedOf({ decision }: OpenStudy, { byUnit }: DriftFound): Drifted[] {
  return [...decision.claims.keys()].sort().flatMap((id) => byUnit.get(id) ?? []);
}

/** Lineage that is not ours, told with a manifest that declares something about the same tables. */
export function foreignChanges(studies: readonly OpenStudy[], { foreign }: DriftFound): PlanChange[] {
  const owners = new Map<string, string>();
  for (const { owner, decision } of studies) {
    for (const { unit, target } of decision.claims.values()) {
      for (const table of [...unit.from, ...unit.to]) {
        const key = `${target.name}\n${table.name}`;
        if (!owners.has(key)) owners.set(key, owner);
      }
    }
  }
  return foreign.map(({ target, from, to, columns }): PlanChange => {
    const owner = owners.get(`${target}\n${to}`) ?? owners.get(`${target}\n${from}`) ?? '';
    const vendor = target.split('/')[0] ?? target;
    const which = columns === undefined ? '' : ` (columns ${columns.map((pair) => pair.join(' → ')).join(', ')})`;
    return {
      owner,
      target,
      from: `${vendor}:${from}`,
      to: `${vendor}:${to}`,
      verdict: 'foreign',
      reason: `the vendor shows it, and not by our doing${which}; it is left alone`,
      standing: true,
    };
  });
}
