import pMap from 'p-map';
import { budgetKey, usedOn } from '../core/account-rows.ts';
import { columnsOf } from '../core/claims.ts';
import { digest } from '../core/digest.ts';
import { Failure } from '../core/failure.ts';
import { append } from '../core/large-lists.ts';
import { isOwnerKey } from '../core/owner-key.ts';
import { partKey } from '../core/parts.ts';
import {
  type PlanBudget,
  type PlanChange,
  type PlanDocument,
  type PlanProblem,
  planDocument,
} from '../core/plan-document.ts';
import type { UnitState } from '../core/unit-state.ts';
import type { ConvergeDeps, Targets } from './deps.ts';
import { NAMING_KEY } from './naming-file.ts';
import type { OwnerFound } from './owner-pages.ts';
import { everyOwner, isGone, ownersFound } from './owners-found.ts';
import { changesOf } from './plan-changes.ts';
import { driftedOf, foreignChanges, NO_DRIFT, readDrift } from './plan-drift.ts';
import { type OpenStudy, ownerDigest, type PlanContext, planContext, type Study, studyOwner } from './plan-owner.ts';
import { standingOf } from './plan-standing.ts';
import { foreseenVerdicts } from './plan-vanished.ts';
import type { VanishVerdict } from './vanish.ts';

export interface PlanRequest {
  /** Only these; every owner in the bucket or the ledger by default. */
  readonly owners?: readonly string[];
  /** Ask the vendors whether they show already what was never registered. */
  readonly deep?: boolean;
  /** The bucket holds manifests that are not there yet. */
  readonly hypothetical?: boolean;
  /** When the plan has to be ready (epoch ms). */
  readonly deadlineMs: number;
}

const AT_ONCE = 8;

/**
 * What converging these owners would do, without doing it: no vendor is called unless `deep`, no owner or unit is written. Throws `Failure`
 * `unavailable` when there is no time for all of them, `conflict` when the ledger was lost.
 */
export async function makePlan(request: PlanRequest, deps: ConvergeDeps): Promise<PlanDocument> {
  if (await deps.ledgerCheck?.lost()) {
    const message =
      'the ledger is empty beside status documents, so nobody knows what is registered; first run npm run adopt';
    throw new Failure('conflict', message);
  }
  const context = await planContext({ deep: request.deep === true, deadlineMs: request.deadlineMs }, deps);
  const { targets } = context;
  const studied = await studyAll(request.owners, context);
  const { open } = studied;
  const drift = context.deep ? await readDrift(open, context) : NO_DRIFT;
  const drifted = new Map(open.map((each) => [each.owner, driftedOf(each, drift)]));
  const isTodo = ({ owner, todo }: OpenStudy) => todo || (drifted.get(owner)?.length ?? 0) > 0;
  const planned = new Set(open.filter(isTodo).map((each) => each.owner));

  const shadow = new Map<string, UnitState>();
  const changes: PlanChange[] = foreignChanges(open, drift);
  const problems: PlanProblem[] = (context.naming.problems ?? []).map((each) => ({
    ...each,
    owner: NAMING_KEY,
    message: `${each.message}; until it can be used, nothing of any manifest changes`,
  }));
  const calls: Record<string, number> = {};
  const digests: Record<string, string> = {};
  const standing: string[] = [];
  const stands = studied.stands;
  const unreachable = new Map<string, { readonly reason: string; readonly edges: number }>();
  let { unchanged } = studied;
  for (const study of inOrder(open)) {
    const plan = changesOf(study, shadow, context, drift);
    append(changes, plan.changes);
    append(problems, plan.problems);
    for (const { target, reason } of unreachableOf(study)) {
      const { edges } = unreachable.get(target) ?? { edges: 0 };
      unreachable.set(target, { reason, edges: edges + 1 });
    }
    unchanged += plan.unchanged;
    for (const [target, count] of plan.calls) calls[target] = (calls[target] ?? 0) + count;
    const named = ownerDigest(study, planned, drifted.get(study.owner));
    if (isTodo(study)) digests[study.owner] = named;
    else {
      standing.push(`${study.owner} ${named}`);
      stands[study.owner] = standingOf(study.state);
    }
  }
  append(problems, [...unreachable].map(targetProblem));
  return planDocument({
    at: new Date(deps.now()).toISOString(),
    owners: studied.owners,
    unchanged,
    changes,
    problems,
    notes: drift.notes,
    calls,
    budgets: await budgetsOf(targets, calls, deps),
    digests,
    settled: digest([...studied.quiet, ...standing].sort().join()),
    ...(request.hypothetical ? {} : { standing: stands }),
    ...(request.owners === undefined ? {} : { scope: request.owners }),
    ...(context.deep ? { deep: true } : {}),
    ...(request.hypothetical ? { hypothetical: true } : {}),
  });
}

function unreachableOf({ desired }: OpenStudy) {
  return desired.kind === 'declared' ? desired.unresolved.filter((edge) => edge.unreachable) : [];
}

/** A target that edges go to and that cannot be used: what becomes of them there is not planned. */
function targetProblem([target, { reason, edges }]: readonly [
  string,
  { readonly reason: string; readonly edges: number },
]): PlanProblem {
  const whose = edges === 1 ? 'the edge that goes there is' : `the ${edges} edges that go there are`;
  const message = `${reason.replace(/\.$/, '')}; ${whose} not planned. Mend the secret (npm run doctor says how), or the name under "targets"`;
  return { owner: target, path: '', message };
}

/** What the accounts allow, and what of it is spent already. One read, where there are calls to be made and a day has a limit. */
async function budgetsOf(
  { list }: Targets,
  calls: Readonly<Record<string, number>>,
  { ledger, now }: ConvergeDeps,
): Promise<Record<string, PlanBudget>> {
  const daily = list.filter(({ name, budget }) => budget?.callsPerDay !== undefined && (calls[name] ?? 0) > 0);
  const rows = daily.length === 0 ? undefined : await ledger.getMany(daily.map(({ account }) => budgetKey(account)));
  const today = new Date(now()).toISOString().slice(0, 10);
  const budgets: Record<string, PlanBudget> = {};
  for (const { name, account, budget } of list)
    if (budget) budgets[name] = { ...budget, usedToday: usedOn(today, rows?.get(budgetKey(account))?.body) };
  return budgets;
}

interface Studied {
  readonly open: readonly OpenStudy[];
  /** Digests of owners of which there is nothing to tell. */
  readonly quiet: readonly string[];
  /** How they stand, by owner. */
  readonly stands: Record<string, string>;
  readonly unchanged: number;
  readonly owners: number;
}

/** Present owners as they come; vanished ones when all are known, because they are judged together. */
async function studyAll(scope: readonly string[] | undefined, context: PlanContext): Promise<Studied> {
  const { deps, deadlineMs } = context;
  const open: OpenStudy[] = [];
  const quiet: string[] = [];
  const stands: Record<string, string> = {};
  const gone: OwnerFound[] = [];
  let unchanged = 0;
  let owners = 0;
  const take = (study: Study | undefined): void => {
    if (!study) return;
    owners += 1;
    if (study.kind === 'open') open.push(study);
    else {
      quiet.push(study.digest);
      stands[study.owner] = standingOf(study.state);
      unchanged += study.unchanged;
    }
  };
  const study = async (found: OwnerFound, verdicts?: ReadonlyMap<string, VanishVerdict>): Promise<void> => {
    if (deps.now() > deadlineMs) throw tooLate(owners);
    take(await studyOwner(found, context, verdicts));
  };
  const source = scope === undefined ? everyOwner(deps) : ownersFound(scope.filter(isOwnerKey), deps);
  for await (const batch of source) {
    append(gone, batch.filter(isGone));
    const present = batch.filter((each) => each.etag !== undefined);
    await pMap(present, (each) => study(each), { concurrency: AT_ONCE });
  }
  const verdicts = await foreseenVerdicts(gone, scope !== undefined, context);
  await pMap(gone, (each) => study(each, verdicts.get(each.owner)), { concurrency: AT_ONCE });
  return { open, quiet, stands, unchanged, owners };
}

function tooLate(owners: number): Failure {
  const message = `there was no time to plan more than ${owners} owners; name some under "owners", or run npm run plan beside the data`;
  return new Failure('unavailable', message);
}

/**
 * The order in which a plan is applied: who only adds, then who also takes away, then who vanished; so what moves from one to another is
 * claimed before it is let go.
 */
export function inOrder(studies: readonly OpenStudy[]): OpenStudy[] {
  return claimersFirst([...studies].sort((a, b) => rankOf(a) - rankOf(b) || (a.owner < b.owner ? -1 : 1)));
}

/** Moves whoever lets an edge go behind those who claim it: else it would be deleted and registered again. Two that swap edges cannot both be first. */
function claimersFirst(studies: readonly OpenStudy[]): OpenStudy[] {
  const claimers = new Map<string, OpenStudy[]>();
  for (const study of studies) {
    for (const id of study.decision.claims.keys()) claimers.set(id, [...(claimers.get(id) ?? []), study]);
  }
  const begun = new Set<OpenStudy>();
  const sorted = new Set<OpenStudy>();
  for (const first of studies) {
    const stack = [first];
    for (let study = stack.at(-1); study !== undefined; study = stack.at(-1)) {
      const before = begun.has(study) ? [] : study.decision.withdraw.flatMap(({ id }) => claimers.get(id) ?? []);
      begun.add(study);
      const next = before.filter((each) => !begun.has(each));
      if (next.length > 0) append(stack, next);
      else {
        stack.pop();
        sorted.add(study);
      }
    }
  }
  return [...sorted];
}

/** 0: only adds; 1: takes away, too; 2: vanished. */
export function rankOf({ owner, desired, decision, units }: OpenStudy): 0 | 1 | 2 {
  if (desired.kind === 'absent') return 2;
  const takesAway =
    decision.withdraw.length > 0 ||
    [...decision.claims].some(([id, { unit }]) => {
      const before = units.get(id);
      const claimed = before?.claims[owner];
      if (!before || !claimed) return false;
      const wanted = new Set(unit.columns.map(partKey));
      return columnsOf(before, claimed.mask).some((part) => !wanted.has(partKey(part)));
    });
  return takesAway ? 1 : 0;
}
