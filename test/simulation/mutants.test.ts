import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { runSchedules } from './schedule.ts';

/** Far fewer than the suite runs: the rarest of them needs some eight hundred. */
const SCHEDULES = 4_000;

function* seeds(): Generator<number> {
  for (let seed = 1; seed <= SCHEDULES; seed += 1) yield seed;
}

describe('without one rule of the protocol the simulation fails', () => {
  it.each(Object.entries(MUTANTS))('%s', { timeout: 300_000 }, async (_rule, mutant) => {
    let caught: string | undefined;
    await runSchedules(seeds(), { mutant }, ({ seed, violations }) => {
      if (violations.length > 0) caught = `seed ${seed}: ${violations[0]}`;
      return caught !== undefined;
    });
    expect(caught).toBeDefined();
  });
});
