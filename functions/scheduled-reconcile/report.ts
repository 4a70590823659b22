import { RESTORED, RESUME } from '../../shared/converge/modes.ts';
import { writeJson } from '../../shared/converge/stored-json.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Manifests } from '../../shared/manifests/manifests.ts';
import { reportMarkdown } from './report-markdown.ts';
import type { HeldGroup, Tally } from './tally.ts';

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
  /** Nothing is sent to these targets, because the ledger was restored from a backup; absent: it was not, or somebody looked at it since. */
  readonly restored?: {
    readonly at: string;
    readonly targets: readonly string[];
    readonly message: string;
    /** The command that ends it. */
    readonly resume: string;
  };
  /** What verification found at the vendors; absent: none was done. */
  readonly drift?: JsonObject;
  /** What reading Flink brought; absent: it was not read. */
  readonly flink?: JsonObject;
  /** Longest convergences since the pass before, in milliseconds. */
  readonly slowest: Tally['slowest'];
  /** What persons had done to some owners since then, the latest last; the lists above are as it left them, the counts those of the pass. */
  readonly since?: readonly {
    readonly at: string;
    readonly owners: number;
    readonly outcomes: Readonly<Record<string, number>>;
    /** The id of what was released. */
    readonly release?: string;
  }[];
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
  /** When the ledger was restored (epoch ms), and the targets that only report because of it. */
  readonly restored?: { readonly at: number; readonly targets: readonly string[] };
  readonly flink?: JsonObject;
  readonly drift?: JsonObject;
  readonly left?: NonNullable<PassReport['left']>;
}

export function passReport(input: Reported): PassReport {
  const { startedAt, now, tally, problems, failed, restored, flink, drift, left } = input;
  return {
    startedAt: new Date(startedAt).toISOString(),
    finishedAt: new Date(now).toISOString(),
    complete: failed === undefined && left === undefined,
    ...(failed === undefined ? {} : { failed }),
    counts: { owners: tally.owners, ...sorted(tally.outcomes) },
    edges: sorted(tally.edges),
    verdicts: sorted(tally.verdicts),
    held: heldReports(tally, now),
    attention: tally.attention,
    failures: tally.failures,
    more: tally.more,
    problems,
    ...(restored === undefined ? {} : { restored: restoredPart(restored) }),
    ...(drift === undefined ? {} : { drift }),
    ...(flink === undefined ? {} : { flink }),
    slowest: tally.slowest,
    ...(left === undefined ? {} : { left }),
  };
}

/** All that waits for a person, oldest first. */
export function heldReports(tally: Tally, now: number): HeldReport[] {
  return [...tally.held].sort((a, b) => a.since - b.since).map((group) => heldReport(group, now));
}

/** What waits for a person, with its age now (epoch ms) and the request that releases it. */
export function heldReport({ id, since, reason, owners, edges }: HeldGroup, now: number): HeldReport {
  return {
    id,
    since: new Date(since).toISOString(),
    ageSeconds: Math.max(0, Math.round((now - since) / 1_000)),
    reason,
    owners,
    edges,
    release: { method: 'POST', path: '/reconcile', body: { release: id } },
  };
}

function restoredPart({ at, targets }: NonNullable<Reported['restored']>): NonNullable<PassReport['restored']> {
  const message = `${RESTORED}, so nothing is sent to ${targets.join(', ')} until somebody has looked; ${RESUME}`;
  return { at: new Date(at).toISOString(), targets, message, resume: 'npm run restore -- --resume' };
}

/** Writes it as JSON and Markdown under its time, so that the invocations of one pass write one report, and as the latest. */
export async function writeReport(report: PassReport, manifests: Manifests): Promise<void> {
  await write(report.startedAt.replaceAll(':', '-'), report, manifests);
  await writeLatest(report, manifests);
}

/** Only as the latest: the report of a pass stays what it was. */
export async function writeLatest(report: PassReport, manifests: Manifests): Promise<void> {
  await write('latest', report, manifests);
}

async function write(name: string, report: PassReport, manifests: Manifests): Promise<void> {
  await writeJson(manifests, `${REPORTS}${name}.json`, report, 2);
  await manifests.put(`${REPORTS}${name}.md`, Buffer.from(reportMarkdown(report)), 'text/markdown');
}

function sorted(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
