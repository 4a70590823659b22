import { titleOf } from '../../../../shared/formats/words.ts';
import { el } from './dom.ts';
import type { Source } from './state.ts';

const WAIT_MS = 150;

/** Suggestions below the search field (the ARIA pattern of a combobox with a list); `/` goes there. */
export function startSearch(from: Source): void {
  const input = document.querySelector<HTMLInputElement>('#q');
  const list = document.querySelector<HTMLUListElement>('#found');
  if (!input || !list) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = new AbortController();
  let at = -1;

  const options = () => [...list.querySelectorAll<HTMLLIElement>('[role=option]')];
  const open = (id: string) => location.assign(`/lineage?${new URLSearchParams({ dataset: id })}`);

  function show(children: readonly HTMLElement[]): void {
    at = -1;
    list?.replaceChildren(...children);
    if (list) list.hidden = children.length === 0;
    input?.setAttribute('aria-expanded', String(children.length > 0));
    input?.removeAttribute('aria-activedescendant');
  }

  const note = (text: string) =>
    el('li', { class: 'note', role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false' }, text);

  async function suggest(q: string): Promise<void> {
    asking.abort();
    asking = new AbortController();
    try {
      const found = await from.find(q, asking.signal);
      const items = found.nodes.slice(0, 12).map((node, index) => {
        const { title, place } = titleOf(node.id);
        const item = el(
          'li',
          { role: 'option', id: `found-${index}`, 'aria-selected': 'false', 'data-id': node.id },
          el('bdi', {}, title),
          el('small', {}, el('bdi', {}, place)),
        );
        item.addEventListener('pointerdown', (event) => {
          event.preventDefault();
          open(node.id);
        });
        return item;
      });
      const partly =
        found.next === undefined ? [] : [note('More names have not been looked at; press Enter for the rest.')];
      show(items.length === 0 ? [note('No dataset has this in its name.'), ...partly] : [...items, ...partly]);
    } catch (thrown) {
      if (!asking.signal.aborted)
        show([note(`Search failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`)]);
    }
  }

  input.addEventListener('input', () => {
    clearTimeout(timer);
    const q = input.value.trim();
    if (q === '') return show([]);
    timer = setTimeout(() => void suggest(q), WAIT_MS);
  });
  input.addEventListener('keydown', (event) => {
    const all = options().filter((each) => each.dataset['id'] !== undefined);
    if (event.key === 'Escape') return show([]);
    const chosen = all[at];
    if (event.key === 'Enter' && chosen) {
      event.preventDefault();
      return open(chosen.dataset['id'] ?? '');
    }
    if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || all.length === 0) return;
    event.preventDefault();
    at = (at + (event.key === 'ArrowDown' ? 1 : -1) + all.length) % all.length;
    for (const [index, each] of all.entries()) each.setAttribute('aria-selected', String(index === at));
    input.setAttribute('aria-activedescendant', all[at]?.id ?? '');
    all[at]?.scrollIntoView({ block: 'nearest' });
  });
  input.addEventListener('blur', () => show([]));
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof Element && event.target.closest('input,textarea,select');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    input.focus();
  });
}
