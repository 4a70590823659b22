import type { Graph } from '../../../../shared/core/graph.ts';
import { rankOf, statesOf, worstOf } from '../../../../shared/formats/words.ts';
import { el } from './dom.ts';
import { badge, type PanelOptions } from './panel.ts';

/** The same graph as a table: for screen readers, small screens, and whoever likes it better. */
export function tableOf(graph: Graph, choose: PanelOptions['choose']): HTMLElement {
  const edges = [...graph.edges].sort((a, b) => rankOf(worstOf(a)) - rankOf(worstOf(b)));
  return el(
    'table',
    {},
    el(
      'thead',
      {},
      el('tr', {}, ...['From', 'To', 'At the vendors', 'Declared by'].map((name) => el('th', { scope: 'col' }, name))),
    ),
    el(
      'tbody',
      {},
      ...edges.map((edge) =>
        el(
          'tr',
          {},
          el('td', {}, el('bdi', {}, edge.from)),
          el('td', {}, el('bdi', {}, edge.to)),
          el(
            'td',
            {},
            el(
              'button',
              {
                click: () => choose({ kind: 'edge', from: edge.from, to: edge.to }),
              },
              ...statesOf(edge).map(({ target, outcome }) =>
                el('span', { class: 'state' }, `${target} `, badge(outcome)),
              ),
              el('span', { class: 'hidden' }, ` ${edge.from} to ${edge.to}`),
            ),
          ),
          el('td', {}, ...edge.declaredBy.map((owner) => el('div', {}, el('bdi', {}, owner)))),
        ),
      ),
    ),
  );
}
