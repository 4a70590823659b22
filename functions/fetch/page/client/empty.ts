import type { PageData } from '../page.ts';
import { el } from './dom.ts';

/** Why there is nothing to draw, and what to do; or the datasets that a search found. */
export function emptyOf({ graph, error, asked }: PageData): HTMLElement | undefined {
  const message = (title: string, ...rest: (HTMLElement | string)[]) =>
    el('div', { class: 'message' }, el('h2', {}, title), ...rest);
  if (error !== undefined) {
    return message(
      'This cannot be shown',
      el('p', { class: 'soft' }, error),
      el('p', {}, 'Search for the dataset above, or look at ', el('a', { href: '/lineage' }, 'everything'), '.'),
    );
  }
  if (asked.q !== undefined) {
    const items = graph.nodes.map((node) =>
      el(
        'li',
        {},
        el('a', { href: `/lineage?${new URLSearchParams({ dataset: node.id })}` }, el('bdi', {}, node.id)),
        ...node.names.map((name) => el('div', { class: 'soft' }, el('bdi', {}, name))),
      ),
    );
    const title =
      items.length === 0
        ? 'No dataset has this in its name'
        : `${items.length} dataset${items.length === 1 ? '' : 's'} found`;
    const on =
      graph.next === undefined
        ? ''
        : el(
            'p',
            {},
            el(
              'a',
              { href: `/lineage?${new URLSearchParams({ q: asked.q, after: graph.next })}` },
              'Look at more names',
            ),
          );
    return el(
      'div',
      { class: 'overview' },
      el('h2', {}, title),
      el('ul', { class: 'list', hidden: items.length === 0 }, ...items),
      on,
    );
  }
  if (graph.nodes.length > 0) return undefined;
  if (asked.from === 'plan') {
    return message(
      'Nothing would change',
      el('p', { class: 'soft' }, 'The vendors show what the manifests say, as far as the ledger knows.'),
      el('p', {}, el('a', { href: '/lineage' }, 'Look at the graph'), '.'),
    );
  }
  return message(
    'No lineage yet',
    el(
      'p',
      { class: 'soft' },
      'Drop a manifest into the bucket under manifests/, or POST one to /lineage; this page then shows it.',
    ),
  );
}
