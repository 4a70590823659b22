import { type ColumnPath, columnPath } from '../../../../shared/core/column-path.ts';
import type { PageData } from '../page.ts';
import { barOf } from './bar.ts';
import { el, say } from './dom.ts';
import { type Drawing, draw } from './draw.ts';
import { emptyOf } from './empty.ts';
import { panelOf } from './panel.ts';
import { startSearch } from './search.ts';
import { type Choice, canGrow, focusOf, grow, newState, shown, source } from './state.ts';
import { tableOf } from './table.ts';
import { type View, viewOf } from './view.ts';

const data = JSON.parse(document.querySelector('#data')?.textContent ?? '{}') as PageData & {
  readonly overview?: true;
};
const app = document.querySelector<HTMLElement>('#app');
// The overview has no graph, only the search.
const from = source(data);
if (from) startSearch(from);
if (app && data.overview !== true) startGraph(app);

function startGraph(app: HTMLElement): void {
  const state = newState(data);
  const world = el('div', { class: 'world' });
  const notice = el('div', { class: 'collapsed', role: 'status', hidden: true });
  const stage = el(
    'div',
    {
      class: 'stage',
      tabindex: '0',
      role: 'region',
      'aria-label': 'Graph. Arrow keys move it, plus and minus zoom; Tab goes through datasets and edges.',
    },
    world,
    notice,
  );
  const panel = el('aside', { class: 'panel', tabindex: '0', 'aria-label': 'Details' });
  const view: View = viewOf(stage, world);
  let drawing: Drawing | undefined;
  stage.append(
    el(
      'div',
      { class: 'zoom', role: 'group', 'aria-label': 'Zoom' },
      el('button', { 'aria-label': 'Zoom in', click: () => view.zoom(1.3) }, '+'),
      el('button', { 'aria-label': 'Zoom out', click: () => view.zoom(1 / 1.3) }, '−'),
      el('button', { 'aria-label': 'Fit all into view', click: () => drawing && view.fit(drawing.picture) }, 'Fit'),
    ),
  );

  function choose(choice: Choice | undefined): void {
    state.choice = choice;
    if (choice?.kind === 'column') {
      // Its way is seen where the cards on it are open.
      for (const key of columnPath(state.graph, choice.id, choice.column).columns)
        state.opened.add((JSON.parse(key) as [string])[0]);
    }
    render();
    bring(choice);
  }

  /** What was chosen comes into sight: a card, or both ends of an edge. */
  function bring(choice: Choice | undefined): void {
    const ids = choice === undefined ? [] : choice.kind === 'edge' ? [choice.from, choice.to] : [choice.id];
    const cards = drawing?.picture.cards.filter((each) => ids.includes(each.id)) ?? [];
    if (cards.length === 0) return;
    const x = Math.min(...cards.map((card) => card.x));
    const y = Math.min(...cards.map((card) => card.y));
    const right = Math.max(...cards.map((card) => card.x + card.width));
    const bottom = Math.max(...cards.map((card) => card.y + card.height));
    view.show({ x, y, width: right - x, height: bottom - y });
  }

  async function more(id: string, direction: 'upstream' | 'downstream'): Promise<void> {
    if (!from) return;
    app.setAttribute('aria-busy', 'true');
    try {
      const added = await grow(state, from, id, direction);
      render();
      say(added === 0 ? `Nothing more ${direction}.` : `${added} dataset${added === 1 ? '' : 's'} added.`);
      bring({ kind: 'dataset', id });
    } catch (thrown) {
      say(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      app.setAttribute('aria-busy', 'false');
    }
  }

  function render(): void {
    const graph = shown(state);
    const { choice } = state;
    const key = document.activeElement?.getAttribute('data-key');
    const path: ColumnPath | undefined =
      choice?.kind === 'column' ? columnPath(graph, choice.id, choice.column) : undefined;
    const acts = {
      choice,
      canGrow: canGrow(data),
      choose,
      grow: (id: string, direction: 'upstream' | 'downstream') => void more(id, direction),
    };
    drawing = draw(world, graph, { ...acts, focus: focusOf(state), opened: state.opened, path, toggle });
    panel.replaceChildren(...panelOf(graph, { ...acts, data }));
    const bar = barOf({ state, source: from, toggleList, toggleColumns });
    const body = state.asList
      ? el('div', { class: 'tablewrap', tabindex: '0', role: 'region', 'aria-label': 'Edges' }, tableOf(graph, choose))
      : stage;
    app.replaceChildren(bar, body, panel);
    const left = state.graph.nodes.length - graph.nodes.length;
    notice.hidden = left === 0 && data.graph.next === undefined;
    notice.replaceChildren(...noticeOf(graph.nodes.length, left));
    if (key)
      [...app.querySelectorAll<HTMLElement>('[data-key]')]
        .find((each) => each.getAttribute('data-key') === key)
        ?.focus();
  }

  function noticeOf(count: number, left: number): (HTMLElement | string)[] {
    if (left > 0) {
      const show = el(
        'button',
        {
          click: () => {
            state.most += 200;
            render();
          },
        },
        'Show 200 more',
      );
      return [`The nearest ${count} of ${count + left} datasets.`, show];
    }
    const { next } = data.graph;
    if (next === undefined || !from) return [];
    const query = new URLSearchParams(location.search);
    query.set('after', next);
    return ['There is more than fits here.', el('a', { href: `/lineage?${query}` }, 'Next part')];
  }

  function toggle(id: string): void {
    if (!state.opened.delete(id)) state.opened.add(id);
    render();
  }

  function toggleList(): void {
    state.asList = !state.asList;
    render();
    if (!state.asList && drawing) view.fit(drawing.picture);
  }

  function toggleColumns(): void {
    const all = shown(state).nodes.map((node) => node.id);
    if (state.opened.size > 0) state.opened.clear();
    else for (const id of all) state.opened.add(id);
    render();
    if (drawing) view.fit(drawing.picture);
  }

  stage.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && state.choice) choose(undefined);
    const card = event.target instanceof Element ? event.target.closest('.card') : null;
    const id = card?.getAttribute('data-id');
    if (id === null || id === undefined || !drawing) return;
    const next = beside(id, event.key, drawing);
    if (next === undefined) return;
    event.preventDefault();
    const box = drawing.picture.cards.find((each) => each.id === next);
    [...world.querySelectorAll('.card')]
      .find((each) => each.getAttribute('data-id') === next)
      ?.querySelector<HTMLElement>('.name')
      ?.focus({ preventScroll: true });
    if (box) view.show(box);
  });

  const empty = emptyOf(data);
  if (empty) app.replaceChildren(empty);
  else {
    render();
    requestAnimationFrame(() => {
      const focus = drawing?.picture.cards.find((card) => card.id === focusOf(state)) ?? drawing?.picture.cards[0];
      if (drawing) view.start(drawing.picture, focus);
    });
  }
  app.setAttribute('aria-busy', 'false');
}

/** The dataset that an arrow key leads to: along an edge, or the next card above or below. */
function beside(id: string, key: string, { picture }: Drawing): string | undefined {
  const edges = picture.lines.map((line) => line.edge);
  if (key === 'ArrowLeft') return edges.find((edge) => edge.to === id)?.from;
  if (key === 'ArrowRight') return edges.find((edge) => edge.from === id)?.to;
  const here = picture.cards.find((card) => card.id === id);
  if (!here || (key !== 'ArrowUp' && key !== 'ArrowDown')) return undefined;
  const way = key === 'ArrowUp' ? -1 : 1;
  const column = picture.cards.filter(
    (card) => Math.abs(card.x + card.width / 2 - here.x - here.width / 2) < 60 && (card.y - here.y) * way > 0,
  );
  return column.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0]?.id;
}
