import type { EdgeAtTarget, Graph, GraphEdge, GraphNode, Mark } from '../../../../shared/core/graph.ts';
import { LOOKS, outcomeAt, rankOf, titleOf, worstOf } from '../../../../shared/formats/words.ts';
import type { PageData } from '../page.ts';
import { el, svg } from './dom.ts';
import { aboutCompare, aboutPlan, comparedTable } from './standing.ts';
import type { Choice } from './state.ts';

export interface PanelOptions {
  readonly choice: Choice | undefined;
  readonly canGrow: boolean;
  readonly data: PageData;
  choose(choice: Choice | undefined): void;
  grow(id: string, direction: 'upstream' | 'downstream'): void;
}

/** What the side panel says about what is chosen; with nothing chosen, what needs somebody. */
export function panelOf(graph: Graph, options: PanelOptions): HTMLElement[] {
  const { choice } = options;
  if (choice?.kind === 'edge') {
    const edge = graph.edges.find(({ from, to }) => from === choice.from && to === choice.to);
    if (edge) return [back(options), ...aboutEdge(edge, options)];
  }
  if (choice?.kind === 'dataset' || choice?.kind === 'column') {
    const node = graph.nodes.find(({ id }) => id === choice.id);
    if (node) return [back(options), ...aboutDataset(node, graph, choice, options)];
  }
  return summary(graph, options);
}

const back = ({ choose }: PanelOptions) =>
  el('button', { 'data-key': 'back', click: () => choose(undefined) }, '← All');

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

/** Marks that are explained even where no edge has them. */
const USUAL: ReadonlySet<Mark> = new Set<Mark>([
  'failed',
  'unknown',
  'held',
  'conflict',
  'pending',
  'unsupported',
  'registered',
]);

function quietText(graph: Graph, { graph: { plan } }: PageData): string {
  if (plan) return graph.edges.length === 0 ? 'Applying it would change nothing.' : 'Nothing here would change.';
  return graph.edges.length === 0 ? 'No edges here.' : 'Every vendor shows every edge.';
}

function summary(graph: Graph, { choose, data }: PanelOptions): HTMLElement[] {
  const byOutcome = new Map<Mark, GraphEdge[]>();
  for (const edge of graph.edges) {
    const worst = worstOf(edge);
    byOutcome.set(worst, [...(byOutcome.get(worst) ?? []), edge]);
  }
  const troubled = [...byOutcome]
    .filter(([outcome]) => outcome !== 'registered')
    .sort(([a], [b]) => rankOf(a) - rankOf(b))
    .flatMap(([, edges]) => edges);
  const isTold = (mark: Mark) => USUAL.has(mark) || byOutcome.has(mark);
  return [
    el('h2', {}, `${counted(graph.nodes.length, 'dataset')}, ${counted(graph.edges.length, 'edge')}`),
    ...(data.expires === undefined ? [] : [el('p', { class: 'soft' }, `Shared link, until ${time(data.expires)}.`)]),
    ...(data.graph.plan ? aboutPlan(data.graph.plan) : []),
    ...(data.graph.compare ? aboutCompare(data.graph.compare) : []),
    ...(troubled.length === 0
      ? [el('p', { class: 'soft' }, quietText(graph, data))]
      : [
          el('h3', {}, 'Look at these first'),
          el('ul', {}, ...troubled.slice(0, 30).map((edge) => el('li', {}, edgeButton(edge, choose)))),
          ...(troubled.length > 30 ? [el('p', { class: 'soft' }, `and ${troubled.length - 30} more`)] : []),
        ]),
    el(
      'details',
      { open: matchMedia('(min-width:761px)').matches },
      el('summary', {}, 'Signs'),
      el(
        'ul',
        { class: 'legend' },
        ...(Object.keys(LOOKS) as Mark[])
          .filter(isTold)
          .map((outcome) =>
            el(
              'li',
              {},
              el('span', { class: `is-${outcome}` }, badge(outcome)),
              sample(outcome),
              el('span', {}, String(byOutcome.get(outcome)?.length ?? 0)),
            ),
          ),
      ),
    ),
  ];
}

function sample(outcome: Mark): SVGSVGElement {
  const line = svg('path', {
    class: `line is-${outcome}`,
    d: 'M0 5H34',
    'stroke-dasharray': LOOKS[outcome].dash || undefined,
  });
  return svg('svg', { width: 34, height: 10, 'aria-hidden': 'true' }, line);
}

/** A state as sign and word. */
export function badge(outcome: Mark): HTMLElement {
  const { glyph, word } = LOOKS[outcome];
  return el('span', { class: `badge is-${outcome}` }, el('span', { 'aria-hidden': 'true' }, glyph), word);
}

function edgeButton(
  edge: GraphEdge,
  choose: PanelOptions['choose'],
  end: 'both' | 'from' | 'to' = 'both',
): HTMLElement {
  const { from, to } = edge;
  const names = (end === 'both' ? [from, to] : [edge[end]]).map((id) => el('bdi', {}, titleOf(id).title));
  const [first, second] = names;
  return el(
    'button',
    { class: 'pick', title: `${from} → ${to}`, click: () => choose({ kind: 'edge', from, to }) },
    badge(worstOf(edge)),
    el('span', { class: 'names' }, first, second && el('span', { class: 'arrow' }, ' → '), second),
  );
}

function aboutDataset(
  node: GraphNode,
  graph: Graph,
  choice: Extract<Choice, { id: string }>,
  { choose, grow, canGrow }: PanelOptions,
): HTMLElement[] {
  const { id } = node;
  const into = graph.edges.filter((edge) => edge.to === id);
  const out = graph.edges.filter((edge) => edge.from === id);
  const list = (title: string, edges: readonly GraphEdge[], end: 'from' | 'to') => [
    el('h3', {}, title),
    edges.length === 0
      ? el('p', { class: 'soft' }, 'None shown.')
      : el('ul', {}, ...edges.slice(0, 100).map((edge) => el('li', {}, edgeButton(edge, choose, end)))),
  ];
  return [
    el('h2', { tabindex: '-1' }, el('bdi', {}, titleOf(id).title)),
    el('p', { class: 'soft mono' }, el('bdi', {}, id)),
    ...(choice.kind === 'column'
      ? [
          el(
            'p',
            {},
            'Column ',
            el('strong', {}, el('bdi', {}, choice.column)),
            ' with all that it comes from and goes to.',
          ),
        ]
      : []),
    ...(node.names.length > 0
      ? [
          el('h3', {}, 'Also known as'),
          el('ul', {}, ...node.names.map((name) => el('li', { class: 'mono' }, el('bdi', {}, name)))),
        ]
      : []),
    ...(canGrow
      ? [
          el(
            'div',
            { class: 'row' },
            el('button', { 'data-key': 'up', click: () => grow(id, 'upstream') }, '← Show sources'),
            el('button', { 'data-key': 'down', click: () => grow(id, 'downstream') }, 'Show uses →'),
            el('a', { class: 'button', href: `/lineage?${new URLSearchParams({ dataset: id })}` }, 'Start here'),
          ),
        ]
      : []),
    ...list('Comes from', into, 'from'),
    ...list('Feeds', out, 'to'),
  ];
}

function aboutEdge(edge: GraphEdge, { choose }: PanelOptions): HTMLElement[] {
  const { from, to, declaredBy, jobs = [], columns = [] } = edge;
  const end = (id: string) => {
    const { title, place } = titleOf(id);
    const names = [el('bdi', {}, title), el('small', {}, el('bdi', {}, place))];
    return el('button', { class: 'pick', title: id, click: () => choose({ kind: 'dataset', id }) }, ...names);
  };
  const texts = (title: string, list: readonly string[]) =>
    list.length === 0
      ? []
      : [el('h3', {}, title), el('ul', {}, ...list.map((each) => el('li', { class: 'mono' }, el('bdi', {}, each))))];
  return [
    el('h2', { tabindex: '-1' }, 'Edge'),
    el('div', {}, end(from), el('p', { class: 'soft' }, '↓ feeds'), end(to)),
    ...texts(jobs.length === 1 ? 'Job' : 'Jobs', jobs),
    ...texts(declaredBy.length === 1 ? 'Declared by' : `Declared by ${declaredBy.length} manifests`, declaredBy),
    ...(edge.compared ? [el('h3', {}, 'Ledger and vendors'), comparedTable(edge.compared)] : []),
    el('h3', {}, 'At the vendors'),
    ...[...edge.targets].sort((a, b) => rankOf(outcomeAt(a)) - rankOf(outcomeAt(b))).map(aboutTarget),
    ...(columns.length === 0
      ? []
      : [
          el('h3', {}, counted(columns.length, 'column edge')),
          el(
            'ul',
            {},
            ...columns.map((column) =>
              el(
                'li',
                {},
                el(
                  'button',
                  { class: 'pick', click: () => choose({ kind: 'column', id: to, column: column.to }) },
                  el('bdi', {}, column.from),
                  el('span', { class: 'arrow' }, ' → '),
                  el('bdi', {}, column.to),
                  column.direct ? '' : ' (not direct)',
                ),
              ),
            ),
          ),
        ]),
  ];
}

function aboutTarget(at: EdgeAtTarget): HTMLElement {
  const outcome = outcomeAt(at);
  const facts: (readonly [string, string | undefined])[] = [
    ['Receipt', at.receipt],
    ['First registered', at.registeredAt && time(at.registeredAt)],
    ['Last changed', at.changedAt && time(at.changedAt)],
    ['Last failure', at.failure && `${at.failure.message} (${at.failure.kind}, ${time(at.failure.at)})`],
    ['Tried again', at.failure?.retryAt && time(at.failure.retryAt)],
  ];
  return el(
    'div',
    { class: `at is-${outcome}` },
    el('strong', {}, at.target),
    ' ',
    badge(outcome),
    el(
      'dl',
      {},
      ...facts.flatMap(([name, value]) =>
        value === undefined
          ? []
          : [el('dt', {}, name), el('dd', { class: name === 'Receipt' ? 'mono' : undefined }, el('bdi', {}, value))],
      ),
    ),
    at.advice !== undefined && el('p', { class: 'advice' }, at.advice),
  );
}

const time = (iso: string): string => iso.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');
