import { mermaid } from '../../../../shared/formats/mermaid.ts';
import { svg as svgText } from '../../../../shared/formats/svg.ts';
import { titleOf } from '../../../../shared/formats/words.ts';
import { el, say } from './dom.ts';
import { type Source, type State, shown } from './state.ts';

export interface BarOptions {
  readonly state: State;
  readonly source: Source | undefined;
  toggleList(): void;
  toggleColumns(): void;
}

/** What can be asked and taken along: the question as a form, views, links, downloads. */
export function barOf({ state, source, toggleList, toggleColumns }: BarOptions): HTMLElement {
  const { asked } = state.data;
  const subject = asked.dataset ?? asked.q ?? asked.owner ?? 'Everything';
  const hidden = Object.entries(asked).filter(([name]) => !['direction', 'depth', 'level', 'from'].includes(name));
  const around = asked.dataset !== undefined;
  const form =
    source &&
    el(
      'form',
      { action: '/lineage', 'aria-label': 'What to show' },
      ...hidden.map(([name, value]) => el('input', { type: 'hidden', name, value: String(value) })),
      around &&
        select('Show', 'direction', { both: 'both ways', upstream: 'sources', downstream: 'uses' }, asked.direction),
      around && select('Depth', 'depth', depths(asked.depth), String(asked.depth)),
      asked.to === undefined && asked.q === undefined && select('View', 'from', views(around), asked.from),
    );
  const pressed = (name: string, on: boolean, click: () => void) =>
    el('button', { 'aria-pressed': String(on), 'data-key': name, click }, name);
  return el(
    'div',
    { class: 'bar', role: 'toolbar', 'aria-label': 'Graph' },
    el('span', { class: 'subject', title: subject }, el('bdi', {}, titleOf(subject).title)),
    form,
    el('span', { class: 'gap' }),
    pressed('Columns', state.opened.size > 0, toggleColumns),
    pressed('Table', state.asList, toggleList),
    source !== undefined && el('button', { click: () => void copy(location.href, 'Link copied') }, 'Copy link'),
    source !== undefined &&
      around &&
      asked.from === 'ledger' &&
      el('button', { click: () => void share(source) }, 'Share'),
    el('button', { click: () => download(svgText(shown(state)), 'lineage.svg', 'image/svg+xml') }, 'SVG'),
    el('button', { click: () => download(mermaid(shown(state)), 'lineage.mmd', 'text/plain') }, 'Mermaid'),
  );
}

/** Vendors are compared around a dataset only. */
function views(around: boolean): Record<string, string> {
  return { ledger: 'as registered', ...(around ? { compare: 'vendors compared' } : {}), plan: 'the plan' };
}

function depths(own: number): Record<string, string> {
  return Object.fromEntries(
    [...new Set([1, 2, 3, 5, 10, own])].sort((a, b) => a - b).map((each) => [String(each), String(each)]),
  );
}

function select(title: string, name: string, choices: Readonly<Record<string, string>>, value: string): HTMLElement {
  const list = el(
    'select',
    { name, change: (event) => (event.target as HTMLSelectElement).form?.requestSubmit() },
    ...Object.entries(choices).map(([each, text]) => el('option', { value: each, selected: each === value }, text)),
  );
  return el('label', {}, title, list);
}

async function copy(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say(text);
  }
}

async function share(source: Source): Promise<void> {
  try {
    const link = await source.link();
    await copy(
      new URL(link.html, location.href).href,
      `Link copied; it opens this neighbourhood until ${link.expires.slice(0, 10)}`,
    );
  } catch (thrown) {
    say(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function download(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
