import type { Wish } from './claims.ts';
import { NONE } from './mask.ts';
import { NAMELESS } from './nameless.ts';
import { withdrawalRefused } from './refusal.ts';
import type { Refusal, UnitState } from './unit-state.ts';

/** How an edge stands at a target, in the words of the status documents. */
export type Outcome = 'registered' | 'held' | 'unsupported' | 'conflict' | 'pending' | 'unknown' | 'failed';

/**
 * What an edge is marked with at a target: how it stands, or, where a plan or a comparison is looked at, what it comes to: `drifted`
 * (registered, but the vendor does not show it so), `foreign` (shown, and not by our doing), `create`, `update`, `withdraw`, `adopt`,
 * `unresolved` (no name there).
 */
export type Mark = Outcome | 'drifted' | 'foreign' | 'create' | 'update' | 'withdraw' | 'adopt' | 'unresolved';

export const OUTCOMES: readonly Outcome[] = [
  'failed',
  'unknown',
  'held',
  'conflict',
  'pending',
  'unsupported',
  'registered',
];

/** What an answer may be filtered by. */
export const MARKS: readonly Mark[] = [
  ...OUTCOMES,
  'drifted',
  'foreign',
  'create',
  'update',
  'withdraw',
  'adopt',
  'unresolved',
];

export interface EdgeAtTarget {
  readonly target: string;
  /** As far as the ledger knows: `shown`, `pending` (something is still to be done), `unknown`, `failed` or `left-behind`. */
  readonly state: 'shown' | 'pending' | 'unknown' | 'failed' | 'left-behind';
  /** Absent in answers that a vendor gave live. */
  readonly outcome?: Mark;
  /** The vendor's RequestId or qualified_name. */
  readonly receipt?: string;
  readonly registeredAt?: string;
  readonly changedAt?: string;
  /** Why the vendor refused it, last time. */
  readonly failure?: {
    readonly kind: string;
    readonly message: string;
    readonly at: string;
    readonly retryAt?: string;
  };
  /** What a person can do about it. */
  readonly advice?: string;
}

/** A withdrawal that waits for a person. */
export interface HeldHere {
  /** What releases it. */
  readonly id: string;
  readonly reason: string;
}

export interface Standing {
  /** The withdrawal of this unit that waits for a person. */
  readonly held?: HeldHere | undefined;
  /** What its owners want of it. */
  readonly wanted: Wish;
  /** Writes times. */
  readonly time: (ms: number) => string;
}

const NO_NAME =
  'No rule of naming.yaml gives it a name there, so it is not registered. GET /names/unresolved has a rule to paste.';

/** One unit's standing at its target; of an edge without names, at each target it is meant for. */
export function edgeAtTargets(unit: UnitState, standing: Standing): readonly EdgeAtTarget[] {
  if (unit.account !== NAMELESS) return [edgeAtTarget(unit, standing)];
  const changedAt = unit.changedAt === undefined ? {} : { changedAt: standing.time(unit.changedAt) };
  return unit.target
    .split(', ')
    .map((target) => ({ target, state: 'pending', outcome: 'unresolved', ...changedAt, advice: NO_NAME }));
}

/** One unit's standing at its target. */
function edgeAtTarget(unit: UnitState, { held, wanted, time }: Standing): EdgeAtTarget {
  const receipt = unit.nodes.at(-1)?.receipt ?? unit.receipt;
  const state = stateOf(unit, wanted);
  const { conflicts } = wanted;
  const outcome = held ? 'held' : outcomeOf(state, conflicts);
  const advice = adviceOf(outcome, unit, conflicts, held);
  const { refusal, registeredAt, changedAt } = unit;
  const here: { -readonly [key in keyof EdgeAtTarget]: EdgeAtTarget[key] } = { target: unit.target, state, outcome };
  if (receipt !== undefined) here.receipt = receipt;
  if (registeredAt !== undefined) here.registeredAt = time(registeredAt);
  if (changedAt !== undefined) here.changedAt = time(changedAt);
  if (refusal !== undefined) {
    here.failure = {
      kind: refusal.kind,
      message: refusal.message,
      at: time(refusal.at),
      ...(refusal.retryAt === undefined ? {} : { retryAt: time(refusal.retryAt) }),
    };
  }
  if (advice !== undefined) here.advice = advice;
  return here;
}

function stateOf(unit: UnitState, { mask }: Wish): EdgeAtTarget['state'] {
  if (mask === NONE && withdrawalRefused(unit)) return 'failed';
  if (mask === NONE) return unit.shown === NONE && unit.nodes.length > 0 ? 'left-behind' : 'pending';
  if (unit.refusal) return 'failed';
  const made = unit.nodes.some((node) => (node.mask & mask) === mask);
  if (!made && unit.uncertain.some((node) => (node.mask & mask) === mask)) return 'unknown';
  return made || (unit.shown & mask) === mask ? 'shown' : 'pending';
}

function outcomeOf(state: EdgeAtTarget['state'], conflicts: readonly string[]): Outcome {
  if (state === 'left-behind') return 'unsupported';
  if (state !== 'shown') return state;
  return conflicts.length > 0 ? 'conflict' : 'registered';
}

function adviceOf(
  outcome: Outcome,
  unit: UnitState,
  conflicts: readonly string[],
  held: HeldHere | undefined,
): string | undefined {
  switch (outcome) {
    case 'held':
      return `${held?.reason ?? 'withdrawal held'}. To withdraw it: POST /reconcile {"release":"${held?.id ?? ''}"}. To keep it, put it back into its manifest.`;
    case 'unknown':
      return 'The vendor may have it, but no trustworthy answer came. Look it up there before sending it again.';
    case 'unsupported':
      return 'No manifest declares it any more and this vendor cannot take lineage back. Remove it there by hand.';
    case 'conflict':
      return `Its manifests differ in ${conflicts.join(', ')}; ${Object.keys(unit.claims).sort()[0] ?? ''} counts. Make them agree.`;
    case 'pending':
      return 'Nothing to do: it goes on by itself.';
    case 'failed':
      return cureOf(unit.target, unit.refusal, Object.keys(unit.claims).length === 0);
    default:
      return undefined;
  }
}

const DAILY = 'It is tried again once a day, and at once with POST /reconcile and its "owners".';

function cureOf(target: string, refusal: Refusal | undefined, withdrawn: boolean): string {
  const again = refusal?.retryAt === undefined ? '' : ' It is tried again by itself.';
  if (refusal?.kind === 'denied') return `Check the credentials and rights in the secret lineage/${target}.${again}`;
  if (refusal?.kind === 'missing') return `Create what it names at the vendor, or correct the manifest.${again}`;
  if (withdrawn)
    return `Nobody declares it any more, and ${target} refuses to take it back. Remove it there by hand. ${DAILY}`;
  return `Correct what its manifest says about it; it is sent again when that changes. ${DAILY}`;
}
