import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.ts';
import { runSchedules } from './schedule.ts';

/** `--seed N --trace` replays one schedule; `--schedules N [--from N] [--mutant name]` runs many with progress. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    schedules: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    stop: { type: 'string', default: '10' },
  },
});

const mutant = values.mutant === undefined ? undefined : MUTANTS[values.mutant];
if (values.mutant !== undefined && !mutant)
  throw new Error(`no mutant ${values.mutant}; there are ${Object.keys(MUTANTS).join(', ')}`);

function* range(from: number, count: number): Generator<number> {
  for (let seed = from; seed < from + count; seed += 1) yield seed;
}

if (values.seed !== undefined) {
  await runSchedules([Number(values.seed)], { mutant, trace: values.trace }, ({ violations, lines, steps }) => {
    for (const line of lines) console.log(line);
    for (const violation of violations) console.log(`VIOLATION ${violation}`);
    console.log(`${violations.length} violations, ${steps} steps`);
    if (violations.length > 0) process.exitCode = 1;
  });
} else {
  const total = Number(values.schedules);
  const started = performance.now();
  let ran = 0;
  let wrong = 0;
  let steps = 0;
  await runSchedules(range(Number(values.from), total), { mutant }, (outcome) => {
    ran += 1;
    steps += outcome.steps;
    if (outcome.violations.length > 0) {
      wrong += 1;
      console.log(
        `seed ${outcome.seed}: ${outcome.violations[0]}  (replay: npm run simulate -- --seed ${outcome.seed} --trace)`,
      );
    }
    if (ran % 1_000 === 0)
      console.log(`${ran} schedules, ${wrong} wrong, ${Math.round(performance.now() - started)} ms`);
    return wrong >= Number(values.stop);
  });
  console.log(`${ran} schedules, ${wrong} wrong, ${steps} steps, ${Math.round(performance.now() - started)} ms`);
  if (wrong > 0) process.exitCode = 1;
}
