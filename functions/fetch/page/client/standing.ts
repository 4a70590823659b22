import type { ComparedAt } from '../../../../shared/core/graph.ts';
import type { PageData } from '../page.ts';
import { el } from './dom.ts';

type Compare = NonNullable<PageData['graph']['compare']>;
type Plan = NonNullable<PageData['graph']['plan']>;
type Verdict = ComparedAt['verdict'];

const WORDS: Readonly<Record<Verdict, string>> = {
  missing: 'missing there',
  extra: 'only there',
  waiting: 'not there yet',
  absent: 'not there',
  unread: 'not asked',
  same: 'there',
};

/** What was compared, and how it came out. */
export function aboutCompare({ at, targets }: Compare): HTMLElement[] {
  return [
    el('p', { class: 'soft' }, `Vendors asked at ${at.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}.`),
    el(
      'ul',
      { class: 'compared' },
      ...targets.map(({ target, reason, counts }) => {
        const told = (Object.keys(WORDS) as Verdict[]).filter((verdict) => counts[verdict] > 0);
        return el(
          'li',
          {},
          el('strong', {}, target),
          ` ${told.map((verdict) => `${counts[verdict]} ${WORDS[verdict]}`).join(', ') || 'nothing to compare'}`,
          reason !== undefined && el('div', { class: 'advice' }, `Not asked: ${reason}`),
        );
      }),
    ),
  ];
}

/** The plan in numbers, and how to apply just this one. */
export function aboutPlan({ checksum, summary }: Plan): HTMLElement[] {
  const told = Object.entries(summary).filter(([, count]) => count > 0);
  return [
    el(
      'p',
      { class: 'soft' },
      told.map(([verdict, count]) => `${count} ${verdict}`).join(', ') || 'Nothing is planned.',
    ),
    el(
      'details',
      {},
      el('summary', {}, 'Apply it'),
      el('p', {}, 'GET /plan keeps it; then send '),
      el('pre', { tabindex: '0' }, el('code', {}, `POST /reconcile {"plan":"${checksum}"}`)),
    ),
  ];
}

/** One edge, side by side. */
export function comparedTable(compared: readonly ComparedAt[]): HTMLElement {
  const shown = (each: ComparedAt) => (each.shown === null ? 'not asked' : each.shown ? 'shown' : 'not shown');
  const columns = ({ columns: found }: ComparedAt) =>
    [
      found && found.missing.length > 0 ? `${found.missing.length} columns missing` : '',
      found && found.extra.length > 0 ? `${found.extra.length} columns more` : '',
    ].filter((each) => each !== '');
  return el(
    'table',
    { class: 'sides' },
    el('thead', {}, el('tr', {}, ...['Target', 'Ledger', 'Vendor'].map((name) => el('th', { scope: 'col' }, name)))),
    el(
      'tbody',
      {},
      ...compared.map((each) =>
        el(
          'tr',
          { class: `verdict-${each.verdict}` },
          el('th', { scope: 'row' }, each.target),
          el('td', {}, each.ledger ?? 'not declared'),
          el('td', {}, [shown(each), ...columns(each)].join(', ')),
        ),
      ),
    ),
  );
}
