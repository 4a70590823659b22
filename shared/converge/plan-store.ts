import { append } from '../core/large-lists.ts';
import type { PlanChange, PlanDocument } from '../core/plan-document.ts';
import type { Manifests } from '../manifests/manifests.ts';
import { readJson, writeJson } from './stored-json.ts';

/** Changes in one stored document; the rest stands in numbered parts beside it. */
const PER_PART = 5_000;
const INDEX = 'plans/index.json';

/** `plans/<checksum>.json`: the plan with its first changes, and how many parts it has. */
export type StoredPlan = PlanDocument & { readonly parts: number; readonly total: number };

interface Listed {
  readonly checksum: string;
  readonly at: string;
  readonly parts: number;
}

const planKey = (checksum: string, part = 1): string =>
  part === 1 ? `plans/${checksum}.json` : `plans/${checksum}.${part}.json`;
const standingKey = (checksum: string): string => `plans/${checksum}.standing.json`;
const progressKey = (checksum: string): string => `plans/${checksum}.applied.json`;

/** A checksum as planDocument makes them; anything else could name another object. */
export const isChecksum = (text: string): boolean => /^[A-Za-z0-9_-]{22}$/.test(text);

/** Stores a plan so that it can be read in pages and applied, and removes those that were made before `keptMs` ago. */
export async function storePlan(made: PlanDocument, manifests: Manifests, keptMs: number): Promise<void> {
  const { standing, ...plan } = made;
  const parts = Math.max(1, Math.ceil(plan.changes.length / PER_PART));
  for (let part = 2; part <= parts; part += 1) {
    const changes = plan.changes.slice((part - 1) * PER_PART, part * PER_PART);
    await writeJson(manifests, planKey(plan.checksum, part), { checksum: plan.checksum, part, changes });
  }
  const head: StoredPlan = { ...plan, changes: plan.changes.slice(0, PER_PART), parts, total: plan.changes.length };
  if (standing !== undefined)
    await writeJson(manifests, standingKey(plan.checksum), { checksum: plan.checksum, standing });
  // Should everything be again as it was before an equal plan was applied, all of it is to be done again.
  await manifests.delete(progressKey(plan.checksum));
  await writeJson(manifests, planKey(plan.checksum), head);
  await retain({ checksum: plan.checksum, at: plan.at, parts }, manifests, keptMs);
}

/** The plan of a checksum with its first changes; undefined when there is none (any more). */
export async function readPlan(checksum: string, manifests: Manifests): Promise<StoredPlan | undefined> {
  return isChecksum(checksum) ? readJson<StoredPlan>(manifests, planKey(checksum)) : undefined;
}

/** Changes `from` to `from + limit` of a stored plan. */
export async function readChanges(
  plan: StoredPlan,
  from: number,
  limit: number,
  manifests: Manifests,
): Promise<PlanChange[]> {
  const changes: PlanChange[] = [];
  const end = Math.min(from + limit, plan.total);
  for (let at = from; at < end; ) {
    const part = Math.floor(at / PER_PART) + 1;
    const all = part === 1 ? plan : await readJson<{ changes: PlanChange[] }>(manifests, planKey(plan.checksum, part));
    const found = all?.changes.slice(at % PER_PART, (at % PER_PART) + end - at) ?? [];
    if (found.length === 0) break;
    append(changes, found);
    at += found.length;
  }
  return changes;
}

/** How the owners stood that a plan found as they should be. */
export async function readStanding(checksum: string, manifests: Manifests): Promise<Readonly<Record<string, string>>> {
  return (await readJson<{ standing: Record<string, string> }>(manifests, standingKey(checksum)))?.standing ?? {};
}

/** Owners that applying a plan has reached already, when there was no time for all at once. */
export async function readProgress(checksum: string, manifests: Manifests): Promise<ReadonlySet<string> | undefined> {
  const found = await readJson<{ owners: string[] }>(manifests, progressKey(checksum));
  return found && new Set(found.owners);
}

export async function writeProgress(checksum: string, owners: Iterable<string>, manifests: Manifests): Promise<void> {
  await writeJson(manifests, progressKey(checksum), { checksum, owners: [...owners].sort() });
}

/** What the index loses when two plans are stored at once is only kept longer (in S3 its lifecycle removes it). */
async function retain(stored: Listed, manifests: Manifests, keptMs: number): Promise<void> {
  const listed = (await readJson<{ plans: Listed[] }>(manifests, INDEX))?.plans ?? [];
  const others = listed.filter((each) => each.checksum !== stored.checksum);
  const oldest = new Date(Date.parse(stored.at) - keptMs).toISOString();
  for (const { checksum, at, parts } of others) {
    if (at >= oldest) continue;
    for (let part = 1; part <= parts; part += 1) await manifests.delete(planKey(checksum, part));
    await manifests.delete(standingKey(checksum));
    await manifests.delete(progressKey(checksum));
  }
  await writeJson(manifests, INDEX, { plans: [...others.filter((each) => each.at >= oldest), stored] });
}
