import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseManifest } from '../../../shared/core/manifest.ts';
import type { Declared } from '../../../shared/formats/openlineage/declaration.ts';
import { derive } from '../../../shared/formats/openlineage/derive.ts';
import { manifestOf } from '../../../shared/formats/openlineage/document.ts';
import { edgeRoom } from '../../../shared/formats/openlineage/edge-room.ts';
import { type Facts, idOf, type Link, linkOf, NO_FACTS } from '../../../shared/formats/openlineage/facts.ts';
import { blocks } from '../../../shared/vendors/blocks.ts';

const OPTIONS = { indirect: 'table', selfEdges: true } as const;
const dataset = (name: string) => ({ namespace: 's3://b', name });
const id = (name: string) => idOf(dataset(name));
const many = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => id(`${prefix}${n}`)).sort();

function link(basis: Link['basis'], from: string | undefined, to: string | undefined): string {
  const end = (name: string | undefined) => (name === undefined ? undefined : dataset(name));
  return linkOf({ basis, from: end(from), to: end(to), fromColumn: undefined, toColumn: undefined, direct: true });
}

const evidence = { event: 'run', run: 'r', eventTime: '2026-11-20T02:00:00.000000000Z', producer: 'p' } as const;

function declaredOf({ edges, count }: ReturnType<typeof derive>): Declared {
  return {
    subject: { kind: 'job', namespace: 'n', name: 'j' },
    edges: edges.map((edge) => ({ ...edge, evidence })),
    aliases: new Map(),
    indirect: 0,
    count,
  };
}

it.each([5_000, 20_000])('takes %i inputs and as many outputs at the cost of what a manifest holds', (count) => {
  const facts: Facts = { ...NO_FACTS, inputs: many('i', count), outputs: many('o', count) };
  const before = process.cpuUsage();
  const derived = derive(facts, OPTIONS);
  const { user, system } = process.cpuUsage(before);
  expect([derived.edges.length, derived.count]).toEqual([100_000, count * count]);
  // Some 0.3 s; all of the smaller one would take a minute, if memory lasted.
  expect((user + system) / 1_000).toBeLessThan(5_000);
  const manifest = manifestOf(declaredOf(derived)) as { omitted?: object };
  expect(manifest.omitted).toEqual({ edges: count * count - 100_000, columns: 0 });
});

it('takes what goes through the job itself at the same cost', () => {
  const links = [
    ...Array.from({ length: 20_000 }, (_, n) => link('to-job', `i${n}`, undefined)),
    ...Array.from({ length: 20_000 }, (_, n) => link('from-job', undefined, `o${n}`)),
  ];
  const derived = derive({ ...NO_FACTS, explicit: true, links }, OPTIONS);
  expect([derived.edges.length, derived.count]).toEqual([100_000, 400_000_000]);
});

it('does not look in vain for room once every entry is taken', () => {
  // The first source takes all entries there are, and none of the targets of the others has one.
  const links = Array.from({ length: 10_000 }, (_, n) => link('facet', 'a', `t${n}`));
  const facts: Facts = { ...NO_FACTS, links, inputs: many('i', 20_000), outputs: many('o', 20_000) };
  const before = process.cpuUsage();
  const derived = derive(facts, OPTIONS);
  const { user, system } = process.cpuUsage(before);
  expect([derived.edges.length, derived.count]).toEqual([10_000, 400_010_000]);
  expect((user + system) / 1_000).toBeLessThan(5_000);
});

const NAMES = ['a', 'a!', 'aB', 'a"', 'b', 'ü', 'z'];
const names = fc.uniqueArray(fc.constantFrom(...NAMES)).map((all) => all.map(id).sort());
const linkText = fc
  .tuple(
    fc.constantFrom('facet', 'columns', 'to-job', 'from-job'),
    fc.constantFrom(...NAMES),
    fc.constantFrom(...NAMES),
  )
  .map(([basis, from, to]) =>
    link(basis as Link['basis'], basis === 'from-job' ? undefined : from, basis === 'to-job' ? undefined : to),
  );
const anyFacts = fc.record({
  inputs: names,
  outputs: names,
  targets: names,
  columned: names,
  dropped: names,
  links: fc.uniqueArray(linkText, { maxLength: 20 }).map((all) => all.sort()),
  explicit: fc.boolean(),
});

it('keeps what a manifest would keep of all edges in order, and counts all of them', () => {
  fc.assert(
    fc.property(anyFacts, fc.boolean(), fc.nat(12), fc.nat(5), (given, selfEdges, edges, entries) => {
      const facts: Facts = { ...NO_FACTS, ...given };
      const options = { ...OPTIONS, selfEdges };
      const all = derive(facts, options);
      const key = (edge: (typeof all.edges)[number]) => JSON.stringify([idOf(edge.from), idOf(edge.to)]);
      const keys = all.edges.map(key);
      expect(keys).toEqual([...new Set(keys)].sort());
      const room = edgeRoom({ edges, entries });
      const wanted = all.edges.filter((edge) => room.take(idOf(edge.to)));
      const cut = derive(facts, options, { edges, entries });
      expect(cut).toEqual({ edges: wanted, count: all.edges.length });
      expect(all.count).toBe(all.edges.length);
    }),
    { numRuns: 500 },
  );
});

it('keeps a column whose name is too long for the short form', () => {
  const long = 'c'.repeat(2_000);
  const columns = [
    [long, 'short', true],
    ['short', long, true],
    ['short', 'short', true],
  ] as const;
  const edges = [{ from: dataset('a'), to: dataset('b'), columns, guess: false }];
  const manifest = manifestOf(declaredOf({ edges, count: 1 }));
  expect(manifest).toMatchObject({
    lineage: [
      {
        columns: [
          { from: ['d1.short'], to: { dataset: 'd2', column: long } },
          { from: [{ dataset: 'd1', column: long }, 'd1.short'], to: 'd2.short' },
        ],
      },
    ],
  });
  expect(parseManifest(Buffer.from(JSON.stringify(manifest)), 'json', blocks)).not.toHaveProperty('problems');
});
