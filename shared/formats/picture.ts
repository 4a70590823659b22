import { Graph as Layout, layout } from '@dagrejs/dagre';
import type { Graph, GraphColumn, GraphEdge, Mark, More } from '../core/graph.ts';
import { makerOf, shortened, statesOf, titleOf, visible, worstOf } from './words.ts';

/** A graph laid out from left to right: what a drawing needs, in pixels, whoever draws it. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly cards: readonly Card[];
  readonly lines: readonly Line[];
}

export interface Card {
  readonly id: string;
  readonly title: string;
  readonly place: string;
  readonly more?: More;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly rows: readonly { readonly column: string; readonly y: number }[];
  /** Columns that have no row. */
  readonly hidden: number;
}

export interface Line {
  readonly edge: GraphEdge;
  readonly worst: Mark;
  /** SVG path. */
  readonly d: string;
  readonly label: Label;
  readonly columns: readonly { readonly column: GraphColumn; readonly d: string }[];
}

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly maker: string;
  readonly states: readonly { readonly target: string; readonly outcome: Mark }[];
  /** Short of room: signs only. */
  readonly dense: boolean;
}

export interface PictureOptions {
  /** Columns that a dataset's card lists; none by default. */
  readonly columnsOf?: (id: string) => readonly string[];
}

export const HEADER = 52;
export const ROW = 22;
export const CHIP = 18;
export const GAP = 2;
const FOOTER = 8;
const MARGIN = 24;
const MOST_ROWS = 40;
/** Above so many edges, labels are signs only. */
const DENSE_FROM = 60;
/** How much wider bold letters are. */
const BOLD = 1.12;
/** dagre's thorough ranking takes too long beyond. */
const THOROUGH_UP_TO = 400;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Lays a graph out (layers by dagre). Pure; the same graph gives the same picture. */
export function pictureOf(graph: Graph, options: PictureOptions = {}): Picture {
  const dense = graph.edges.length > DENSE_FROM;
  const places = new Layout();
  places.setGraph({
    rankdir: 'LR',
    nodesep: 22,
    edgesep: 10,
    ranksep: dense ? 64 : 44,
    marginx: MARGIN,
    marginy: MARGIN,
    ranker: graph.nodes.length > THOROUGH_UP_TO ? 'longest-path' : 'network-simplex',
  });
  const drafts = graph.nodes.map((node) => {
    const columns = options.columnsOf?.(node.id) ?? [];
    const rows = columns.slice(0, MOST_ROWS);
    const { title, place } = titleOf(node.id);
    const wide = Math.max(
      textWidth(visible(title), 14) * BOLD,
      textWidth(visible(place), 12),
      ...rows.map((row) => textWidth(row, 12) + 16),
    );
    const hidden = columns.length - rows.length;
    const height = HEADER + (rows.length > 0 ? (rows.length + (hidden > 0 ? 1 : 0)) * ROW + FOOTER : 0);
    return { node, rows, hidden, title, place, width: Math.min(360, Math.max(170, Math.ceil(wide) + 56)), height };
  });
  for (const { node, width, height } of drafts) places.setNode(node.id, { width, height });
  const labels = graph.edges.map((edge) => labelSize(edge, dense));
  graph.edges.forEach((edge, at) => {
    const { width, height } = labels[at] as Label;
    places.setEdge(edge.from, edge.to, { width: width + 16, height, labelpos: 'c' });
  });
  layout(places);

  const cards = drafts.map(({ node, rows, hidden, title, place, width, height }): Card => {
    const { x = 0, y = 0 } = places.node(node.id) as Partial<Point>;
    const [left, top] = [x - width / 2, y - height / 2];
    return {
      id: node.id,
      title,
      place,
      ...(node.more === undefined ? {} : { more: node.more }),
      x: round(left),
      y: round(top),
      width,
      height,
      rows: rows.map((column, at) => ({ column, y: round(top + HEADER + (at + 0.5) * ROW) })),
      hidden,
    };
  });
  const byId = new Map(cards.map((card) => [card.id, card]));
  const lines = graph.edges.map((edge, at): Line => {
    const placed = places.edge(edge.from, edge.to) as { points?: Point[]; x?: number; y?: number };
    const size = labels[at] as Label;
    const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
    return {
      edge,
      worst: worstOf(edge),
      d: from && to ? curve(from, around(placed.points ?? [], placed, size), to) : '',
      label: { ...size, x: round((placed.x ?? 0) - size.width / 2), y: round((placed.y ?? 0) - size.height / 2) },
      columns: from && to ? columnLines(edge, from, to) : [],
    };
  });
  const { width = 0, height = 0 } = places.graph() as { width?: number; height?: number };
  const empty = cards.length === 0;
  return { width: empty ? 320 : Math.ceil(width), height: empty ? 80 : Math.ceil(height), cards, lines };
}

/** Columns that lineage mentions, of each dataset: those of its edges, in order of their names. */
export function columnsIn(graph: Graph): Map<string, readonly string[]> {
  const sets = new Map<string, Set<string>>();
  const add = (id: string, column: string) => sets.set(id, (sets.get(id) ?? new Set()).add(column));
  for (const edge of graph.edges) {
    for (const column of edge.columns ?? []) {
      add(edge.from, column.from);
      add(edge.to, column.to);
    }
  }
  return new Map([...sets].map(([id, columns]) => [id, [...columns].sort()]));
}

/** Chips stand below each other, so that layers stay close; as mere signs, side by side. */
function labelSize(edge: GraphEdge, dense: boolean): Label {
  const states = statesOf(edge);
  const maker = dense ? '' : shortened(visible(makerOf(edge)), 22);
  const widths = states.map(({ target }) => chipWidth(target, dense));
  const chips = dense ? widths.reduce((sum, each) => sum + each + 2, -2) : Math.max(0, ...widths);
  const rows = dense ? Math.min(1, states.length) : states.length;
  const width = Math.ceil(Math.max(textWidth(maker, 11), chips, 8));
  return { x: 0, y: 0, width, height: rows * (CHIP + GAP) + (maker === '' ? 0 : 16), maker, states, dense };
}

export function chipWidth(target: string, dense: boolean): number {
  return dense ? 18 : Math.ceil(textWidth(target, 11)) + 26;
}

function columnLines(edge: GraphEdge, from: Card, to: Card): Line['columns'] {
  const rowOf = (card: Card, column: string) => card.rows.find((row) => row.column === column)?.y;
  return (edge.columns ?? []).flatMap((column) => {
    const [start, end] = [rowOf(from, column.from), rowOf(to, column.to)];
    if (start === undefined || end === undefined) return [];
    // Towards the left (a cycle) it leaves and arrives on the inner sides.
    const forth = to.x >= from.x + from.width;
    const [a, b] = forth ? [from.x + from.width, to.x] : [from.x, to.x + to.width];
    const bend = Math.max(24, Math.abs(b - a) / 2) * (forth ? 1 : -1);
    return [
      { column, d: `M${round(a)} ${start}C${round(a + bend)} ${start} ${round(b - bend)} ${end} ${round(b)} ${end}` },
    ];
  });
}

/** The points with the one in the middle of the label as its two ends: the line lies level behind the label. */
function around(points: readonly Point[], { x = 0, y = 0 }: Partial<Point>, label: Label): Point[] {
  return points.slice(1, -1).flatMap((point) => {
    if (Math.abs(point.x - x) > 1 || Math.abs(point.y - y) > 1) return point;
    const half = (label.width / 2) * ((points[0]?.x ?? 0) <= (points.at(-1)?.x ?? 0) ? 1 : -1);
    return [
      { x: x - half, y },
      { x: x + half, y },
    ];
  });
}

/** From one card's header to the other's, through the points that the layout leaves free for it, level at each. */
function curve(from: Card, points: readonly Point[], to: Card): string {
  // Towards the left (a cycle) it leaves and arrives on the other sides.
  const forth = to.x >= from.x;
  const start = { x: forth ? from.x + from.width : from.x, y: from.y + HEADER / 2 };
  const end = { x: forth ? to.x : to.x + to.width, y: to.y + HEADER / 2 };
  if (from === to) {
    const top = from.y - 26;
    return `M${start.x} ${start.y}C${start.x + 60} ${top} ${from.x - 60} ${top} ${from.x} ${start.y}`;
  }
  let at: Point = start;
  let d = `M${round(start.x)} ${round(start.y)}`;
  for (const next of [...points, end]) {
    const middle = round((at.x + next.x) / 2);
    d += `C${middle} ${round(at.y)} ${middle} ${round(next.y)} ${round(next.x)} ${round(next.y)}`;
    at = next;
  }
  return d;
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** About how wide a text is at a font size, without a font at hand: East Asian characters are square. */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x1100 && code <= 0xffdc && !(code > 0x11ff && code < 0x2e80)) units += 1;
    else if (code > 0xffff) units += 1.1;
    else if (/[A-Zmw@%]/.test(character)) units += 0.78;
    else if (/[il.,:;'|!]/.test(character)) units += 0.36;
    else units += 0.6;
  }
  return units * size;
}
