import { columnsOf } from '../../shared/core/claims.ts';
import { decodeUnit } from '../../shared/core/unit-state.ts';
import type { Version } from './history.ts';
import { unitOf } from './vendors.ts';
import type { World } from './world.ts';

interface Settled {
  readonly settled: boolean;
  readonly claimed?: string;
  readonly held?: unknown;
  readonly explicit?: unknown;
  readonly counts: Readonly<Record<string, number>>;
}

/** Whether the ledger is calm enough to say that this group is above the threshold, whatever happens meanwhile. */
export function mustBeHeld(world: World, owners: readonly string[]): boolean {
  if (!world.configured.has('dataphin') || world.profile.big) return false;
  const { shadow } = world.ledger;
  const pending = shadow.get('vanish/dataphin')?.body as { vanished?: { wave?: object } } | undefined;
  if (pending?.vanished?.wave) return false;
  let edges = 0;
  for (const owner of owners) {
    const row = shadow.get(`owner/${owner}`)?.body as Settled | undefined;
    const version = world.manifests.get(owner);
    if (!version || !row?.settled || row.held || row.explicit || row.claimed !== version.etag) return false;
    const count = row.counts['dataphin'] ?? 0;
    if (count === 0 || !isClaimed(world, owner, version)) return false;
    edges += count;
  }
  let units = 0;
  // Others may be about to go: then the target may be a small one by the time this is judged.
  let sure = 0;
  for (const row of shadow.values()) {
    if (!row.index?.includes('account:dataphin')) continue;
    units += 1;
    if (Object.keys(decodeUnit(row.body).claims).some((owner) => owners.includes(owner))) sure += 1;
  }
  return sure >= world.settings.policy.smallTarget && edges > 0.6 * units;
}

/** Whether the owner claims just what it declares; what was settled while the target was away, it may not yet. */
function isClaimed(world: World, owner: string, { pairs, targets }: Version): boolean {
  if (!pairs) return false;
  if (targets && !targets.includes('dataphin')) return true;
  return [...pairs].every(([pair, { columns }]) => {
    const row = world.ledger.shadow.get(`unit/${unitOf('dataphin', pair)}`);
    const state = row && decodeUnit(row.body);
    const claim = state?.claims[owner];
    const claimed = new Set(
      state && claim
        ? columnsOf(state, claim.mask).map((each) => `${each.from.column}>${each.to.column} ${each.direct}`)
        : ['nothing'],
    );
    return claimed.size === columns.size && [...columns].every(([each, direct]) => claimed.has(`${each} ${direct}`));
  });
}
