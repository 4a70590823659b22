import { unitOf } from './vendors.ts';
import type { World } from './world.ts';

/** Whether the ledger is calm enough to say that this group is above the threshold, whatever happens meanwhile. */
export function mustBeHeld(world: World, owners: readonly string[]): boolean {
  if (!world.configured.has('dataphin') || world.profile.big) return false;
  const pending = world.ledger.shadow.get('vanish/dataphin')?.body as { vanished?: { owners: object } } | undefined;
  if (Object.keys(pending?.vanished?.owners ?? {}).length > 0) return false;
  let edges = 0;
  for (const owner of owners) {
    const row = world.ledger.shadow.get(`owner/${owner}`)?.body as
      | {
          settled: boolean;
          claimed?: string;
          held?: unknown;
          explicit?: unknown;
          units: { ids?: readonly string[] };
          counts: Record<string, number>;
        }
      | undefined;
    const version = world.manifests.get(owner);
    if (!row?.settled || row.held || !version?.pairs || row.claimed !== version.etag || row.explicit) return false;
    const count = row.counts['dataphin'] ?? 0;
    if (count === 0) return false;
    // Settled while the target was away, it may not have met it yet.
    const known = new Set(row.units.ids);
    const there = !version.targets || version.targets.includes('dataphin');
    if (there && ![...version.pairs.keys()].every((pair) => known.has(unitOf('dataphin', pair)))) return false;
    edges += count;
  }
  let units = 0;
  for (const row of world.ledger.shadow.values()) if (row.index?.includes('account:dataphin')) units += 1;
  return units >= world.settings.policy.smallTarget && edges > 0.6 * units;
}
