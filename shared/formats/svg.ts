import type { Graph } from '../core/graph.ts';
import { escaped, escapedLines } from './markup.ts';
import { type Card, CHIP, chipWidth, columnsIn, GAP, HEADER, type Line, pictureOf, ROW } from './picture.ts';
import { LOOKS, shortened, visible } from './words.ts';

/**
 * The graph as a picture of its own, for `<img>` as well: no script, nothing loaded, no foreign content; light or dark as the
 * reader prefers. Every shortened name stands whole in its tooltip.
 */
export function svg(graph: Graph): string {
  const columns = columnsIn(graph);
  const picture = pictureOf(graph, { columnsOf: (id) => columns.get(id) ?? [] });
  const { width, height } = picture;
  const title = `Lineage of ${graph.nodes.length} datasets, ${graph.edges.length} edges`;
  const body =
    picture.cards.length === 0
      ? '<text class="t" x="24" y="44">No lineage here</text>'
      : [...picture.lines.map(line), ...picture.cards.map(card)].join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="lineage-title" font-family="system-ui, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', sans-serif">
<title id="lineage-title">${title}</title>
<style>${SVG_STYLE}</style>
<defs>${Object.keys(LOOKS)
    .map(
      (outcome) =>
        `<marker id="a-${outcome}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="f-${outcome}" d="M0 0L8 4L0 8z"/></marker>`,
    )
    .join('')}</defs>
<rect class="bg" width="${width}" height="${height}"/>
${body}
</svg>
`;
}

const LIGHT = { bg: '#f6f7f9', card: '#ffffff', rule: '#d3d9e2', text: '#18212d', soft: '#566273', column: '#8793a5' };
const DARK: typeof LIGHT = {
  bg: '#11161d',
  card: '#1b232e',
  rule: '#364253',
  text: '#e8edf4',
  soft: '#9fadbf',
  column: '#6b7b90',
};

type Colours = Readonly<Record<keyof typeof LOOKS, string>>;

/** Text on cards and background reads with a contrast of at least 4.5:1 in both. */
export const LIGHT_STATES: Colours = {
  failed: '#b91c1c',
  unknown: '#7e22ce',
  held: '#8a4b00',
  conflict: '#a3341a',
  pending: '#1d4ed8',
  unsupported: '#566273',
  registered: '#0f6b3c',
  drifted: '#b91c1c',
  withdraw: '#a3341a',
  unresolved: '#8a4b00',
  update: '#1d4ed8',
  create: '#0f6b3c',
  adopt: '#0b6b74',
  foreign: '#6d28d9',
};
export const DARK_STATES: Colours = {
  failed: '#ff8a80',
  unknown: '#d3a4ff',
  held: '#f5b942',
  conflict: '#ff9f6e',
  pending: '#82b4ff',
  unsupported: '#a9b6c6',
  registered: '#5fd39a',
  drifted: '#ff8a80',
  withdraw: '#ff9f6e',
  unresolved: '#f5b942',
  update: '#82b4ff',
  create: '#5fd39a',
  adopt: '#5fd0d8',
  foreign: '#c4a5ff',
};

function colours(base: typeof LIGHT, states: Colours): string {
  return [
    `.bg{fill:${base.bg}}`,
    `.card{fill:${base.card};stroke:${base.rule}}`,
    `.rule{stroke:${base.rule}}`,
    `.t{fill:${base.text}}`,
    `.s{fill:${base.soft}}`,
    `.on{stroke:${base.bg}}`,
    `.c{stroke:${base.column}}`,
    `.chip{fill:${base.card}}`,
    ...Object.entries(states).flatMap(([name, colour]) => [
      `.l-${name}{stroke:${colour}}`,
      `.f-${name}{fill:${colour}}`,
    ]),
  ].join('');
}

/** Static, so that a policy can name its hash. */
export const SVG_STYLE = `${colours(LIGHT, LIGHT_STATES)}text{unicode-bidi:isolate}.line,.c{fill:none}.on{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}@media(prefers-color-scheme:dark){${colours(DARK, DARK_STATES)}}`;

function line({ edge, worst, d, label, columns }: Line): string {
  const states = label.states.map(({ target, outcome }) => `${target}: ${LOOKS[outcome].word}`).join(', ');
  const makers = [...(edge.jobs ?? []), ...edge.declaredBy].join(', ');
  const dash = LOOKS[worst].dash;
  const top = label.y + (label.maker === '' ? 0 : 16);
  const chips = label.states.map(({ target, outcome }, at) => {
    const width = chipWidth(target, label.dense);
    const x = label.dense ? label.x + at * (width + 2) : label.x + (label.width - width) / 2;
    const y = label.dense ? top : top + at * (CHIP + GAP);
    const text = label.dense ? LOOKS[outcome].glyph : `${LOOKS[outcome].glyph} ${visible(target)}`;
    return `<rect class="chip l-${outcome}" x="${x}" y="${y}" width="${width}" height="${CHIP}" rx="9"/><text class="f-${outcome}" x="${x + width / 2}" y="${y + 13}" font-size="11" text-anchor="middle">${escaped(text)}</text>`;
  });
  const maker =
    label.maker === ''
      ? ''
      : `<text class="s on" x="${label.x + label.width / 2}" y="${label.y + 11}" font-size="11" text-anchor="middle">${escaped(label.maker)}</text>`;
  return `<g><title>${escapedLines(`${edge.from} → ${edge.to}\n${states}${makers === '' ? '' : `\n${makers}`}`)}</title><path class="line l-${worst}" d="${d}" stroke-width="1.8"${dash === '' ? '' : ` stroke-dasharray="${dash}"`} marker-end="url(#a-${worst})"/>${columns
    .map(
      ({ column, d: path }) =>
        `<path class="c" d="${path}" stroke-width="1.1"${column.direct ? '' : ' stroke-dasharray="2 4"'}/>`,
    )
    .join('')}${maker}${chips.join('')}</g>`;
}

function card({ id, title, place, more, x, y, width, height, rows, hidden }: Card): string {
  const room = Math.floor((width - 40) / 8);
  const parts = [
    `<rect class="card" x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>`,
    `<text class="t" x="${x + 14}" y="${y + 22}" font-size="14" font-weight="600">${escaped(shortened(visible(title), room))}</text>`,
    `<text class="s" x="${x + 14}" y="${y + 40}" font-size="12">${escaped(shortened(visible(place), room + 4))}</text>`,
  ];
  if (rows.length > 0) parts.push(`<path class="rule" d="M${x} ${y + HEADER}h${width}"/>`);
  for (const row of rows) {
    parts.push(
      `<text class="t" x="${x + 14}" y="${row.y + 4}" font-size="12">${escaped(shortened(visible(row.column), room))}</text>`,
    );
  }
  if (hidden > 0)
    parts.push(
      `<text class="s" x="${x + 14}" y="${y + HEADER + rows.length * ROW + 15}" font-size="12">${hidden} more columns</text>`,
    );
  if (more) {
    const plus = more.atLeast ? '+' : '';
    if (more.upstream > 0)
      parts.push(`<text class="s" x="${x + 2}" y="${y - 4}" font-size="11">← ${more.upstream}${plus} more</text>`);
    if (more.downstream > 0)
      parts.push(
        `<text class="s" x="${x + width - 2}" y="${y - 4}" font-size="11" text-anchor="end">${more.downstream}${plus} more →</text>`,
      );
  }
  return `<g><title>${escapedLines(id)}</title>${parts.join('')}</g>`;
}
