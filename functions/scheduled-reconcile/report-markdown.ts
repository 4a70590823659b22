import type { HeldReport, PassReport } from './report.ts';

/** A report for people: what matters first, lists after it. What others chose (names, reasons) cannot become markup. Pure. */
export function reportMarkdown(report: PassReport): string {
  const { startedAt, finishedAt, complete, failed, left, counts, edges, verdicts } = report;
  const seconds = ((Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000).toFixed(1);
  const parts = [
    `# Pass of ${startedAt}`,
    failed === undefined
      ? `${complete ? 'Complete' : 'Not complete'} after ${seconds} s: ${counts['owners'] ?? 0} manifests seen.`
      : `**Failed** after ${seconds} s, and nothing was withdrawn because of that: ${text(failed)}`,
    ...(left === undefined
      ? []
      : [
          `Left for next time: ${text(left.reason)}.${left.after === undefined ? '' : ` Looked at up to ${code(left.after)}.`}`,
        ]),
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
    ...numbers('Manifests', counts),
    ...numbers('Manifests by state', verdicts),
    ...numbers('Edges by outcome', edges),
    ...(report.drift === undefined ? [] : facts('Drift', report.drift)),
    ...(report.flink === undefined ? [] : facts('Flink', report.flink)),
    ...list('Slowest', report.slowest, ({ owner, ms }) => `${code(owner)}: ${(ms / 1_000).toFixed(1)} s`),
  ];
  return `${parts.join('\n\n')}\n`;
}

function heldPart({ held, more }: PassReport): string[] {
  if (held.length === 0) return [];
  const line = (each: HeldReport) =>
    `- ${each.edges} edges of ${each.owners} manifests since ${each.since} (${age(each.ageSeconds)}): ${text(each.reason)}\n  \`POST /reconcile ${JSON.stringify(each.release.body)}\` releases exactly this.`;
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

function facts(title: string, values: Readonly<Record<string, unknown>>): string[] {
  const lines = Object.entries(values).map(([name, value]) =>
    typeof value === 'number' || typeof value === 'boolean'
      ? `- ${text(name)}: ${value}`
      : `- ${text(name)}: ${code(JSON.stringify(value).slice(0, 1_000))}`,
  );
  return [`## ${title}`, lines.join('\n')];
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
