import type { ColumnEdge } from './edge.ts';
import type { Json } from './json.ts';
import { EDGE, type Mask, maskOf } from './mask.ts';

/**
 * A unit's column edges by position. A list of them never changes, and one that has to grow is another list: so what is worked out of
 * it is worked out once, however many calls a unit with thousands of columns takes.
 */
export type Parts = readonly ColumnEdge[];

/** Identity of a column edge within its unit, the direct flag included. */
export function partKey(part: ColumnEdge): string {
  return JSON.stringify([part.from.table, part.from.column, part.to.table, part.to.column, part.direct ? 1 : 0]);
}

/** Identity of what the vendor stores: the same pair with and without the direct flag is one thing there. */
export function pairKey(part: ColumnEdge): string {
  return JSON.stringify([part.from.table, part.from.column, part.to.table, part.to.column]);
}

const bitsByKey = new WeakMap<Parts, ReadonlyMap<string, number>>();
const twinsByBit = new WeakMap<Parts, ReadonlyMap<number, readonly number[]>>();
const stored = new WeakMap<Parts, readonly Json[]>();
const interned = new WeakMap<Parts, { readonly before: Parts; readonly parts: Parts; readonly mask: Mask }>();

/** Bit of each column edge. */
function bitsOf(parts: Parts): ReadonlyMap<string, number> {
  const known = bitsByKey.get(parts);
  if (known) return known;
  const bits = new Map(parts.map((part, index) => [partKey(part), index + 1]));
  bitsByKey.set(parts, bits);
  return bits;
}

/** Gives columns their bits, adding to the dictionary what it does not hold yet. The table edge is always in the mask. */
export function intern(parts: Parts, columns: Parts): { readonly parts: Parts; readonly mask: Mask } {
  const before = interned.get(columns);
  if (before && (before.before === parts || before.parts === parts)) return before;
  const known = bitsOf(parts);
  const fresh = new Map<string, number>();
  const added: ColumnEdge[] = [];
  const bits = columns.map((column) => {
    const key = partKey(column);
    let bit = known.get(key) ?? fresh.get(key);
    if (bit === undefined) {
      added.push(column);
      bit = parts.length + added.length;
      fresh.set(key, bit);
    }
    return bit;
  });
  const result = { before: parts, parts: added.length === 0 ? parts : [...parts, ...added], mask: EDGE | maskOf(bits) };
  interned.set(columns, result);
  return result;
}

/** For each column edge that is one thing at the vendor with others of the list (the other direct flag): their bits. */
export function twinBits(parts: Parts): ReadonlyMap<number, readonly number[]> {
  const known = twinsByBit.get(parts);
  if (known) return known;
  const twins = new Map<number, readonly number[]>();
  // Twins differ in nothing but the flag.
  if (parts.some((part) => part.direct) && parts.some((part) => !part.direct)) {
    const groups = Map.groupBy(
      parts.map((_, index) => index + 1),
      (bit) => pairKey(parts[bit - 1] as ColumnEdge),
    );
    for (const group of groups.values())
      if (group.length > 1)
        for (const bit of group)
          twins.set(
            bit,
            group.filter((each) => each !== bit),
          );
  }
  twinsByBit.set(parts, twins);
  return twins;
}

/** The list as a row holds it, short arrays; frozen, so that its text need not be made again for each write. */
export function storedParts(parts: Parts): readonly Json[] {
  const known = stored.get(parts);
  if (known) return known;
  const rows = Object.freeze(
    parts.map(({ from, to, direct }) => Object.freeze([from.table, from.column, to.table, to.column, direct ? 1 : 0])),
  );
  stored.set(parts, rows);
  return rows;
}
