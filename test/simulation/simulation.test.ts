import { describe, expect, it } from 'vitest';
import { runSchedules } from './schedule.ts';

/** `npm run simulate` runs more of them. */
const SCHEDULES = 10_000;

function* seeds(): Generator<number> {
  for (let seed = 1; seed <= SCHEDULES; seed += 1) yield seed;
}

describe('converge, whatever goes wrong', () => {
  it(`ends right in ${SCHEDULES} schedules`, { timeout: 900_000 }, async () => {
    const wrong: string[] = [];
    await runSchedules(seeds(), {}, ({ seed, violations }) => {
      if (violations.length === 0) return false;
      wrong.push(`node test/simulation/run.ts --seed ${seed} --trace: ${violations[0]}`);
      return wrong.length >= 5;
    });
    expect(wrong).toEqual([]);
  });

  it('is the same schedule again from the same seed, alone or among others', async () => {
    const alone: (readonly string[])[] = [];
    for (const seed of [11, 12]) {
      await runSchedules([seed], { trace: true }, ({ lines }) => alone.push(lines) > 1_000_000);
    }
    const together = new Map<number, readonly string[]>();
    await runSchedules(
      [11, 12, 13, 14, 15],
      { trace: true },
      ({ seed, lines }) => together.set(seed, lines) === undefined,
    );
    expect([together.get(11), together.get(12)]).toEqual(alone);
    expect(alone[0]?.length).toBeGreaterThan(50);
  });
});
