import { circuitsOpen } from '../../shared/converge/circuits-open.ts';
import type { Targets } from '../../shared/converge/deps.ts';
import type { Services } from '../../shared/wiring.ts';
import type { Tally } from './tally.ts';

/** Tells what a pass found out about the whole: what waits for a person, what does not get done, who refuses us. Zeros, too. */
export async function measurePass(
  { deps }: Services,
  found: { readonly tally: Tally; readonly finished: boolean; readonly targets: Targets },
): Promise<void> {
  const { metrics, ledger } = deps;
  if (metrics === undefined) return;
  const { tally, finished, targets } = found;
  const now = deps.now();
  const seconds = (since: number | undefined) => (since === undefined ? 0 : Math.max(0, (now - since) / 1_000));
  const oldest = tally.held.reduce<number | undefined>(
    (least, each) => Math.min(least ?? each.since, each.since),
    undefined,
  );
  metrics.add('PassesFinished', finished ? 1 : 0);
  metrics.add('HeldPlans', tally.held.length + tally.more.held);
  metrics.add('HeldAge', seconds(oldest));
  metrics.add('UnknownAge', seconds(tally.oldest?.unknown));
  metrics.add('OldestUnsettled', seconds(tally.oldest?.unsettled));
  metrics.add('EdgesRefused', tally.edges['failed'] ?? 0);
  metrics.add('OwnersFailed', tally.failures.length + tally.more.failures);
  metrics.add('TargetsUnusable', targets.problems.length);
  metrics.add('CircuitsOpen', await circuitsOpen(targets.list, ledger));
}
