import { overlaid } from '../../shared/converge/overlay.ts';
import { makePlan } from '../../shared/converge/plan-all.ts';
import { type Applied, applyPlan } from '../../shared/converge/plan-apply.ts';
import { readPlan, storePlan } from '../../shared/converge/plan-store.ts';
import type { Problem } from '../../shared/core/edge.ts';
import { Failure } from '../../shared/core/failure.ts';
import { formatOf } from '../../shared/core/owner-key.ts';
import type { PlanDocument } from '../../shared/core/plan-document.ts';
import { parse } from '../../shared/parse.ts';
import type { Services } from '../../shared/wiring.ts';

export interface PlanOrder {
  /** Only these owners. */
  readonly owners?: readonly string[];
  /** Ask the vendors what they show already. */
  readonly deep?: boolean;
  /** Manifests by key, planned as if they were in the bucket. Without `owners` or `complete` only they are planned. */
  readonly manifests?: Readonly<Record<string, string>>;
  /** `manifests` are all there is under `manifests/`: others there count as removed. */
  readonly complete?: boolean;
}

/** Plans and stores the plan. Manifests that are given are checked first, all of them: then there are only problems. */
export async function plan(
  order: PlanOrder,
  services: Services,
  deadlineMs: number,
): Promise<PlanDocument | { readonly invalid: readonly Problem[] }> {
  const { deps, settings } = services;
  const { owners, deep, manifests, complete } = order;
  const files = new Map(Object.entries(manifests ?? {}).map(([key, text]) => [key, Buffer.from(text)]));
  const problems = await problemsIn(files, services);
  if (problems.length > 0) return { invalid: problems };
  const hypothetical = manifests !== undefined;
  const scope = owners ?? (hypothetical && !complete ? [...files.keys()] : undefined);
  const document = await makePlan(
    {
      deadlineMs,
      ...(scope === undefined ? {} : { owners: scope }),
      ...(deep ? { deep } : {}),
      ...(hypothetical ? { hypothetical } : {}),
    },
    hypothetical ? { ...deps, manifests: overlaid(deps.manifests, files, complete === true) } : deps,
  );
  await storePlan(document, deps.manifests, settings.planKeptMs);
  return document;
}

async function problemsIn(files: ReadonlyMap<string, Uint8Array>, { deps }: Services): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [key, bytes] of files) {
    const parsed = await (deps.parse ?? parse)(bytes, formatOf(key));
    if (!('problems' in parsed)) continue;
    for (const each of parsed.problems)
      problems.push({ ...each, path: each.path === '' ? key : `${key}: ${each.path}` });
  }
  return problems;
}

/** Applies a stored plan. Throws `Failure` `conflict` when it cannot be applied at all: nobody knows it (any more), say. */
export async function apply(checksum: string, services: Services, deadlineMs: number): Promise<Applied> {
  const { deps } = services;
  const stored = await readPlan(checksum, deps.manifests);
  if (!stored) {
    const message = `there is no plan ${checksum}; it may be too old, so nothing was done. Make a new plan with GET /plan`;
    throw new Failure('conflict', message);
  }
  if (stored.hypothetical) {
    const message =
      'this plan was made for manifests that are not in the bucket; put them there, then make a plan and apply that';
    throw new Failure('conflict', message);
  }
  if (await deps.ledgerCheck?.lost()) throw new Failure('conflict', 'the ledger was lost; first run npm run adopt');
  return applyPlan(stored, deps, deadlineMs);
}
