import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../shared/core/manifest.ts';
import { lacks, manifestText, readManifest, united } from '../../shared/formats/flink/declaration.ts';
import { type Flow, flowsOf } from '../../shared/formats/flink/flows.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import { readLineage } from '../../shared/vendors/flink/reading.ts';
import { lineageInfoSchema } from '../../shared/vendors/flink/wire.ts';
import type { VendorLineage } from '../../shared/vendors/vendor.ts';

type Edge = readonly [from: string, to: string, columns?: readonly string[], jobs?: readonly string[]];

/** Edges as `['a', 'b', ['x>y']]`; names beginning with `tmp` are temporary, `?` names nothing. */
function answer(edges: readonly Edge[]): VendorLineage {
  const names = [...new Set(edges.flatMap((edge) => [edge[0], edge[1]]))];
  return {
    tables: names.map((name) => ({
      name,
      ...(name.startsWith('?') ? {} : { block: { table: name } }),
      ...(name.startsWith('tmp') ? { temporary: true as const } : {}),
    })),
    edges: edges.map(([from, to, columns = [], jobs = ['j']]) => ({
      from: names.indexOf(from),
      to: names.indexOf(to),
      jobs,
      columns: columns.map((each) => {
        const [source = '', target = ''] = each.split('>');
        return { from: source, to: target };
      }),
    })),
    jobs: [],
    receipts: [],
  };
}
const shown = (flows: readonly Flow[]) =>
  united(flows).map(({ from, to, columns }) => [
    `${from['table']} ${to['table']}`,
    columns.map((pair) => pair.join('>')).join(),
  ]);
const contracted = (edges: readonly Edge[]) => flowsOf(answer(edges), 'j', 'contract');

describe('temporary tables', () => {
  it('are followed through chains, forks and joins, columns composed', () => {
    const {
      flows,
      contracted: through,
      dropped,
    } = contracted([
      ['a', 'tmp1', ['x>m', 'y>n']],
      ['b', 'tmp1', ['z>m']],
      ['tmp1', 'tmp2', ['m>o']],
      ['tmp2', 'c', ['o>p']],
      ['tmp1', 'd', ['n>q']],
    ]);
    expect(shown(flows)).toEqual([
      ['a c', 'x>p'],
      ['a d', 'y>q'],
      ['b c', 'z>p'],
      ['b d', ''],
    ]);
    expect([through, dropped]).toEqual([['tmp1', 'tmp2'], []]);
  });

  it('in loops end, and may lead back to where they began', () => {
    const { flows } = contracted([
      ['a', 'tmp1', ['x>m']],
      ['tmp1', 'tmp2', ['m>n']],
      ['tmp2', 'tmp1', ['n>k']],
      ['tmp1', 'a', ['k>y']],
    ]);
    expect(shown(flows)).toEqual([['a a', 'x>y']]);
  });

  it('do not change what flows without them, and join it', () => {
    const { flows } = contracted([
      ['a', 'b', ['x>x']],
      ['a', 'tmp', ['x>m', 'w>m']],
      ['tmp', 'b', ['m>x']],
    ]);
    expect(shown(flows)).toEqual([['a b', 'w>x,x>x']]);
  });

  it('at an end are left out and named', () => {
    const {
      flows,
      dropped,
      contracted: through,
    } = contracted([
      ['tmp1', 'a'],
      ['a', 'tmp2'],
      ['tmp3', 'tmp4'],
    ]);
    expect([flows, through, dropped]).toEqual([[], [], ['tmp1', 'tmp2', 'tmp3', 'tmp4']]);
  });
});

describe('flows of a job', () => {
  it('are its own: what other jobs make, and what names no table, is not told', () => {
    const { flows, unnamed } = contracted([
      ['a', 'b', [], ['j', 'other']],
      ['b', 'c', [], ['other']],
      ['c', 'd', [], []],
      ['?', 'd'],
    ]);
    expect(shown(flows).map(([pair]) => pair)).toEqual(['a b', 'c d']);
    expect(unnamed).toEqual(['?']);
  });
});

describe('flows of two jobs between the same tables', () => {
  const node = (id: string) => ({
    id: `n${id}`,
    tables: [
      {
        id,
        tableName: id,
        columns: ['x', 'y'].map((column) => ({ id: `${id}.${column}`, columnName: column })),
      },
    ],
  });
  const read = (
    nodes: readonly object[],
    relations: readonly (readonly [from: string, to: string, job?: string])[],
  ) => {
    const edges = relations.map(([source, destination, jobId]) => ({ source, destination, jobId }));
    const info = lineageInfoSchema.parse({
      nodes,
      edges: {
        tableLineage: edges.filter(({ source }) => !source.includes('.')),
        columnLineage: edges.filter(({ source }) => source.includes('.')),
      },
    });
    return readLineage([{ info, requestId: 'R' }]);
  };

  it('keep to the columns of each', () => {
    const found = read(
      [node('a'), node('b')],
      [
        ['a', 'b', 'j'],
        ['a', 'b', 'k'],
        ['a.x', 'b.x', 'j'],
        ['a.y', 'b.y', 'k'],
        ['a.x', 'b.y'],
      ],
    );
    const of = (job: string) => shown(flowsOf(found, job, 'contract').flows);
    expect([of('j'), of('k')]).toEqual([[['a b', 'x>x,x>y']], [['a b', 'x>y,y>y']]]);
  });

  it('do so through temporary tables', () => {
    const found = read(
      [node('a'), { ...node('tmp'), isTemporary: true }, node('b')],
      [
        ['a.x', 'tmp.x', 'j'],
        ['tmp.x', 'b.x', 'j'],
        ['tmp.x', 'b.y', 'k'],
      ],
    );
    expect(shown(flowsOf(found, 'j', 'contract').flows)).toEqual([['a b', 'x>x']]);
  });
});

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => !/\p{Cc}/u.test(text));
const block = fc.record(
  { catalog: name, database: name, table: name },
  { requiredKeys: ['table'] },
) as unknown as fc.Arbitrary<Flow['from']>;
const flow: fc.Arbitrary<Flow> = fc.record({
  from: block,
  to: block,
  columns: fc.uniqueArray(fc.tuple(name, name), { maxLength: 4, selector: (pair) => JSON.stringify(pair) }),
});
const job = { namespace: 'n', name: 'd' };

describe('the manifest of a deployment', () => {
  test.prop([fc.array(flow, { minLength: 1, maxLength: 8 })])('is valid and says exactly what flows', (list) => {
    const flows = united(list);
    const text = manifestText({ job, flows }) ?? '';
    expect(parseManifest(Buffer.from(text), 'json', blocks)).not.toHaveProperty('problems');
    expect(readManifest(text)).toEqual({ job, flows });
    expect(manifestText({ job, flows: united([...list].reverse()) })).toBe(text);
  });

  test.prop([fc.array(flow, { maxLength: 6 }), fc.array(flow, { maxLength: 6 })])(
    'lacks nothing of either in the union of both',
    (left, right) => {
      const both = united(left, right);
      expect([lacks(both, left), lacks(both, right)]).toEqual([false, false]);
      expect(united(both, left)).toEqual(both);
    },
  );

  it('lacks a pair, or a column, that was there before', () => {
    const one: Flow = { from: { table: 'a' }, to: { table: 'b' }, columns: [['x', 'y']] };
    expect(lacks([], [one])).toBe(true);
    expect(lacks([{ ...one, columns: [] }], [one])).toBe(true);
    expect(lacks([one], [{ ...one, columns: [] }])).toBe(false);
  });

  it('is none where it would be too large, and is not read from anything else', () => {
    const columns = Array.from({ length: 100_001 }, (_, at) => [`c${at}`, 'x'] as const);
    expect(manifestText({ job, flows: [{ from: { table: 'a' }, to: { table: 'b' }, columns }] })).toBeUndefined();
    expect(readManifest('{"version":1,"lineage":[{"from":["a"],"to":"b"}]}')).toBeUndefined();
    expect(readManifest('no')).toBeUndefined();
  });
});
