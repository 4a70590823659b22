import { Failure } from '../core/failure.ts';
import { decodeUnit, type UnitState } from '../core/unit-state.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';
import { nudge } from './nudge.ts';
import { unitKey, unitRow } from './unit-row.ts';

/** What a person found at the vendor: it is there (its receipt, if known), or it is not. */
export type Found = { readonly as: 'registered'; readonly receipt?: string } | { readonly as: 'absent' };

/**
 * A person's word about a call whose outcome nobody knew. Gives the owners concerned, which still have to converge: what is not there is
 * then sent again. Throws `Failure`: `missing` for an id that is none, `conflict` while a call may still be under way or nothing is uncertain.
 */
export async function resolveUnknown(id: string, found: Found, deps: ConvergeDeps): Promise<string[]> {
  for (;;) {
    const row = await deps.ledger.get(unitKey(id));
    if (!row)
      throw new Failure('missing', `there is no edge ${id}; its id stands in the reason of the status document`);
    const state = decodeUnit(row.body);
    if (state.uncertain.length === 0) throw new Failure('conflict', `nothing is unknown about edge ${id} any more`);
    if (state.lease && deps.alive(state.lease))
      throw new Failure('conflict', `edge ${id} is being worked on; try again in a moment`);
    const last = Math.max(...state.uncertain.map((each) => each.until));
    if (deps.now() < last) {
      const when = new Date(last).toISOString();
      throw new Failure('conflict', `the call may still be carried out until ${when}; look again after that`);
    }
    const owners = Object.keys(state.claims);
    // Before, too: a death in between leaves them unsettled.
    for (const owner of owners) await nudge(owner, deps);
    if (!(await commit(deps.ledger, unitRow(resolved(state, found, deps.now()), deps), row.rev))) continue;
    for (const owner of owners) await nudge(owner, deps);
    return owners;
  }
}

function resolved(state: UnitState, found: Found, at: number): UnitState {
  const { lease: _lease, ...rest } = state;
  if (found.as === 'absent') return { ...rest, uncertain: [] };
  const receipt = found.receipt ?? 'found by hand';
  const [newest] = state.uncertain.slice(-1);
  if (!newest) return rest;
  const node = { mask: newest.mask, options: newest.options, receipt, at };
  return {
    ...rest,
    uncertain: [],
    nodes: [...state.nodes, node],
    registeredAt: state.registeredAt ?? at,
    changedAt: at,
  };
}
