/**
 * When a withdrawal waits for a person. One rule, whatever the trigger; it never throws.
 * "Edges" are counted per target, as ledger units.
 */
export interface PolicyLimits {
  /** Share of an owner's (or the target's) edges above which withdrawals are held. */
  readonly ratio: number;
  /** A single removed manifest with fewer edges than this is never held. */
  readonly singleRemoval: number;
  /** Owners and targets with fewer edges than this are never held. */
  readonly smallTarget: number;
}

export const DEFAULT_LIMITS: PolicyLimits = { ratio: 0.3, singleRemoval: 100, smallTarget: 10 };

export interface Judgement {
  readonly verdict: 'apply' | 'hold';
  /** Why, in words a person can act on. */
  readonly reason: string;
}

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;

/** An edit or regeneration that no longer declares `withdrawn` of the owner's `base` edges. */
export function judgeEdit(
  edit: { readonly base: number; readonly withdrawn: number; readonly targetEdges: number },
  limits: PolicyLimits,
): Judgement {
  if (edit.withdrawn === 0) return { verdict: 'apply', reason: 'nothing is withdrawn' };
  if (edit.targetEdges < limits.smallTarget) return { verdict: 'apply', reason: 'the target knows only a few edges' };
  if (edit.base < limits.smallTarget) return { verdict: 'apply', reason: 'the manifest held only a few edges' };
  const share = `${edit.withdrawn} of ${edit.base} edges (${percent(edit.withdrawn, edit.base)})`;
  return edit.withdrawn > limits.ratio * edit.base
    ? {
        verdict: 'hold',
        reason: `the edit withdraws ${share} of this manifest; above ${percent(limits.ratio, 1)} a person decides`,
      }
    : { verdict: 'apply', reason: `the edit withdraws ${share}` };
}

/** Manifests whose objects vanished within one grace time, judged together. */
export function judgeVanished(
  vanished: { readonly owners: number; readonly edges: number; readonly targetEdges: number },
  limits: PolicyLimits,
): Judgement {
  if (vanished.edges === 0) return { verdict: 'apply', reason: 'nothing is withdrawn' };
  if (vanished.targetEdges < limits.smallTarget)
    return { verdict: 'apply', reason: 'the target knows only a few edges' };
  if (vanished.owners === 1 && vanished.edges < limits.singleRemoval) {
    return { verdict: 'apply', reason: 'one manifest was removed' };
  }
  const what = `${vanished.owners === 1 ? 'one manifest' : `${vanished.owners} manifests`} with ${vanished.edges} of the target's ${vanished.targetEdges} edges`;
  return vanished.edges > limits.ratio * vanished.targetEdges
    ? { verdict: 'hold', reason: `${what} vanished together; above ${percent(limits.ratio, 1)} a person decides` }
    : { verdict: 'apply', reason: `${what} vanished` };
}
