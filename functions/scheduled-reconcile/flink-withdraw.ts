import type { Target } from '../../shared/converge/deps.ts';
import { asFailure, type Failure } from '../../shared/core/failure.ts';
import { encodeSegment, isOwnerKey } from '../../shared/core/owner-key.ts';
import type { Row } from '../../shared/ledger/ledger.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Deployment, placeOf } from './flink-list.ts';
import { readSourced, type Scan, type Sourced, twiceAbsent, writeSourced } from './flink-scan.ts';
import type { SourceTally } from './flink-source.ts';

/**
 * Removes manifests whose deployment two complete scans have not found; their owners then converge under the usual policy. One
 * that cannot be removed holds up no other; throws the first such failure when all have had their turn.
 */
export async function withdrawAbsent(
  target: Target,
  namespace: string,
  found: ReadonlyMap<string, Deployment>,
  scan: Scan,
  tally: SourceTally,
  { deps, log }: Services,
): Promise<void> {
  const prefix = `flink/${encodeSegment(placeOf(target.name, namespace))}/`;
  let trouble: Failure | undefined;
  for (let after: string | undefined, more = true; more; ) {
    const page = await deps.manifests.list(prefix, after === undefined ? {} : { after });
    const absent = page.items.map(({ key }) => key).filter((key) => isOwnerKey(key) && !found.has(key));
    const known = await readSourced(absent, deps);
    for (const owner of absent) {
      try {
        await judge(owner, known.get(owner));
      } catch (thrown) {
        const failure = asFailure(thrown);
        trouble ??= failure;
        tally.problems.unshift({
          target: target.name,
          owner,
          message: `its manifest could not be removed: ${failure.message}`,
        });
      }
    }
    after = page.next;
    more = after !== undefined;
  }
  if (trouble !== undefined) throw trouble;

  async function judge(owner: string, known: { readonly row: Row; readonly sourced: Sourced } | undefined) {
    // Nobody remembers it (a ledger was lost, or somebody put it there): it counts as seen now.
    if (known === undefined) await writeSourced({ owner, account: scan.account, seen: scan.number }, undefined, deps);
    else if (known.sourced.account !== scan.account) {
      const message = `comes from ${known.sourced.account}, which is not what ${target.name} is now; remove it from the bucket if it shall go`;
      tally.problems.push({ target: target.name, owner, message });
    } else if (twiceAbsent(known.sourced.seen, scan)) {
      await deps.manifests.delete(owner);
      await deps.ledger.remove(known.row.key, known.row.rev);
      tally.withdrawn += 1;
      log.info('a deployment is gone from Flink; its manifest was removed', { owner });
    } else tally.absent += 1;
  }
}
