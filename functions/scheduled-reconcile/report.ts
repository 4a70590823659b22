import type { JsonObject } from '../../shared/core/json.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import { reportMarkdown } from './report-markdown.ts';
import type { Tally } from './tally.ts';

/** Where reports stand: `latest.json`, `latest.md`, and one of each per pass. */
export const REPORTS = 'status/reconcile/';

/** What a pass did and found: `status/reconcile/<time>.json`. Times are ISO 8601. */
export interface PassReport {
  readonly startedAt: string;
  readonly finishedAt: string;
  /** False: it goes on, or `left` says why not. */
  readonly complete: boolean;
  /** Why it could not be carried through; nothing is withdrawn because of that. */
  readonly failed?: string;
  /** `owners` seen, and by what became of them: `unchanged`, `sent` (to the queue), `queued` (sent before), `done`, … */
  readonly counts: Readonly<Record<string, number>>;
  /** Edges by outcome, as the status documents say. */
  readonly edges: Readonly<Record<string, number>>;
  /** Owners by the state of their status document. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** What waits for a person, oldest first. */
  readonly held: readonly HeldReport[];
  /** Owners whose status document says what is wrong. */
  readonly attention: Tally['attention'];
  readonly failures: Tally['failures'];
  /** Entries that the lists above had no room for. */
  readonly more: Tally['more'];
  /** Targets that cannot be used, and what is wrong with naming.yaml. */
  readonly problems: readonly { readonly target: string; readonly message: string }[];
  /** What verification found at the vendors; absent: none was done. */
  readonly drift?: JsonObject;
  /** What reading Flink brought; absent: it was not read. */
  readonly flink?: JsonObject;
  /** Longest convergences since the pass before, in milliseconds. */
  readonly slowest: Tally['slowest'];
  /** What was left for next time, and the last owner that was looked at. */
  readonly left?: { readonly reason: string; readonly after?: string };
}

export interface HeldReport {
  readonly id: string;
  readonly since: string;
  readonly ageSeconds: number;
  readonly reason: string;
  readonly owners: number;
  readonly edges: number;
  /** The exact request that releases it. */
  readonly release: {
    readonly method: 'POST';
    readonly path: '/reconcile';
    readonly body: { readonly release: string };
  };
}

export interface Reported {
  readonly startedAt: number;
  readonly now: number;
  readonly tally: Tally;
  readonly problems: PassReport['problems'];
  readonly failed?: string;
  readonly flink?: JsonObject;
  readonly drift?: JsonObject;
  readonly left?: NonNullable<PassReport['left']>;
}

export function passReport(input: Reported): PassReport {
  const { startedAt, now, tally, problems, failed, flink, drift, left } = input;
  return {
    startedAt: new Date(startedAt).toISOString(),
    finishedAt: new Date(now).toISOString(),
    complete: failed === undefined && left === undefined,
    ...(failed === undefined ? {} : { failed }),
    counts: { owners: tally.owners, ...sorted(tally.outcomes) },
    edges: sorted(tally.edges),
    verdicts: sorted(tally.verdicts),
    held: [...tally.held]
      .sort((a, b) => a.since - b.since)
      .map(({ id, since, reason, owners, edges }) => ({
        id,
        since: new Date(since).toISOString(),
        ageSeconds: Math.max(0, Math.round((now - since) / 1_000)),
        reason,
        owners,
        edges,
        release: { method: 'POST', path: '/reconcile', body: { release: id } },
      })),
    attention: tally.attention,
    failures: tally.failures,
    more: tally.more,
    problems,
    ...(drift === undefined ? {} : { drift }),
    ...(flink === undefined ? {} : { flink }),
    slowest: tally.slowest,
    ...(left === undefined ? {} : { left }),
  };
}

/** Writes it as JSON and Markdown under its time, so that the invocations of one pass write one report, and as the latest. */
export async function writeReport(report: PassReport, manifests: Manifests): Promise<void> {
  const json = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  const markdown = Buffer.from(reportMarkdown(report));
  const name = report.startedAt.replaceAll(':', '-');
  for (const each of [name, 'latest']) {
    await manifests.put(`${REPORTS}${each}.json`, json, 'application/json');
    await manifests.put(`${REPORTS}${each}.md`, markdown, 'text/markdown');
  }
}

function sorted(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
