import { digest } from '../core/digest.ts';
import { foresee } from '../core/foresee.ts';
import type { Json } from '../core/json.ts';
import { nextStep } from '../core/plan.ts';
import { folded, looked } from '../core/transition.ts';
import { newUnit, type UnitState } from '../core/unit-state.ts';
import { type ChunkCache, readWhole } from '../ledger/id-set.ts';
import { assuming } from './adopt.ts';
import { type Decision, decide, unitStates } from './decide.ts';
import type { ConvergeDeps, NamingFile, Targets } from './deps.ts';
import { type Desired, desiredOf } from './desired.ts';
import { decodeOwner, newOwner, type OwnerState } from './owner.ts';
import { type Decided, decisionDigest, knowledgeDigest } from './owner-digest.ts';
import type { OwnerFound } from './owner-pages.ts';
import { foundAgain } from './owners-found.ts';
import { capabilitiesOf, tasksOf, type UnitTask, withWish } from './task.ts';
import type { VanishVerdict } from './vanish.ts';
import type { Drifted } from './verified.ts';
import { goalOf } from './work.ts';

/** What all owners of one plan share. */
export interface PlanContext {
  readonly deps: ConvergeDeps;
  readonly naming: NamingFile;
  readonly targets: Targets;
  /** Goal hash of a content. */
  goal(etag: string | undefined): string;
  /** Ask the vendors what they show already; without it no vendor is called. */
  readonly deep: boolean;
  readonly deadlineMs: number;
}

/** What a plan has to know of one owner; nothing of it was written. */
export type Study =
  /** As it should be, and nothing to tell of it. */
  | {
      readonly kind: 'quiet';
      readonly owner: string;
      readonly state: OwnerState;
      readonly unchanged: number;
      readonly digest: string;
    }
  | {
      readonly kind: 'open';
      readonly owner: string;
      readonly state: OwnerState;
      /** It would be converged; else only its standing is told. */
      readonly todo: boolean;
      readonly decided: Decided;
      readonly desired: Desired;
      readonly decision: Decision;
      /** Units that are claimed or withdrawn, as they are and with what a deep plan read of them. */
      readonly units: Map<string, UnitState>;
      readonly read: readonly Json[];
    };
export type OpenStudy = Extract<Study, { kind: 'open' }>;

/** Reads what all owners of a plan share. */
export async function planContext(
  options: { readonly deep: boolean; readonly deadlineMs: number },
  deps: ConvergeDeps,
): Promise<PlanContext> {
  const [naming, targets] = await Promise.all([deps.naming(), deps.targets()]);
  return { deps, naming, targets, goal: goalOf(naming, targets, deps.settings.deployment), ...options };
}

/**
 * What convergence would decide about one owner now, and what that is based on. `verdicts` are those of a vanished owner. Nothing is
 * written; vendors are only read, and only for a `deep` plan.
 */
export function studyOwner(
  found: OwnerFound,
  context: PlanContext,
  verdicts?: ReadonlyMap<string, VanishVerdict>,
): Promise<Study | undefined> {
  return readWhole(async (again) => study(again ? await foundAgain(found, context.deps) : found, context, verdicts));
}

async function study(
  { owner, etag: listed, row }: OwnerFound,
  context: PlanContext,
  verdicts?: ReadonlyMap<string, VanishVerdict>,
): Promise<Study | undefined> {
  const { deps, naming, targets } = context;
  const state = row ? decodeOwner(row) : newOwner(owner);
  const goal = context.goal;
  const seen = goal(listed);
  const settled = state.settled && state.hash === seen && state.vanish === undefined;
  if (settled && !context.deep && isQuiet(state)) {
    return { kind: 'quiet', owner, state, unchanged: shownBy(state), digest: digest(`${owner} ${seen}`) };
  }
  const declared = listed !== undefined ? await desiredOf(owner, naming, targets, deps) : ({ kind: 'absent' } as const);
  if (declared.kind === 'absent' && !row) return undefined;
  const hash = goal(declared.kind === 'absent' ? undefined : (declared.etag ?? listed));
  const chunks: ChunkCache = new Map();
  const desired = await assuming(declared, state, deps, chunks);
  const decision = await decide({ state, desired, targets, verdicts, deps, chunks });
  const ids = new Set([...decision.claims.keys(), ...decision.withdraw.map((each) => each.id)]);
  for (const { unit } of decision.reported) ids.add(unit.id);
  const units = await unitStates(ids, deps);
  const decided: Decided = { owner, hash, desired, decision, units: actedOn(units, decision) };
  const { found, read } = context.deep ? await readPresence(owner, decision, units, context) : NOTHING_READ;
  return { kind: 'open', owner, state, todo: !settled, decided, desired, decision, units: found ?? units, read };
}

const NOTHING_READ = { found: undefined, read: [] };

/** Settled, and its last status told of nothing but edges that are shown: of a manifest that cannot be used, the problem is to be told. */
function isQuiet({ held, left, outcomes, last }: OwnerState): boolean {
  if (held !== undefined || left !== undefined || outcomes === undefined || last?.state === 'invalid') return false;
  return Object.keys(outcomes).every((outcome) => SHOWN.has(outcome) || outcome === 'deleted');
}

const SHOWN: ReadonlySet<string> = new Set(['registered', 'unchanged']);

function shownBy({ outcomes = {} }: OwnerState): number {
  return Object.entries(outcomes).reduce((sum, [outcome, count]) => (SHOWN.has(outcome) ? sum + count : sum), 0);
}

/** Those units that converging the owner would write; what it only reports is no part of what it does. */
function actedOn(units: ReadonlyMap<string, UnitState>, decision: Decision): ReadonlyMap<string, UnitState> {
  const reported = new Set(decision.reported.map((each) => each.unit.id));
  return new Map([...units].filter(([id]) => !reported.has(id)));
}

/** Digest of an owner in a plan: what it does, checked again when it is applied, and what is known, checked before anything is. */
export function ownerDigest(study: OpenStudy, planned: ReadonlySet<string>, drifted: readonly Drifted[] = []): string {
  const { decided, decision } = study;
  const read = [...study.read, ...drifted.map(({ id, kind, columns }): Json => [id, kind, columns])];
  const known = [...decided.units.values(), ...decision.states.values()];
  return `${decisionDigest(decided, planned)}.${knowledgeDigest(known, read)}`;
}

/** Asks for units that were never looked at whether the vendor shows them. What cannot be read in time is left as not looked at. */
async function readPresence(
  owner: string,
  decision: Decision,
  units: ReadonlyMap<string, UnitState>,
  { deps, deadlineMs }: PlanContext,
): Promise<{ found: Map<string, UnitState>; read: Json[] }> {
  const found = new Map(units);
  const read: Json[] = [];
  for (const task of tasksOf(decision, owner).claims) {
    const { client } = task.target;
    const before = beforeOf(task, units.get(task.id));
    const state = withWish(before, task);
    if (!client.present || !task.want || nextStep(state, capabilitiesOf(task.target), deps.now()).do !== 'look')
      continue;
    const { from, to, spec } = state;
    const call = { from, to, spec, columns: task.want.columns, options: task.want.options };
    const presence = await client.present(call, { deadlineMs }).catch(() => undefined);
    if (!presence) continue;
    found.set(task.id, looked(before, presence));
    read.push([task.id, presence.edge, presence.columns.length]);
  }
  return { found, read };
}

/** The unit as it stands, with a dead worker's call counted as uncertain. */
export function beforeOf(task: UnitTask, stored: UnitState | undefined): UnitState {
  const createOnly = !task.target.vendor.abilities.withdraw;
  if (stored) return folded(stored, createOnly);
  if (task.want) return newUnit(task.want.origin);
  throw new Error(`no unit ${task.id}`);
}

/** One step of a plan: the unit as it would be after the owner's wish, given how owners planned before leave it. */
export function foreseeTask(task: UnitTask, stored: UnitState | undefined, now: number) {
  const before = beforeOf(task, stored);
  return { before, ...foresee(before, withWish(before, task), capabilitiesOf(task.target), now) };
}
