import { columnsOf, wish } from '../core/claims.ts';
import type { Seen } from '../core/drift.ts';
import type { ColumnEdge } from '../core/edge.ts';
import { asFailure, Failure } from '../core/failure.ts';
import { NONE } from '../core/mask.ts';
import type { UnitState } from '../core/unit-state.ts';
import { BUDGET_SPENT } from '../http/budget.ts';
import type { Target } from './deps.ts';

const NO_IDS = 'an edge without its ids there cannot be asked about';

/** What a convergence asks a vendor about one unit; nothing of it changes anything. */
export interface VendorReads {
  /** What is there before our first register. */
  look(state: UnitState): Promise<{ edge: boolean; columns: readonly ColumnEdge[] } | { failure: Failure }>;
  /** What the vendor shows after a change of several calls, or of an edge that was withdrawn. */
  lookBack(state: UnitState): Promise<Seen | { failure: Failure }>;
  /** Receipts of what looks like an uncertain create and is not already known as ours. */
  locate(state: UnitState): Promise<string[] | { failure: Failure }>;
}

/** `deadlineMs` says by when a call that begins now has to be over; a target that refuses us is put into `shut`. */
export function vendorReads(target: Target, shut: Map<string, Failure>, deadlineMs: () => number): VendorReads {
  const { client, name } = target;
  return {
    async look(state) {
      const wanted = wish(state);
      try {
        const found = await client.present?.(about(state, columnsOf(state, wanted.mask)), { deadlineMs: deadlineMs() });
        return found ?? { edge: false, columns: [] };
      } catch (thrown) {
        const failure = asFailure(thrown);
        // What cannot be read at all (no GUID, an old edition) is taken for ours. Any other refusal proves nothing: nothing is sent then.
        if (failure.kind === 'unsupported') return { edge: false, columns: [] };
        if (failure.kind === 'denied' || failure.code === BUDGET_SPENT) shut.set(name, failure);
        return { failure };
      }
    },

    async lookBack(state) {
      try {
        const request = about(state, columnsOf(state, state.shown | (state.taken ?? NONE)));
        // Of an edge that is gone this takes one read, and of its share of the budget: without it the edge is not withdrawn yet.
        if (wish(state).mask === NONE && client.present)
          return await client.present(request, { deadlineMs: deadlineMs() });
        const [sight] = (await client.verify?.([request], { deadlineMs: deadlineMs() })) ?? [];
        return sight?.readable ? sight : { failure: new Failure('unsupported', NO_IDS) };
      } catch (thrown) {
        const failure = asFailure(thrown);
        // When the share of the budget for reading back is spent, work goes on.
        if (failure.kind === 'denied') shut.set(name, failure);
        return { failure };
      }
    },

    async locate(state) {
      try {
        const request = about(state, columnsOf(state, wish(state).mask));
        const found = (await client.locate?.(request, { deadlineMs: deadlineMs() })) ?? [];
        return found.filter((receipt) => !state.nodes.some((node) => node.receipt === receipt));
      } catch (thrown) {
        return { failure: asFailure(thrown) };
      }
    },
  };
}

function about(state: UnitState, columns: readonly ColumnEdge[]) {
  const { from, to, spec } = state;
  return { from, to, spec, columns, options: wish(state).options };
}
