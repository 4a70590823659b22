import { edgesWord, manifestsWord } from '../../shared/formats/plan-words.ts';
import type { HeldReport, PassReport } from './report.ts';

/** A report for people: what matters first, lists after it. What others chose (names, reasons) cannot become markup. Pure. */
export function reportMarkdown(report: PassReport): string {
  const { startedAt, finishedAt, complete, failed, left, counts, edges, verdicts } = report;
  const { owners: all = 0, ...outcomes } = counts;
  const seen = { seen: all, ...outcomes };
  const seconds = ((Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000).toFixed(1);
  const parts = [
    `# Pass of ${startedAt}`,
    failed === undefined
      ? `${complete ? 'Complete' : 'Not complete'} after ${seconds} s: ${manifestsWord(all)} seen.`
      : `**Failed** after ${seconds} s, and nothing was withdrawn because of that: ${text(failed)}`,
    ...(left === undefined
      ? []
      : [
          `Left for next time: ${text(left.reason)}.${left.after === undefined ? '' : ` Looked at up to ${code(left.after)}.`}`,
        ]),
    ...list('Done since', report.since ?? [], sinceLine),
    ...restoredPart(report),
    ...heldPart(report),
    ...list('Targets with problems', report.problems, ({ target, message }) => `${code(target)}: ${text(message)}`),
    ...list(
      'Failures',
      report.failures,
      ({ owner, reason }) => `${code(owner)}: ${text(reason)}`,
      report.more.failures,
    ),
    ...list(
      'To be looked at',
      report.attention,
      ({ owner, state }) => `${code(owner)}: ${state}, see ${code(`status/${owner}.json`)}`,
      report.more.attention,
    ),
    ...numbers('Manifests', seen),
    ...numbers('Manifests by state', verdicts),
    ...numbers('Edges by outcome', edges),
    ...(report.drift === undefined ? [] : facts('Drift', report.drift)),
    ...(report.flink === undefined ? [] : facts('Flink', report.flink)),
    ...list('Slowest', report.slowest, ({ owner, ms }) => `${code(owner)}: ${(ms / 1_000).toFixed(1)} s`),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sinceLine({ at, owners, outcomes, release }: NonNullable<PassReport['since']>[number]): string {
  const how = Object.entries(outcomes).map(([outcome, count]) => `${text(outcome)} ${count}`);
  const what = release === undefined ? 'asked for' : `released (${code(release)})`;
  return `${at}: ${manifestsWord(owners)} ${what}: ${how.join(', ')}`;
}

function restoredPart({ restored }: PassReport): string[] {
  if (restored === undefined) return [];
  const { at, message, resume } = restored;
  return ['## Restored from a backup', `Since ${at}: ${text(message)}.\n\n    ${resume}`];
}

function heldPart({ held, more }: PassReport): string[] {
  if (held.length === 0) return [];
  const line = (each: HeldReport) =>
    `- ${edgesWord(each.edges)} of ${manifestsWord(each.owners)} since ${each.since} (${age(each.ageSeconds)}): ${text(each.reason)}\n  \`POST /reconcile ${JSON.stringify(each.release.body)}\` releases exactly this${each.reason.startsWith('first contact') ? '' : '; to keep it as it is, put back what declared it'}.`;
  const rest = more.held > 0 ? [`- and ${more.held} more`] : [];
  return ['## Held: waits for a person', [...held.map(line), ...rest].join('\n')];
}

function list<T>(title: string, items: readonly T[], line: (item: T) => string, more = 0): string[] {
  if (items.length === 0) return [];
  const rest = more > 0 ? [`- and ${more} more`] : [];
  return [`## ${title}`, [...items.map((item) => `- ${line(item)}`), ...rest].join('\n')];
}

function numbers(title: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts);
  if (rows.length === 0) return [];
  return [
    `## ${title}`,
    ['| | |', '|---|--:|', ...rows.map(([name, number]) => `| ${text(name)} | ${number} |`)].join('\n'),
  ];
}

/** Of a name or reason in a line. */
const LONGEST = 1_000;

/** What the numbers of drift and Flink are called; the others as they are. */
const WORDS: Readonly<Record<string, string>> = {
  owners: 'manifests looked at',
  checked: 'edges compared with the vendors',
  left: 'left for next time',
  healed: 'corrected in the ledger; their manifests register them again',
  driftedCount: 'edges that a vendor no longer shows as registered',
  foreignCount: 'edges at the vendors that are not ours, left alone',
  deep: 'all manifests are looked at, over as many passes as it takes',
  drifted: 'drifted',
  foreign: 'not ours',
  unreadable: 'could not be compared',
  resumesAt: 'the budget for reading is used up; goes on at',
  failed: 'failed',
  scanned: 'deployments read',
  written: 'manifests written',
  withdrawn: 'manifests removed, because two complete scans did not find their deployment',
  contracted: 'temporary tables that lineage was followed through',
  dropped: 'temporary tables left out',
  absent: 'deployments not found this time; the next complete scan decides',
  complete: 'read to the end',
  problems: 'problems',
};

/** Numbers in words; zeros and empty lists say nothing. */
function facts(title: string, values: Readonly<Record<string, unknown>>): string[] {
  const lines = Object.entries(values).flatMap(([name, value]) => {
    const word = text(WORDS[name] ?? name);
    if (value === 0 || value === '') return [];
    if (typeof value === 'number') return [`- ${word}: ${value}`];
    if (typeof value === 'boolean') return value === (name === 'complete') ? [] : [`- ${value ? '' : 'not '}${word}`];
    if (!Array.isArray(value)) return [`- ${word}: ${text(String(value))}`];
    return value.map((each: unknown) => `- ${word}: ${entry(each)}`);
  });
  return [`## ${title}`, lines.length === 0 ? 'Nothing to tell.' : lines.join('\n')];
}

/** An edge with its target and what is said of it, or whatever else a list holds. */
function entry(value: unknown): string {
  if (value === null || typeof value !== 'object') return text(String(value));
  const { target, owner, owners, from, to, edges, reason, message } = value as Readonly<Record<string, unknown>>;
  const names = (which: unknown) => (Array.isArray(which) ? which.join(', ') : String(which)).slice(0, LONGEST);
  const parts = [
    ...(owner === undefined ? [] : [code(names(owner))]),
    ...(target === undefined ? [] : [code(names(target))]),
    ...(from === undefined ? [] : [`${code(names(from))} → ${code(names(to))}`]),
    ...(Array.isArray(owners) && owners.length > 0 ? [`declared by ${code(names(owners))}`] : []),
    ...(edges === undefined ? [] : [`${text(String(edges))} edges`]),
  ];
  const said = reason ?? message;
  return `${parts.join(' ')}${said === undefined ? '' : `: ${text(names(said))}`}`;
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

function text(value: string): string {
  return value.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#+!|~&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function code(value: string): string {
  const plain = value.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  const ticks = '`'.repeat(Math.max(0, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return ticks.length === 1 ? `\`${plain}\`` : `${ticks} ${plain} ${ticks}`;
}
