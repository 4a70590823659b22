import { finished } from '../core/transition.ts';
import { unitIndex } from '../core/unit-index.ts';
import { encodeUnit, type UnitState } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import type { ConvergeDeps } from './deps.ts';

export const unitKey = (id: string): string => `unit/${id}`;

/** The row of a unit: indexed while anything of it matters, a tombstone with an end when nothing does. */
export function unitRow(state: UnitState, deps: Pick<ConvergeDeps, 'id' | 'now' | 'settings'>): Row {
  const row = { key: unitKey(state.id), rev: deps.id(), body: encodeUnit(state) };
  if (finished(state)) {
    const { clockSkewMs, ledgerTimeoutMs } = deps.settings;
    const last = Math.max(state.addUntil, state.delUntil, deps.now() + ledgerTimeoutMs + 2 * clockSkewMs);
    return { ...row, expiresAt: Math.ceil((last + 2 * clockSkewMs) / 1_000) };
  }
  return { ...row, index: unitIndex(state) };
}
