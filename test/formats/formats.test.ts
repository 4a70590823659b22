import { parse as parseDot } from '@ts-graphviz/ast';
import { SaxesParser } from 'saxes';
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../shared/core/graph.ts';
import { csv } from '../../shared/formats/csv.ts';
import { dot } from '../../shared/formats/dot.ts';
import { deriveEdges } from '../../shared/formats/openlineage/derive.ts';
import { readEvent } from '../../shared/formats/openlineage/event.ts';
import { factsOf } from '../../shared/formats/openlineage/read-facts.ts';
import { openlineage } from '../../shared/formats/openlineage-export.ts';
import { pictureOf } from '../../shared/formats/picture.ts';
import { svg } from '../../shared/formats/svg.ts';
import { AWKWARD, awkwardGraph } from './awkward.ts';

const graph = awkwardGraph();
const EMPTY: Graph = { nodes: [], edges: [] };

describe('svg', () => {
  /** Elements, attributes and texts as a strict XML parser sees them. */
  function read(text: string) {
    const parser = new SaxesParser();
    const names = new Set<string>();
    const texts: string[] = [];
    const attributes: string[] = [];
    let open = '';
    parser.on('error', (error) => {
      throw error;
    });
    parser.on('opentag', (tag) => {
      names.add(tag.name);
      open = tag.name;
      attributes.push(...Object.entries(tag.attributes).map(([name, value]) => `${name}=${String(value)}`));
    });
    parser.on('text', (value) => (open === 'title' || open === 'text' ? void texts.push(value) : undefined));
    parser.write(text).close();
    return { names, texts, attributes };
  }

  it('is XML in which every name stands as itself', () => {
    const { texts } = read(svg(graph));
    for (const { id } of graph.nodes) expect(texts, id).toContain(id);
  });

  it('has no script, no foreign content, no handler and no address', () => {
    const { names, attributes } = read(svg(graph));
    expect([...names].sort()).toEqual(['defs', 'g', 'marker', 'path', 'rect', 'style', 'svg', 'text', 'title']);
    expect(attributes.filter((each) => /^(on|href|xlink|style=)/.test(each))).toEqual([]);
    expect(
      attributes.filter((each) => /\burl\((?!#)/.test(each) || (/https?:/.test(each) && !each.startsWith('xmlns='))),
    ).toEqual([]);
  });

  it('reads in light and dark, and is a picture even of nothing', () => {
    expect(svg(graph)).toContain('@media(prefers-color-scheme:dark)');
    expect(read(svg(EMPTY)).texts.join()).toContain('No lineage here');
  });

  it('holds characters that XML cannot hold as signs for them', () => {
    const odd = { id: 'a/\u0000\u0007\ud800x', names: [] };
    expect(read(svg({ nodes: [odd], edges: [] })).texts).toContain('a/␀␇\ufffdx');
  });
});

describe('dot', () => {
  it('is read by a DOT parser, with every name as itself', () => {
    const found: string[] = [];
    JSON.stringify(parseDot(dot(graph)), (_key, value: unknown) => {
      const node = value as { type?: string; key?: { value?: string }; value?: { value?: string } };
      if (node?.type === 'Attribute' && node.key?.value === 'label') found.push(node.value?.value ?? '');
      return value;
    });
    // As Graphviz draws it: escapes, then HTML entities (its parsers leave both to the drawing).
    const drawn = found.map((text) =>
      text.replace(/\\(.)/gs, (_, next: string) => (next === 'n' ? '\n' : next)).replaceAll('&amp;', '&'),
    );
    for (const { id, more } of graph.nodes) expect(drawn, id).toContain(more ? `${id}\n2 more` : id);
    expect(parseDot(dot(EMPTY))).toBeTruthy();
  });
});

describe('csv', () => {
  function cells(text: string): string[][] {
    const rows: string[][] = [];
    for (const match of text.matchAll(/"((?:[^"]|"")*)"(,|\r\n)/gy)) {
      const row = rows.at(-1);
      const value = (match[1] ?? '').replaceAll('""', '"');
      if (row === undefined || rows.length === 0) rows.push([value]);
      else row.push(value);
      if (match[2] === '\r\n') rows.push([]);
    }
    return rows.filter((row) => row.length > 0);
  }

  it('has a row for each edge, target and column, all of the same width', () => {
    const rows = cells(csv(graph));
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([13]));
    expect(rows).toHaveLength(1 + graph.edges.length * 2);
    for (const { id } of graph.nodes) expect(rows.map(([from]) => from)).toContain(id);
  });

  it('gives no spreadsheet a formula', () => {
    for (const start of ['=1', '+1', '-1', '@x', '\t=1', '\r=1', '＝1']) {
      const [, row] = cells(csv({ nodes: [{ id: start, names: [] }], edges: [] }));
      expect(row?.[0]).toBe(`'${start}`);
    }
    expect(
      cells(csv(graph))
        .flat()
        .filter((cell) => /^[=+\-@\t\r]/.test(cell)),
    ).toEqual([]);
    expect(cells(csv(graph)).flat()).toContain('\'=HYPERLINK("http://x")');
  });
});

describe('openlineage', () => {
  const events = openlineage(graph, { eventTime: '2026-11-20T02:00:00.000Z', producer: 'urn:lineage-functions' });

  it('is strict OpenLineage, one event per job or manifest', () => {
    expect(events).toHaveLength(AWKWARD.length);
    for (const event of events) {
      const name = JSON.stringify(event);
      // A name with a line break is none that a manifest can hold.
      if (!name.includes('line\\nbreak'))
        expect(readEvent(event, { strict: true } as never), name).toHaveProperty('event');
    }
  });

  it('reads back to the same edges and columns', () => {
    const plain: Graph = {
      nodes: graph.nodes,
      edges: graph.edges.filter((edge) => !/\n/.test(`${edge.from}${edge.to}`)),
    };
    const back = openlineage(plain, {
      eventTime: '2026-11-20T02:00:00.000Z',
      producer: 'urn:lineage-functions',
    }).flatMap((event) => {
      const read = readEvent(event, {} as never);
      if (!('event' in read) || !read.event) throw new Error(JSON.stringify(read));
      return deriveEdges(factsOf(read.event, 'keep'), { indirect: 'keep', selfEdges: true });
    });
    const shape = (from: string, to: string, columns: unknown) => JSON.stringify([from, to, columns]);
    expect(
      back
        .map((each) =>
          shape(`${each.from.namespace}/${each.from.name}`, `${each.to.namespace}/${each.to.name}`, each.columns),
        )
        .sort(),
    ).toEqual(
      plain.edges
        .map((each) =>
          shape(
            each.from,
            each.to,
            each.columns?.map(({ from, to, direct }) => [from, to, direct]),
          ),
        )
        .sort(),
    );
  });
});

describe('layout', () => {
  const chain = (count: number): Graph => ({
    nodes: Array.from({ length: count }, (_, at) => ({ id: `n/${at}`, names: [] })),
    edges: Array.from({ length: count - 1 }, (_, at) => ({
      from: `n/${Math.floor(at / 2)}`,
      to: `n/${at + 1}`,
      declaredBy: [],
      targets: [],
    })),
  });

  it('lays out 300 datasets within a second or so, without two cards on one place', () => {
    const started = performance.now();
    const { cards } = pictureOf(chain(300));
    expect(performance.now() - started).toBeLessThan(2_000);
    const overlap = cards.some((a, at) =>
      cards
        .slice(at + 1)
        .some((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height),
    );
    expect(overlap).toBe(false);
  });

  it('draws cycles, a dataset that feeds itself, and nothing', () => {
    const loop: Graph = {
      nodes: [
        { id: 'a', names: [] },
        { id: 'b', names: [] },
      ],
      edges: [
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'a'],
      ].map(([from = '', to = '']) => ({ from, to, declaredBy: [], targets: [] })),
    };
    expect(pictureOf(loop).lines.every((line) => /^M[\d. -]+C/.test(line.d))).toBe(true);
    expect(pictureOf(EMPTY).cards).toEqual([]);
  });
});
