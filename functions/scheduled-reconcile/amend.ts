import type { ConvergeDeps } from '../../shared/converge/deps.ts';
import { readJson } from '../../shared/converge/stored-json.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { Services } from '../../shared/wiring.ts';
import { heldReport, type PassReport, REPORTS, writeLatest } from './report.ts';
import type { Tally } from './tally.ts';

/** What a person had done to some owners. */
export interface Asked {
  readonly owners: readonly string[];
  /** The id that was released, if that was it. */
  readonly release?: string | undefined;
  readonly tally: Tally;
}

/** Of what was done since a pass, the latest are told. */
const MOST_SINCE = 20;

/**
 * Brings the latest report up to date with what a person had done to some owners: what is not held any more is not told as held, how these
 * owners stand is told as it is now, and `since` says what was done. The counts stay those of the pass. A report that cannot be written fails nothing.
 */
export async function amendLatest(asked: Asked, { deps, log }: Pick<Services, 'deps' | 'log'>): Promise<void> {
  try {
    const report = await readJson<PassReport>(deps.manifests, `${REPORTS}latest.json`);
    if (report !== undefined) await writeLatest(await amended(report, asked, deps), deps.manifests);
  } catch (thrown) {
    log.warn('the report of the last pass was not brought up to date', { reason: asFailure(thrown).message });
  }
}

async function amended(report: PassReport, { owners, release, tally }: Asked, deps: ConvergeDeps): Promise<PassReport> {
  const now = deps.now();
  const concerned = new Set(owners);
  const held = new Map(report.held.map((each) => [each.id, each]));
  for (const id of held.keys()) {
    const { items } = await deps.ledger.find(`held:${id}`, { limit: 1 });
    if (items.length === 0) held.delete(id);
  }
  for (const group of tally.held) if (!held.has(group.id)) held.set(group.id, heldReport(group, now));
  const others = <T extends { readonly owner: string }>(list: readonly T[]) =>
    list.filter(({ owner }) => !concerned.has(owner));
  const done = { at: new Date(now).toISOString(), owners: owners.length, outcomes: tally.outcomes };
  return {
    ...report,
    held: [...held.values()],
    attention: [...others(report.attention), ...tally.attention],
    failures: [...others(report.failures), ...tally.failures],
    since: [...(report.since ?? []), release === undefined ? done : { ...done, release }].slice(-MOST_SINCE),
  };
}
