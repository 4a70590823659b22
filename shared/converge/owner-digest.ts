import { columnsOf } from '../core/claims.ts';
import { digest } from '../core/digest.ts';
import { canonicalJson, type Json } from '../core/json.ts';
import { pairKey } from '../core/parts.ts';
import { type Claim, encodeUnit, type UnitState } from '../core/unit-state.ts';
import type { Decision } from './decide.ts';
import type { Desired } from './desired.ts';

/** What a digest of one owner's decision is made of. */
export interface Decided {
  readonly owner: string;
  /** Goal hash: content, naming, targets, mapping versions. */
  readonly hash: string;
  readonly desired: Desired;
  readonly decision: Decision;
  /** Units that are claimed or withdrawn, as the ledger has them. */
  readonly units: ReadonlyMap<string, UnitState>;
}

/**
 * What an owner is about to do: the content it applies, which units are claimed, withdrawn, held, kept, and who else holds those. Claims of
 * owners that are `planned` together do not count, because applying the plan changes them; what happens to any other owner's does.
 */
export function decisionDigest(
  { hash, desired, decision, units, owner }: Decided,
  planned: ReadonlySet<string>,
): string {
  const others = [...units.values()].flatMap((unit): Json[] => {
    const held = Object.entries(unit.claims).filter(([holder]) => holder !== owner && !planned.has(holder));
    return held.length === 0
      ? []
      : [[unit.id, ...held.sort().map(([holder, claim]) => [holder, contentOf(unit, claim)])]];
  });
  const sorted = (ids: Iterable<string>): string[] => [...ids].sort();
  return digest(
    canonicalJson([
      hash,
      desired.kind,
      sorted(decision.claims.keys()),
      sorted(decision.withdraw.map((each) => each.id)),
      sorted(decision.held),
      decision.heldAccounts,
      sorted(decision.kept),
      others.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    ]),
  );
}

function contentOf(unit: UnitState, { mask, options }: Claim): Json {
  const columns = columnsOf(unit, mask).map((part) => `${pairKey(part)}${part.direct}`);
  return [columns.sort(), options];
}

/** What is known of an owner's units at the vendors, the outcome of reads for the plan included. */
export function knowledgeDigest(units: Iterable<UnitState>, read: readonly Json[]): string {
  const known = [...units]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((unit): Json => {
      const { lease: _lease, ...rest } = encodeUnit(unit);
      return rest;
    });
  return digest(canonicalJson([known, read]));
}
