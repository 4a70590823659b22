import { type Benchmark, type Figure, median } from './bench.ts';
import { type Growth, growth, steady } from './reconcile-growth.ts';

const EDGES_PER_OWNER = 10;
const MEMORY_MIB = 512;

/** `reconcile.steady` and `reconcile.growth`: a pass over owners of which nothing has changed. */
export const passes: Benchmark = async ({ short, progress }) => {
  const owners = short ? 200 : 10_000;
  progress(`${owners.toLocaleString('en-US')} owners, nothing changed`);
  const { ours, floor } = await steady({ owners, edgesPerOwner: EDGES_PER_OWNER });
  const sizes = short ? [100, 200, 400] : [1_000, 10_000, 100_000];
  const grown: Growth[] = [];
  for (const size of sizes) {
    progress(`${(size * EDGES_PER_OWNER).toLocaleString('en-US')} edges`);
    const rounds = short || size > 10_000 ? 1 : 3;
    const runs: Growth[] = [];
    for (let round = 0; round < rounds; round += 1)
      runs.push(await growth({ owners: size, edgesPerOwner: EDGES_PER_OWNER }));
    grown.push({
      ms: median(runs.map((run) => run.ms)),
      coldMs: median(runs.map((run) => run.coldMs)),
      peakRssBytes: Math.max(...runs.map((run) => run.peakRssBytes)),
    });
  }
  const peak = (grown.at(-1)?.peakRssBytes ?? Number.NaN) / 1_048_576;
  const figures: Figure[] = [
    {
      name: 'reconcile.steady',
      what: `a pass over ${owners.toLocaleString('en-US')} owners with ${EDGES_PER_OWNER} edges each, nothing changed`,
      value: ours,
      unit: 'ms',
      floor,
      ratio: ours / floor,
      must: { atMost: 1.5 },
    },
    {
      name: 'reconcile.growth',
      what: `exponent of the time from ${sizes.map((size) => (size * EDGES_PER_OWNER).toLocaleString('en-US')).join(' to ')} edges`,
      value: grown.at(-1)?.ms ?? Number.NaN,
      unit: 'ms',
      ratio: exponent(
        sizes,
        grown.map((each) => each.ms),
      ),
      must: { atMost: 1.05 },
    },
    {
      name: 'reconcile.memory',
      what: 'peak memory of that pass, as a share of what it may have',
      value: peak,
      unit: 'MiB',
      floor: MEMORY_MIB,
      ratio: peak / MEMORY_MIB,
      must: { atMost: 1 },
    },
  ];
  return figures;
};

/** Slope of the line through the logarithms, by least squares. */
function exponent(sizes: readonly number[], times: readonly number[]): number {
  const [xs, ys] = [sizes.map(Math.log), times.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const above = xs.reduce((sum, each, at) => sum + (each - x) * ((ys[at] ?? 0) - y), 0);
  return above / xs.reduce((sum, each) => sum + (each - x) ** 2, 0);
}
