import { isEmpty, isPast, PLAN_VERDICTS, type PlanChange, type PlanDocument } from '../core/plan-document.ts';
import {
  byOwner,
  columnsOf,
  countsOf,
  edgesWord,
  effortOf,
  grouped,
  heldGroups,
  leftBehind,
  manifestsWord,
  plainText,
  releaseWords,
  tally,
  VERDICT_LOOKS,
} from './plan-words.ts';

/** A comment on GitHub holds 65,536 characters (GitHub, read 2026-11); the rest is for what a CI job puts around it. */
const MOST_CHARACTERS = 60_000;
const HELD_SHOWN = 20;
const PROBLEMS_SHOWN = 20;
const COLUMNS_SHOWN = 6;
/** Of what was so before and stays so; the rest is counted. */
const PAST_SHOWN = 50;

/** A plan for a pull request: what it comes to first, what waits for a person next, details folded. What is left out is said. */
export function planMarkdown(plan: PlanDocument, options: { readonly most?: number } = {}): string {
  const most = options.most ?? MOST_CHARACTERS;
  const head = [
    `## Lineage plan: ${countsOf(plan.summary)}`,
    '',
    `${isEmpty(plan) ? 'Nothing to do' : 'Nothing has been done yet'}. ${manifestsWord(plan.owners)} looked at, ${edgesWord(plan.summary.unchanged)} unchanged. Applying it takes ${effortOf(plan)}.`,
    ...(plan.hypothetical
      ? ['It is made for manifests that are not in the bucket yet, so it cannot be applied itself.']
      : []),
    '',
    ...summaryTable(plan),
    ...heldPart(plan),
    ...leftBehind(plan.changes).flatMap((said) => [
      `> ${text(said)}. Their receipts below say what to remove by hand.`,
      '',
    ]),
    ...problemsPart(plan),
    ...(plan.notes ?? []).flatMap((note) => [`> ${text(note)}`, '']),
  ].join('\n');
  const { body, left } = details(plan, most - head.length - 600);
  const missing =
    left.changes === 0
      ? []
      : [
          `**${edgesWord(left.changes)} in ${manifestsWord(left.owners)} not shown here**, so that this stays readable. All of them: \`GET /plan?after=${plan.checksum}.0\`.`,
          '',
        ];
  const foot = `<sub>plan <code>${plan.checksum}</code>, ${plan.at}</sub>\n`;
  return [head, ...body, ...missing, foot].join('\n');
}

function summaryTable({ summary }: PlanDocument): string[] {
  const rows = PLAN_VERDICTS.filter((verdict) => summary[verdict] > 0);
  if (rows.length === 0) return [];
  const lines = rows.map(
    (verdict) => `| ${VERDICT_LOOKS[verdict].glyph} ${VERDICT_LOOKS[verdict].word} | ${grouped(summary[verdict])} |`,
  );
  return ['| verdict | edges |', '|---|---:|', ...lines.map((line) => line.replace('| - ', '| − ')), ''];
}

function heldPart(plan: PlanDocument): string[] {
  const groups = heldGroups(plan);
  if (groups.length === 0) return [];
  const lines = groups.slice(0, HELD_SHOWN).map((group) => {
    const where = `${edgesWord(group.edges)} in ${manifestsWord(group.owners)}`;
    const since = group.since === undefined ? '' : `, held for ${group.age} (since ${group.since})`;
    const { ask, instead } = releaseWords(group);
    const how = group.request === undefined ? '' : `. ${capital(ask)}: ${code(group.request)}`;
    const or = how === '' || instead === undefined ? '' : `; ${instead}`;
    return `> - ${where}${since}: ${text(group.reason)}${how}${or}`;
  });
  const more = groups.length > HELD_SHOWN ? [`> - and ${grouped(groups.length - HELD_SHOWN)} more groups`] : [];
  return [
    `> **${edgesWord(plan.summary.held)} held: nothing happens to them until a person says so.**`,
    '>',
    ...lines,
    ...more,
    '',
  ];
}

function problemsPart({ problems }: PlanDocument): string[] {
  if (problems.length === 0) return [];
  const lines = problems.slice(0, PROBLEMS_SHOWN).map(({ owner, path, message, line }) => {
    const at = line === undefined ? path : `line ${line}${path === '' ? '' : `, ${path}`}`;
    return `- ${code(owner)}${at === '' ? '' : ` ${text(at)}`}: ${text(message)}`;
  });
  const more = problems.length > PROBLEMS_SHOWN ? [`- and ${grouped(problems.length - PROBLEMS_SHOWN)} more`] : [];
  return ['**What cannot be used; nothing of it changes:**', '', ...lines, ...more, ''];
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** One fold per manifest, as many as fit; what stays as it was comes last. */
function details(plan: PlanDocument, room: number) {
  const body: string[] = [];
  let used = 0;
  let shown = 0;
  const cut = new Set<string>();
  const past = plan.changes.filter(isPast);
  const news = plan.changes.filter((change) => !isPast(change));
  const folds = [...byOwner(news), ...byOwner(past.slice(0, PAST_SHOWN))];
  for (const [owner] of byOwner(past.slice(PAST_SHOWN))) cut.add(owner);
  for (const [at, [owner, changes]] of folds.entries()) {
    const open = `<details><summary>${code(owner)}: ${countsOf(tally(changes))}</summary>\n\n| | target | edge | why |\n|---|---|---|---|`;
    const close = '\n</details>\n';
    const rows: string[] = [];
    let size = open.length + close.length;
    for (const change of changes) {
      const line = row(change);
      if (used + size + line.length > room) break;
      rows.push(line);
      size += line.length + 1;
    }
    if (rows.length > 0) body.push([open, ...rows, close].join('\n'));
    used += size;
    shown += rows.length;
    if (rows.length === changes.length) continue;
    for (const [left] of folds.slice(at)) cut.add(left);
    break;
  }
  return { body, left: { changes: plan.changes.length - shown, owners: cut.size } };
}

function row(change: PlanChange): string {
  const { verdict, target, from, to, reason } = change;
  const columns = columnsOf(change, COLUMNS_SHOWN);
  const why = columns === '' ? text(reason) : `${text(reason)} (${text(columns)})`;
  return `| ${VERDICT_LOOKS[verdict].word} | ${text(target)} | ${code(from)} → ${code(to)} | ${why} |`;
}

/** Text that cannot become Markdown, HTML, a link, a mention or a table cell of its own. */
function text(value: string): string {
  const plain = plainText(value).replace(/[!-/:-@[-`{-~]/g, (found, at: number, all: string) =>
    SAFE.has(found) || isInsideName(found, at, all) ? found : entity(found),
  );
  // Mentions and mail addresses are looked for after entities are read; a comment keeps them apart.
  return plain
    .replaceAll(entity('@'), `${entity('@')}<!-- -->`)
    .replaceAll('://', `${entity(':')}//`)
    .replace(/www\./gi, (found) => `${found.slice(0, 3)}${entity('.')}`);
}

function code(value: string): string {
  return `<code>${text(value)}</code>`;
}

const entity = (character: string): string => `&#${character.charCodeAt(0)};`;

/** Punctuation that means nothing to Markdown inside a line, as long as the rest is escaped. */
const SAFE: ReadonlySet<string> = new Set([...',;./%=?-+:(){}"\'']);

/** `a_b`: GitHub takes it for emphasis only at the edge of a word. */
function isInsideName(found: string, at: number, all: string): boolean {
  return found === '_' && /[A-Za-z0-9]_[A-Za-z0-9]/.test(all.slice(Math.max(0, at - 1), at + 2));
}
