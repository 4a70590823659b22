import type { EdgeAtTarget, GraphEdge, Mark } from '../core/graph.ts';

/** How an outcome looks besides its colour, so that nobody needs the colour. */
export interface Look {
  readonly glyph: string;
  readonly word: string;
  /** `stroke-dasharray`; empty: a solid line. */
  readonly dash: string;
}

/** Worst first: that is what people look for. */
export const LOOKS: Readonly<Record<Mark, Look>> = {
  failed: { glyph: '✕', word: 'failed', dash: '3 3' },
  unknown: { glyph: '?', word: 'unknown', dash: '1 5' },
  held: { glyph: '‖', word: 'held', dash: '12 4 2 4' },
  drifted: { glyph: '!', word: 'missing there', dash: '9 3 2 3 2 3' },
  withdraw: { glyph: '−', word: 'to be withdrawn', dash: '5 3' },
  conflict: { glyph: '≠', word: 'conflict', dash: '16 3' },
  unresolved: { glyph: '¿', word: 'without a name there', dash: '2 3' },
  update: { glyph: '~', word: 'to be changed', dash: '10 2' },
  create: { glyph: '+', word: 'to be registered', dash: '10 4' },
  adopt: { glyph: '⊕', word: 'to be adopted', dash: '10 6' },
  pending: { glyph: '…', word: 'pending', dash: '7 5' },
  unsupported: { glyph: '∅', word: 'left behind', dash: '14 7' },
  foreign: { glyph: '◇', word: 'only at the vendor', dash: '1 3' },
  registered: { glyph: '✓', word: 'registered', dash: '' },
};

const RANK = new Map(Object.keys(LOOKS).map((outcome, at) => [outcome as Mark, at]));

export const rankOf = (outcome: Mark): number => RANK.get(outcome) ?? 0;

/** What a vendor told live is there: it counts as registered. */
export const outcomeAt = (at: EdgeAtTarget): Mark => at.outcome ?? 'registered';

/** One state per target, the worst where an edge has several units there, in the order of their names. */
export function statesOf(edge: GraphEdge): readonly { readonly target: string; readonly outcome: Mark }[] {
  const states = new Map<string, Mark>();
  for (const each of edge.targets) {
    const known = states.get(each.target);
    const outcome = outcomeAt(each);
    if (known === undefined || rankOf(outcome) < rankOf(known)) states.set(each.target, outcome);
  }
  return [...states].map(([target, outcome]) => ({ target, outcome })).sort((a, b) => (a.target < b.target ? -1 : 1));
}

export function worstOf(edge: GraphEdge): Mark {
  return statesOf(edge).reduce<Mark>(
    (worst, { outcome }) => (rankOf(outcome) < rankOf(worst) ? outcome : worst),
    'registered',
  );
}

/** A dataset's name in two parts for people: `maxcompute://cn/p.t` is `p.t` in `maxcompute://cn`, `dataphin:p.t` is `p.t` in `dataphin`. */
export function titleOf(id: string): { readonly title: string; readonly place: string } {
  const found =
    /^([a-z][a-z0-9+.-]*:\/\/[^/]*)\/(.+)$/is.exec(id) ??
    /^([a-z][a-z0-9_-]*):(?!\/\/)(.+)$/is.exec(id) ??
    /^([^/]+)\/(.+)$/s.exec(id);
  return found ? { title: found[2] ?? id, place: found[1] ?? '' } : { title: id, place: '' };
}

/** What makes the data flow, for a label: the job's name, else the manifest's. */
export function makerOf(edge: GraphEdge): string {
  const all = edge.jobs && edge.jobs.length > 0 ? edge.jobs : edge.declaredBy;
  const [first] = all;
  if (first === undefined) return '';
  const name = first.slice(first.lastIndexOf('/') + 1);
  return all.length > 1 ? `${name} +${all.length - 1}` : name;
}

/** A text without what no document format can hold: halves of characters, and control characters, which show as ␀ … ␟ and ␡. */
export function visible(text: string): string {
  return text.toWellFormed().replace(/\p{Cc}/gu, (found) => {
    const code = found.charCodeAt(0);
    if (code === 127) return '␡';
    return code < 32 ? String.fromCharCode(0x2400 + code) : '\ufffd';
  });
}

/** At most so many characters; the end of a name says more than its beginning. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `…${characters.slice(1 - most).join('')}`;
}
