import { expect, it } from 'vitest';
import { runSchedules } from './schedule.ts';

/** The second half of the twenty thousand, in a file of its own so that both halves run side by side. */
const FROM = 10_001;
const TO = 20_000;

it(`converge ends right in schedules ${FROM} to ${TO}`, { timeout: 900_000 }, async () => {
  const wrong: string[] = [];
  const seeds = Array.from({ length: TO - FROM + 1 }, (_, index) => FROM + index);
  await runSchedules(seeds, {}, ({ seed, violations }) => {
    if (violations.length === 0) return false;
    wrong.push(`node test/simulation/run.ts --seed ${seed} --trace: ${violations[0]}`);
    return wrong.length >= 5;
  });
  expect(wrong).toEqual([]);
});
