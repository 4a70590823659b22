import type { ConvergeSettings } from '../../shared/converge/deps.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { VendorClient } from '../../shared/vendors/vendor.ts';
import type { Invocation } from './invocation.ts';
import type { World } from './world.ts';

/** What becomes of a write: stored like this, or only pretended. */
export type Stored =
  | 'pretend'
  | { readonly row: Row; readonly expected: string | null; readonly force?: boolean; readonly forget?: boolean };

/** One rule of the protocol taken away, by tampering with what converge reads, writes and calls; its code stays as it is. */
export interface Mutant {
  settings?(settings: ConvergeSettings): ConvergeSettings;
  store?(row: Row, expected: string | null, world: World): Stored;
  read?(row: Row, inv: Invocation, world: World): Row;
  client?(client: VendorClient, world: World): VendorClient;
}
export const MUTANTS: Readonly<Record<string, Mutant>> = {};
