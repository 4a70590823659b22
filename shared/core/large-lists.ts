/*
 * What is spread into a call's arguments goes onto the stack first, and ends with some 120,000 of them (Node 24, measured). An owner may
 * have 100,000 edges.
 */

/** `push(...more)`, of however many. */
export function append<T>(list: T[], more: Iterable<T>): void {
  for (const each of more) list.push(each);
}

/** `Math.min(...values)`, of however many; infinite of none. */
export function smallest(values: readonly number[]): number {
  return values.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
}
