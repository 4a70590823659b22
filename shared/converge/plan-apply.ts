import pMap from 'p-map';
import { asFailure } from '../core/failure.ts';
import { append } from '../core/large-lists.ts';
import { converge } from './converge.ts';
import type { ConvergeDeps } from './deps.ts';
import type { OwnerFound } from './owner-pages.ts';
import { isGone, ownersFound } from './owners-found.ts';
import { inOrder, rankOf } from './plan-all.ts';
import { believeDrift, driftedOf, NO_DRIFT, readDrift } from './plan-drift.ts';
import { type OpenStudy, ownerDigest, planContext, studyOwner } from './plan-owner.ts';
import { noLongerStanding } from './plan-standing.ts';
import { readProgress, readStanding, type StoredPlan, writeProgress } from './plan-store.ts';
import { foreseenVerdicts } from './plan-vanished.ts';
import type { VanishVerdict } from './vanish.ts';

/** What applying a plan did. */
export interface Applied {
  readonly plan: string;
  /** Owners that the plan converges. */
  readonly owners: number;
  /** Owners by how their convergence ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Not reached in time: the same request goes on with them. */
  readonly left: number;
  readonly failures: readonly { readonly owner: string; readonly reason: string }[];
  /** Owners that are not what the plan showed; nothing was done to them. */
  readonly differs: readonly string[];
}

const OWNERS_AT_ONCE = 4;
const SHORTEST_SLICE_MS = 10_000;

/**
 * Does what a plan showed, and nothing that came later. When an owner is no longer what the plan was made of, nothing is done at all, also
 * when the plan found it as it should be; owners that came later are no part of it. One
 * that changes while the others are applied is left out, because its convergence checks again what it is about to do.
 */
export async function applyPlan(plan: StoredPlan, deps: ConvergeDeps, deadlineMs: number): Promise<Applied> {
  const { manifests } = deps;
  const planned = new Set(Object.keys(plan.digests));
  const reached = await readProgress(plan.checksum, manifests);
  const owners = [...planned].filter((owner) => !reached?.has(owner));
  const { studies, verdicts, drift, context } = await studyAgain(owners, plan.deep === true, deps, deadlineMs);
  const differs = owners.filter((owner) => {
    const study = studies.get(owner);
    if (!study) return true;
    const now = ownerDigest(study, planned, driftedOf(study, drift));
    const then = plan.digests[owner] ?? '';
    // Once a part of the plan is applied, what is known of shared units has changed by that.
    return reached ? decisionOf(now) !== decisionOf(then) : now !== then;
  });
  if (!reached) {
    const standing = await readStanding(plan.checksum, manifests);
    append(differs, await noLongerStanding(standing, plan.scope, context));
  }
  const nothing = { plan: plan.checksum, owners: planned.size, outcomes: {}, left: 0, failures: [] };
  if (differs.length > 0) return { ...nothing, differs: differs.sort() };

  const outcomes: Record<string, number> = {};
  const failures: { owner: string; reason: string }[] = [];
  const late: string[] = [];
  const done = new Set(reached);
  const apply = async (study: OpenStudy): Promise<void> => {
    const { owner } = study;
    if (deps.now() + SHORTEST_SLICE_MS > deadlineMs) return;
    await believeDrift(
      driftedOf(study, drift).map((each) => each.id),
      context,
    );
    const judged = verdicts.get(owner);
    const certain = judged && [...judged.values()].every((each) => each.verdict === 'apply');
    const expect = { digest: decisionOf(plan.digests[owner] ?? ''), planned, ...(certain ? { verdicts: judged } : {}) };
    const kind = await converge({ owner, deadlineMs, expect }, deps).then(
      (outcome) => outcome.kind,
      (thrown: unknown) => {
        failures.push({ owner, reason: asFailure(thrown).message });
        return 'failed';
      },
    );
    done.add(owner);
    if (kind === 'differs') late.push(owner);
    outcomes[kind] = (outcomes[kind] ?? 0) + 1;
  };
  const all = inOrder([...studies.values()]);
  for (const rank of [0, 1, 2]) {
    const groups = groupsOf(all.filter((each) => rankOf(each) === rank));
    await pMap(
      groups,
      async (group) => {
        for (const study of group) await apply(study);
      },
      { concurrency: OWNERS_AT_ONCE },
    );
  }
  const left = planned.size - done.size;
  if (left > 0 || reached) await writeProgress(plan.checksum, done, manifests);
  return { ...nothing, outcomes, left, failures, differs: late.sort() };
}

/** Owners that share an edge come one after another, as they were planned; a create-only vendor would else be sent it twice. */
function groupsOf(studies: readonly OpenStudy[]): OpenStudy[][] {
  const leader = new Map<string, string>();
  const find = (key: string): string => {
    let top = key;
    for (let next = leader.get(top); next !== undefined && next !== top; next = leader.get(top)) top = next;
    leader.set(key, top);
    return top;
  };
  for (const { owner, decision } of studies) {
    for (const id of [...decision.claims.keys(), ...decision.withdraw.map((each) => each.id)])
      leader.set(find(id), find(owner));
  }
  const groups = new Map<string, OpenStudy[]>();
  for (const study of studies) {
    const top = find(study.owner);
    const group = groups.get(top);
    if (group) group.push(study);
    else groups.set(top, [study]);
  }
  return [...groups.values()];
}

const decisionOf = (digest: string): string => digest.slice(0, Math.max(0, digest.indexOf('.')));

async function studyAgain(owners: readonly string[], deep: boolean, deps: ConvergeDeps, deadlineMs: number) {
  const context = await planContext({ deep, deadlineMs }, deps);
  const found: OwnerFound[] = [];
  for await (const batch of ownersFound(owners, deps)) append(found, batch);
  const gone = found.filter(isGone);
  const verdicts = await foreseenVerdicts(gone, true, context);
  const studies = new Map<string, OpenStudy>();
  const study = async (each: OwnerFound, judged?: ReadonlyMap<string, VanishVerdict>): Promise<void> => {
    const result = await studyOwner(each, context, judged);
    if (result?.kind === 'open' && (result.todo || deep)) studies.set(each.owner, result);
  };
  await pMap(found, (each) => study(each, verdicts.get(each.owner)), { concurrency: 2 * OWNERS_AT_ONCE });
  const drift = deep ? await readDrift([...studies.values()], context) : NO_DRIFT;
  return { studies, verdicts, drift, context };
}
