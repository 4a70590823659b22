import { Failure } from '../../core/failure.ts';
import type { QueryPair } from '../../signing/canonical.ts';
import type { CallOptions } from '../vendor.ts';

type Ask = (
  operation: string,
  query: readonly QueryPair[],
  field: readonly [name: string, json: object],
  options: CallOptions,
) => Promise<unknown>;

/** A table that nobody has. */
const NOBODY = 'odps.0.lineage_functions.nothing';

/** Reads the lineage of a table that does not exist: whoever is told so, or gets an empty list, has signed in. */
export async function probe(ask: Ask, options: CallOptions): Promise<void> {
  const filter = { NeedUpstream: true, NeedDownstream: false, NeedNotExistObject: true };
  try {
    await ask('GetTableLineages', [['TableGuid', NOBODY]], ['FilterQuery', filter], options);
  } catch (thrown) {
    // Without a code of Dataphin's somebody else has answered.
    const known = thrown instanceof Failure && thrown.kind === 'missing' && thrown.code !== undefined;
    if (!known) throw thrown;
  }
}
