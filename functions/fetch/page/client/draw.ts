import { type ColumnPath, columnEdgeKey, columnKey } from '../../../../shared/core/column-path.ts';
import type { Graph } from '../../../../shared/core/graph.ts';
import { type Card, columnsIn, type Line, type Picture, pictureOf } from '../../../../shared/formats/picture.ts';
import { LOOKS, visible } from '../../../../shared/formats/words.ts';
import { el, place, svg } from './dom.ts';
import { type Choice, edgeKey } from './state.ts';

export interface Drawing {
  readonly picture: Picture;
  readonly columns: ReadonlyMap<string, readonly string[]>;
}

export interface DrawOptions {
  readonly focus: string | undefined;
  readonly opened: ReadonlySet<string>;
  readonly choice: Choice | undefined;
  readonly path: ColumnPath | undefined;
  readonly canGrow: boolean;
  choose(choice: Choice): void;
  toggle(id: string): void;
  grow(id: string, direction: 'upstream' | 'downstream'): void;
}

/** Lays the graph out and puts it into the world, in reading order: from left to right, from top to bottom. */
export function draw(world: HTMLElement, graph: Graph, options: DrawOptions): Drawing {
  const columns = columnsIn(graph);
  const picture = pictureOf(graph, { columnsOf: (id) => (options.opened.has(id) ? (columns.get(id) ?? []) : []) });
  const { width, height } = picture;
  world.style.width = `${width}px`;
  world.style.height = `${height}px`;
  world.classList.toggle('dimmed', options.path !== undefined);
  const lines = svg(
    'svg',
    { width, height, 'aria-hidden': 'true' },
    svg(
      'defs',
      {},
      ...Object.keys(LOOKS).map((outcome) =>
        svg(
          'marker',
          {
            id: `head-${outcome}`,
            viewBox: '0 0 8 8',
            refX: 7,
            refY: 4,
            markerWidth: 9,
            markerHeight: 9,
            markerUnits: 'userSpaceOnUse',
            orient: 'auto',
          },
          svg('path', { class: `head is-${outcome}`, d: 'M0 0L8 4L0 8z' }),
        ),
      ),
    ),
    ...picture.lines.map((line) => lineOf(line, options)),
  );
  const cards = [...picture.cards]
    .sort((a, b) => a.x - b.x || a.y - b.y)
    .map((card) => cardOf(card, columns.get(card.id) ?? [], options));
  world.replaceChildren(lines, ...cards, ...picture.lines.map((line) => labelOf(line, options)));
  return { picture, columns };
}

function isChosen(line: Line, choice: Choice | undefined): boolean {
  return choice?.kind === 'edge' && choice.from === line.edge.from && choice.to === line.edge.to;
}

function lineOf(line: Line, { choice, path, choose }: DrawOptions): SVGGElement {
  const { from, to } = line.edge;
  const chosen = isChosen(line, choice);
  return svg(
    'g',
    {},
    svg('path', {
      class: `line is-${line.worst}${chosen ? ' chosen' : ''}`,
      d: line.d,
      'stroke-dasharray': LOOKS[line.worst].dash || undefined,
      'marker-end': `url(#head-${line.worst})`,
    }),
    svg('path', { class: 'hit', d: line.d, click: () => choose({ kind: 'edge', from, to }) }),
    ...line.columns.map(({ column, d }) => {
      const lit = path?.edges.has(columnEdgeKey(from, column.from, to, column.to));
      return svg('path', { class: `flow${column.direct ? '' : ' indirect'}${lit ? ' lit' : ''}`, d });
    }),
  );
}

function cardOf(card: Card, columns: readonly string[], options: DrawOptions): HTMLElement {
  const { focus, opened, choice, path, canGrow, choose, toggle, grow } = options;
  const { id, title, more } = card;
  const open = opened.has(id);
  const chosen = choice?.kind !== 'edge' && choice?.id === id;
  const lit = path !== undefined && columns.some((column) => path.columns.has(columnKey(id, column)));
  const growing = (['upstream', 'downstream'] as const).flatMap((direction) => {
    const count = more?.[direction] ?? 0;
    if (count === 0) return [];
    const text = `${count}${more?.atLeast ? '+' : ''} more`;
    return el(
      'button',
      {
        class: `more ${direction === 'upstream' ? 'up' : 'down'}`,
        disabled: !canGrow,
        'aria-label': `${text} ${direction} of ${title}`,
        click: () => grow(id, direction),
      },
      direction === 'upstream' ? `← ${text}` : `${text} →`,
    );
  });
  const box = el(
    'div',
    {
      class: `card${id === focus ? ' focus' : ''}${chosen ? ' chosen' : ''}${lit ? ' lit' : ''}`,
      role: 'group',
      'aria-label': id,
      'data-id': id,
    },
    el(
      'button',
      {
        class: 'name',
        title: id,
        'data-key': JSON.stringify(['dataset', id]),
        'aria-pressed': String(choice?.kind === 'dataset' && chosen),
        click: () => choose({ kind: 'dataset', id }),
      },
      el('b', {}, visible(card.title)),
      el('small', {}, visible(card.place)),
    ),
    columns.length > 0 &&
      el(
        'button',
        {
          class: 'open',
          'data-key': JSON.stringify(['open', id]),
          'aria-expanded': String(open),
          'aria-label': `${columns.length} columns of ${title}`,
          title: `${columns.length} columns`,
          click: () => toggle(id),
        },
        open ? '▾' : '▸',
      ),
    card.rows.length > 0 &&
      el(
        'ol',
        { 'aria-label': `Columns of ${title}` },
        ...card.rows.map(({ column }) =>
          el(
            'li',
            {},
            el(
              'button',
              {
                class: path?.columns.has(columnKey(id, column)) ? 'lit' : undefined,
                title: column,
                'data-key': JSON.stringify(['column', id, column]),
                'aria-pressed': String(choice?.kind === 'column' && choice.id === id && choice.column === column),
                click: () => choose({ kind: 'column', id, column }),
              },
              el('bdi', {}, visible(column)),
            ),
          ),
        ),
        card.hidden > 0 && el('li', { class: 'rest' }, `${card.hidden} more columns`),
      ),
    ...growing,
  );
  place(box, card);
  return box;
}

function labelOf(line: Line, { choice, choose }: DrawOptions): HTMLElement {
  const { edge, label } = line;
  const { from, to } = edge;
  const states = label.states.map(({ target, outcome }) => `${target} ${LOOKS[outcome].word}`).join(', ');
  const makers = [...(edge.jobs ?? []), ...edge.declaredBy].join(', ');
  const button = el(
    'button',
    {
      class: `label${label.dense ? ' dense' : ''}${isChosen(line, choice) ? ' chosen' : ''}`,
      'data-key': JSON.stringify(['edge', from, to]),
      'data-edge': edgeKey(edge),
      title: `${states}\n${makers}`,
      click: () => choose({ kind: 'edge', from, to }),
    },
    el('span', { class: 'hidden' }, `${from} feeds ${to}: `),
    label.maker !== '' && el('span', { class: 'maker' }, label.maker),
    ...label.states.map(({ target, outcome }) => {
      const name = visible(target);
      return el(
        'span',
        { class: `chip is-${outcome}` },
        el('span', { 'aria-hidden': 'true' }, LOOKS[outcome].glyph),
        label.dense ? el('span', { class: 'hidden' }, `${name} `) : ` ${name} `,
        el('span', { class: 'hidden' }, `${LOOKS[outcome].word} `),
      );
    }),
  );
  place(button, label);
  return button;
}
