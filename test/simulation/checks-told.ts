import { wish } from '../../shared/core/claims.ts';
import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import type { World } from './world.ts';

/** Whether everybody who declares an edge was told where what is declared differs, and nobody where it does not (by the outcomes in the owners' rows). */
export function checkTold(world: World): void {
  const differing = new Map<string, { surely: number; perhaps: number }>();
  for (const [key, { body }] of world.ledger.shadow) {
    if (!key.startsWith('unit/')) continue;
    const state = decodeUnit(body);
    if (wish(state).conflicts.length === 0) continue;
    for (const owner of Object.keys(state.claims)) {
      const known = differing.get(owner) ?? { surely: 0, perhaps: 0 };
      if (isShown(state)) known.surely += 1;
      else known.perhaps += 1;
      differing.set(owner, known);
    }
  }
  for (const [key, { body }] of world.ledger.shadow) {
    if (!key.startsWith('owner/')) continue;
    const { outcomes = {} } = body as unknown as { outcomes?: { conflict?: number } };
    const { surely, perhaps } = differing.get(key.slice('owner/'.length)) ?? { surely: 0, perhaps: 0 };
    const told = outcomes.conflict ?? 0;
    if (told < surely || told > surely + perhaps)
      world.violate(`${key} was told of ${told} conflicts; there are ${surely}`);
  }
}

/** Of anything else its holders are told something worse. */
function isShown(state: UnitState): boolean {
  const { mask } = wish(state);
  return (
    state.refusal === undefined &&
    state.uncertain.length === 0 &&
    ((state.shown & mask) === mask || state.nodes.some((node) => (node.mask & mask) === mask))
  );
}
