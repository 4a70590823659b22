import { isPast, type PlanChange, type PlanDocument } from '../core/plan-document.ts';
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

export interface TerminalOptions {
  /** Only for a terminal whose user wants colours. */
  readonly color: boolean;
  /** Changes that are shown at most; the rest is counted. Default 500. */
  readonly most?: number;
}

const MOST = 500;
/** Of what was so before and stays so. */
const PAST_SHOWN = 10;
const COLUMNS_SHOWN = 8;
const CODES = { red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36, gray: 90, bold: 1 } as const;

/** A plan for a terminal: changes by manifest, a few of what stays as it was, then what it comes to, so that the last lines say what matters. */
export function planTerminal(plan: PlanDocument, { color, most = MOST }: TerminalOptions): string {
  const paint = (style: keyof typeof CODES, text: string): string =>
    color ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  const lines: string[] = [];
  const show = (all: readonly PlanChange[], most: number): void => {
    let shown = 0;
    for (const [owner, changes] of byOwner(all)) {
      if (shown >= most) break;
      lines.push(`${paint('bold', plainText(owner))}  ${countsOf(tally(changes))}`);
      for (const change of changes.slice(0, most - shown)) lines.push(row(change, paint));
      shown += Math.min(changes.length, most - shown);
      lines.push('');
    }
    if (all.length > shown)
      lines.push(`… ${grouped(all.length - shown)} more are not shown; --format json has all`, '');
  };
  show(
    plan.changes.filter((change) => !isPast(change)),
    most,
  );
  const past = plan.changes.filter(isPast);
  if (past.length > 0) lines.push(paint('gray', 'As before, and nothing is done about it:'), '');
  show(past, Math.min(PAST_SHOWN, most));
  for (const { owner, path, message, line } of plan.problems) {
    const at = line === undefined ? path : `line ${line}`;
    lines.push(
      `${paint('red', 'cannot be used')}  ${plainText(owner)}${at === '' ? '' : ` (${plainText(at)})`}: ${plainText(message)}`,
    );
  }
  for (const note of plan.notes ?? []) lines.push(paint('yellow', plainText(note)));
  for (const group of heldGroups(plan)) {
    const since = group.age === undefined ? '' : ` for ${group.age}`;
    const what = `${edgesWord(group.edges)} in ${manifestsWord(group.owners)}`;
    lines.push(`${paint('magenta', `held${since}`)}  ${what}: ${plainText(group.reason)}`);
    if (group.request === undefined) continue;
    const { ask, instead } = releaseWords(group);
    lines.push(`  ${ask}: ${plainText(group.request)}${instead === undefined ? '' : `; ${instead}`}`);
  }
  for (const said of leftBehind(plan.changes)) lines.push(paint('gray', plainText(said)));
  lines.push(
    `${paint('bold', `Plan: ${countsOf(plan.summary)}`)}; ${edgesWord(plan.summary.unchanged)} unchanged in ${manifestsWord(plan.owners)}.`,
  );
  lines.push(`It takes ${effortOf(plan)}. Checksum ${plan.checksum}`);
  if (!plan.hypothetical && Object.keys(plan.calls).length > 0)
    lines.push(`To apply exactly this: POST /reconcile ${JSON.stringify({ plan: plan.checksum })}`);
  return `${lines.join('\n')}\n`;
}

function row(change: PlanChange, paint: (style: keyof typeof CODES, text: string) => string): string {
  const { glyph, word, color } = VERDICT_LOOKS[change.verdict];
  const columns = columnsOf(change, COLUMNS_SHOWN);
  const why = columns === '' ? change.reason : `${change.reason} (${columns})`;
  const said = `${plainText(change.target)}  ${plainText(change.from)} → ${plainText(change.to)}`;
  return `  ${paint(color, `${glyph} ${word.padEnd(11)}`)} ${said}  ${paint('gray', plainText(why))}`;
}
