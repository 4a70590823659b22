import { asFailure } from '../core/failure.ts';
import type { Ledger, Row } from '../ledger/ledger.ts';

const MOST_TRIES = 5;

/**
 * The same again while the store fails, for what must not be forgotten: five times at the most (a store has attempts of its own, for
 * about a second), and none is begun at or after `untilMs` (epoch milliseconds).
 */
export async function insist<T>(
  call: () => Promise<T>,
  { now, untilMs }: { now(): number; untilMs: number },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (thrown) {
      if (tries >= MOST_TRIES || now() >= untilMs) throw thrown;
    }
  }
}

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
