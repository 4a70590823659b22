import { asFailure } from '../core/failure.ts';
import type { Ledger, Row } from '../ledger/ledger.ts';

/**
 * A conditional write that knows whether it happened. The store may lose its answer, or its client may have sent twice: then
 * the item carries our rev, which nobody else can have made.
 */
export async function commit(ledger: Ledger, row: Row, expected: string | null): Promise<boolean> {
  try {
    if (await ledger.write(row, expected)) return true;
  } catch (thrown) {
    if (!asFailure(thrown).maybeApplied) throw thrown;
  }
  return (await ledger.get(row.key))?.rev === row.rev;
}
