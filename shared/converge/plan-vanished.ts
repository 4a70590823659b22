import { judgeVanished } from '../core/policy.ts';
import { edgesAtStake } from './converge.ts';
import { decodeOwner } from './owner.ts';
import type { OwnerFound } from './owner-pages.ts';
import { everyOwner, isGone } from './owners-found.ts';
import type { PlanContext } from './plan-owner.ts';
import { countEdges, readVanished, type VanishVerdict } from './vanish.ts';

/**
 * How owners whose objects are gone will be judged: as they were already, else all of them together, as if the grace time were over now.
 * `others`: look for vanished owners besides these, which will be judged with them.
 */
export async function foreseenVerdicts(
  gone: readonly OwnerFound[],
  others: boolean,
  context: PlanContext,
): Promise<ReadonlyMap<string, ReadonlyMap<string, VanishVerdict>>> {
  const { deps, targets } = context;
  const result = new Map<string, Map<string, VanishVerdict>>();
  const atStake = (found: OwnerFound) =>
    found.row ? edgesAtStake(decodeOwner(found.row), targets) : new Map<string, number>();
  if (gone.every((each) => atStake(each).size === 0)) return result;
  const all = others ? await allGone(gone, context) : gone;
  for (const { account } of targets.list) {
    const vanished = await readVanished(account, deps);
    const waiting: { owner: string; edges: number }[] = [];
    for (const found of all) {
      const edges = atStake(found).get(account);
      if (edges === undefined || !found.row) continue;
      const judged = await vanished.verdictOf(found.owner, decodeOwner(found.row).vanish);
      if (judged) put(found.owner, account, judged);
      else waiting.push({ owner: found.owner, edges });
    }
    if (waiting.length === 0) continue;
    const known = vanished.wave?.targetEdges ?? (await countEdges(account, deps));
    const losing = waiting.filter((each) => each.edges > 0);
    const edges = losing.reduce((sum, each) => sum + each.edges, 0);
    const judgement = judgeVanished({ owners: losing.length, edges, targetEdges: known }, deps.settings.policy);
    // Not judged yet, so there is no id that releases it.
    for (const { owner } of waiting) put(owner, account, { ...judgement, id: '', holdId: '', at: 0, ticket: '' });
  }
  return result;

  function put(owner: string, account: string, verdict: VanishVerdict): void {
    const mine = result.get(owner) ?? new Map<string, VanishVerdict>();
    result.set(owner, mine.set(account, verdict));
  }
}

async function allGone(gone: readonly OwnerFound[], { deps }: PlanContext): Promise<OwnerFound[]> {
  const all = new Map(gone.map((each) => [each.owner, each]));
  for await (const batch of everyOwner(deps)) {
    for (const each of batch) if (isGone(each)) all.set(each.owner, each);
  }
  return [...all.values()];
}
