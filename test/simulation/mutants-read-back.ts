import { columnsOf, wish } from '../../shared/core/claims.ts';
import type { Seen } from '../../shared/core/drift.ts';
import { NONE } from '../../shared/core/mask.ts';
import { pairKey } from '../../shared/core/parts.ts';
import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import type { Call } from '../../shared/vendors/vendor.ts';
import type { Mutant } from './mutants.ts';
import { unitOf } from './vendors.ts';
import type { World } from './world.ts';

/** What a call's unit has not read back yet, as stored. */
function unproved({ spec }: Call, { ledger }: World): UnitState | undefined {
  const row = ledger.shadow.get(`unit/${unitOf('dataphin', String(spec['pair']))}`);
  const state = row && decodeUnit(row.body);
  return state?.unproved === undefined ? undefined : state;
}

/** Reading back finds what was to be found, as far as `seen` says. */
function sees(seen: (sight: Seen, state: UnitState, call: Call) => Seen): Mutant {
  return {
    client({ verify, present, ...client }, world) {
      if (!client.withdraw || !verify || !present)
        return { ...client, ...(verify && { verify }), ...(present && { present }) };
      const believed = <S extends Seen>(sight: S, call: Call): S => {
        const state = unproved(call, world);
        return state ? { ...sight, ...seen(sight, state, call) } : sight;
      };
      return {
        ...client,
        present: async (call, options) => believed(await present(call, options), call),
        verify: async (calls, options) =>
          (await verify(calls, options)).map((sight, at) => believed(sight, calls[at] as Call)),
      };
    },
  };
}

const wantsNothing = (state: UnitState): boolean => wish(state).mask === NONE;

/** Reading back, taken away by what it shows: all went well, whatever the vendor did. */
export const READ_BACK_MUTANTS: Readonly<Record<string, Mutant>> = {
  'withdrawal read back': sees((sight, state) => (wantsNothing(state) ? { edge: false, columns: [] } : sight)),
  'removal read back': sees(({ edge, columns }, state) => {
    const gone = new Set(columnsOf(state, state.taken ?? NONE).map(pairKey));
    return { edge, columns: wantsNothing(state) ? columns : columns.filter((each) => !gone.has(pairKey(each))) };
  }),
  'addition read back': sees((sight, state, call) => {
    const gone = new Set(columnsOf(state, state.taken ?? NONE).map(pairKey));
    const sent = call.columns.filter((each) => !gone.has(pairKey(each)));
    return wantsNothing(state) ? sight : { edge: true, columns: [...sight.columns, ...sent] };
  }),
};
