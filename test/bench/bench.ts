/** One figure, measured beside what it is compared with. */
export interface Figure {
  readonly name: string;
  /** What was measured, for people. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The same useful work, done with the least that can do it. */
  readonly floor?: number;
  /** The same useful work, done by somebody else's well-known code. */
  readonly peer?: number;
  readonly ratio?: number;
  /** What the ratio must be; absent: for information only. */
  readonly must?: { readonly atMost: number } | { readonly atLeast: number };
  readonly note?: string;
}

export interface BenchOptions {
  /** A fraction of the work, to see that the benchmark itself works; its timings mean nothing. */
  readonly short: boolean;
  /** Says what is going on. */
  readonly progress: (text: string) => void;
}

/** One or more figures; throws when what was done is not what had to be done. */
export type Benchmark = (options: BenchOptions) => Promise<readonly Figure[]>;

export function reached(figure: Figure): boolean | undefined {
  const { must, ratio } = figure;
  if (must === undefined || ratio === undefined) return undefined;
  return 'atMost' in must ? ratio <= must.atMost : ratio >= must.atLeast;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Throws with what was expected; the result of every benchmarked run is asserted. */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}

/**
 * Runs the contenders in turn, `rounds` times, so that a busy moment of the machine hits all of them; the median of each.
 */
export async function sideBySide<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<number>>>,
  rounds: number,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const seen = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round += 1) {
    // Every other round the other way round: who comes second must not always find the machine warm.
    const order = round % 2 === 0 ? names : [...names].reverse();
    for (const name of order) seen[name].push(await contenders[name]());
  }
  return Object.fromEntries(names.map((name) => [name, median(seen[name])])) as Record<Name, number>;
}
