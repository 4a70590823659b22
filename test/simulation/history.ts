import { digest } from '../../shared/core/digest.ts';
import type { Random } from './random.ts';

/** What one manifest says about a pair of datasets. */
export interface Pair {
  /** `a>b`: is it direct? */
  readonly columns: ReadonlyMap<string, boolean>;
  /** A scalar option that owners may disagree on. */
  readonly tag?: string;
}

/** One content of a manifest. Without `pairs` it cannot be parsed. */
export interface Version {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly pairs?: ReadonlyMap<string, Pair>;
  readonly targets?: readonly string[];
}

/** What all owners together want of a pair. */
export interface Wanted {
  readonly columns: ReadonlyMap<string, boolean>;
  readonly tag: string | undefined;
  /** Options that one of the owners gave; a node made with any of them is good. */
  readonly tags: ReadonlySet<string | undefined>;
}

const encoder = new TextEncoder();

/** `named`: naming.yaml gives the datasets their names at the vendors, not the manifest. */
export function version(
  pairs: ReadonlyMap<string, Pair>,
  targets?: readonly string[],
  options: { readonly named?: boolean } = {},
): Version {
  const names = new Set([...pairs.keys()].flatMap((pair) => pair.split('-')));
  const text = JSON.stringify({
    version: 1,
    ...(targets ? { targets } : {}),
    datasets: Object.fromEntries(
      [...names].map((name) => [
        name,
        options.named ? { namespace: 'sim', name } : { dataphin: { guid: name }, dataarts: { table: name } },
      ]),
    ),
    lineage: [...pairs].map(([pair, { columns, tag }]) => {
      const [from, to] = pair.split('-') as [string, string];
      return {
        from,
        to,
        columns: [...columns].map(([column, direct]) => ({
          from: `${from}.${column.split('>')[0]}`,
          to: `${to}.${column.split('>')[1]}`,
          direct,
        })),
        ...(tag === undefined ? {} : { dataphin: { relationProperties: { tag } }, dataarts: { connectionName: tag } }),
      };
    }),
  });
  return { text, bytes: encoder.encode(text), etag: digest(text), pairs, ...(targets ? { targets } : {}) };
}

export function unparsable(random: Random): Version {
  const text = `{ "version": ${random.between(2, 99)}, `;
  return { text, bytes: encoder.encode(text), etag: digest(text) };
}

/** The union of what present manifests declare at a target, by pair: columns union, direct wins, the smallest owner's option. */
export function union(manifests: ReadonlyMap<string, Version>, target: string): Map<string, Wanted> {
  const wanted = new Map<
    string,
    { columns: Map<string, boolean>; tag: string | undefined; tags: Set<string | undefined> }
  >();
  for (const owner of [...manifests.keys()].sort()) {
    const { pairs, targets } = manifests.get(owner) as Version;
    if (targets && !targets.includes(target)) continue;
    for (const [pair, { columns, tag }] of pairs ?? []) {
      const all = wanted.get(pair) ?? { columns: new Map(), tag: undefined, tags: new Set() };
      for (const [column, direct] of columns) all.columns.set(column, direct || all.columns.get(column) === true);
      all.tag ??= tag;
      all.tags.add(tag);
      wanted.set(pair, all);
    }
  }
  return wanted;
}

const COLUMNS = ['a>a', 'a>b', 'b>b', 'c>c', 'c>a'];

export function randomPair(random: Random, badShare: number): Pair {
  const columns = new Map<string, boolean>();
  for (const column of random.some(COLUMNS, random.between(0, 3))) columns.set(column, random.chance(0.8));
  if (random.chance(badShare)) columns.set('bad>bad', true);
  return random.chance(0.25) ? { columns, tag: random.pick(['x', 'y']) } : { columns };
}

/** A manifest after one of the things that people do to it. */
export function edited(
  old: ReadonlyMap<string, Pair>,
  pool: readonly string[],
  random: Random,
  badShare: number,
): Map<string, Pair> {
  const pairs = new Map(old);
  const keys = [...pairs.keys()];
  const change = keys.length === 0 ? 'add' : random.weighted({ add: 3, drop: 3, columns: 4, flip: 2, tag: 2, most: 1 });
  if (change === 'add')
    for (const pair of random.some(pool, random.between(1, 3))) pairs.set(pair, randomPair(random, badShare));
  if (change === 'drop') pairs.delete(random.pick(keys));
  if (change === 'most') for (const pair of random.some(keys, random.between(1, keys.length))) pairs.delete(pair);
  if (change === 'columns') pairs.set(random.pick(keys), randomPair(random, badShare));
  if (change === 'flip' || change === 'tag') {
    const key = random.pick(keys);
    const { columns, tag } = pairs.get(key) as Pair;
    const flipped = new Map([...columns].map(([column, direct]) => [column, random.chance(0.7) ? !direct : direct]));
    if (change === 'flip') pairs.set(key, tag === undefined ? { columns: flipped } : { columns: flipped, tag });
    else pairs.set(key, tag === 'x' ? { columns, tag: 'y' } : tag === 'y' ? { columns } : { columns, tag: 'x' });
  }
  return pairs;
}
