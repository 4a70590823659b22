import { claim } from '../../shared/core/claims.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Mask } from '../../shared/core/mask.ts';
import type { Capabilities } from '../../shared/core/plan.ts';
import { intend, succeeded } from '../../shared/core/transition.ts';
import { type Intent, newUnit, type UnitState } from '../../shared/core/unit-state.ts';

/** Withdraws, repeats and reads back, two columns a call. */
export const PAIR: Capabilities = { repeatable: true, withdraw: true, look: true, locate: false, columnsPerCall: 2 };
/** Creates a node per call, for good. */
export const NODE: Capabilities = {
  repeatable: false,
  withdraw: false,
  look: false,
  locate: false,
  columnsPerCall: 1_000,
};

export const empty: UnitState = newUnit({
  id: 'unit-0001',
  vendor: 'v',
  target: 'v',
  account: 'account',
  from: [{ name: 'source' }],
  to: [{ name: 'sink' }],
  spec: {},
  quietOptions: ['quiet'],
});

/** `a>b`, or `a>b~` where a does not flow into b directly. */
export function column(text: string): ColumnEdge {
  const [from = '', to = ''] = text.replace('~', '').split('>');
  return { from: { table: 0, column: from }, to: { table: 0, column: to }, direct: !text.endsWith('~') };
}

export const columns = (text: string): ColumnEdge[] =>
  text
    .split(' ')
    .filter((each) => each !== '')
    .map(column);

export const claimed = (state: UnitState, owner: string, text: string, options: JsonObject = {}): UnitState =>
  claim(state, owner, columns(text), options);

/** The bits of some columns; `edge` is the table edge. */
export function bits(state: UnitState, text: string): Mask {
  let mask = 0n;
  for (const each of text.split(' ').filter((word) => word !== '')) {
    if (each === 'edge') {
      mask |= 1n;
      continue;
    }
    const wanted = column(each);
    const at = state.parts.findIndex(
      (part) =>
        part.from.column === wanted.from.column && part.to.column === wanted.to.column && part.direct === wanted.direct,
    );
    if (at < 0) throw new Error(`no part ${each}`);
    mask |= 1n << BigInt(at + 1);
  }
  return mask;
}

/** A mask as words, in the order of the parts. */
export function words(state: UnitState, mask: Mask): string {
  const found = (mask & 1n) === 1n ? ['edge'] : [];
  state.parts.forEach((part, at) => {
    const bit = 1n << BigInt(at + 1);
    if ((mask & bit) !== 0n) found.push(`${part.from.column}>${part.to.column}${part.direct ? '' : '~'}`);
  });
  return found.join(' ');
}

export function intent(state: UnitState, op: Intent['op'], text: string, until = 1_000): Intent {
  return intend(state, { op, mask: bits(state, text), cascade: false, until });
}

/** Registered by us, surely. */
export function registered(state: UnitState, text: string, createOnly = false): UnitState {
  const looked = createOnly ? state : { ...state, foreign: state.foreign ?? 0n };
  const result = { receipt: 'r', ambiguous: false, at: 1, createOnly };
  return succeeded(looked, intent(looked, 'register', text), result);
}
