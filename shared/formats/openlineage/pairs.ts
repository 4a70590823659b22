/** Every one of `from` with every one of `to`, not written out: twenty thousand of each would be 400 million pairs. */
export interface Product {
  readonly from: ReadonlySet<string>;
  readonly to: ReadonlySet<string>;
}

/** How many different pairs two products stand for; `selves`: pairs of one with itself count too. */
export function countPairs(left: Product, right: Product, selves: boolean): number {
  const both = { from: common(left.from, right.from), to: common(left.to, right.to) };
  const count = ({ from, to }: Product) => from.size * to.size - (selves ? 0 : common(from, to).size);
  return count(left) + count(right) - count(both);
}

export const holds = ({ from, to }: Product, source: string, target: string): boolean =>
  from.has(source) && to.has(target);

function common(left: ReadonlySet<string>, right: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...left].filter((each) => right.has(each)));
}
