import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { MUTANTS } from './mutants.ts';
import { runSchedules } from './schedule.ts';

/**
 * `--seed N --trace` replays one schedule; `--schedules N [--from N] [--mutant name] [--workers N]` runs many with progress, on all cores
 * unless told otherwise.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    schedules: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    stop: { type: 'string', default: '10' },
    workers: { type: 'string', default: String(availableParallelism()) },
    // What one of several workers leaves to the others.
    step: { type: 'string', default: '1' },
  },
});

/** What a worker tells of a schedule. */
interface Told {
  readonly seed: number;
  readonly steps: number;
  readonly violation: string | undefined;
}

const mutant = values.mutant === undefined ? undefined : MUTANTS[values.mutant];
if (values.mutant !== undefined && !mutant)
  throw new Error(`no mutant ${values.mutant}; there are ${Object.keys(MUTANTS).join(', ')}`);

const total = Number(values.schedules);
const first = Number(values.from);

function* seeds(): Generator<number> {
  for (let seed = first; seed < first + total; seed += Number(values.step)) yield seed;
}

async function replay(seed: number): Promise<void> {
  await runSchedules([seed], { mutant, trace: values.trace }, ({ violations, lines, steps }) => {
    for (const line of lines) console.log(line);
    for (const violation of violations) console.log(`VIOLATION ${violation}`);
    console.log(`${violations.length} violations, ${steps} steps`);
    if (violations.length > 0) process.exitCode = 1;
  });
}

async function runAll(): Promise<void> {
  const count = Math.max(1, Math.min(Number(values.workers), total));
  const started = performance.now();
  let ran = 0;
  let wrong = 0;
  let steps = 0;
  const told = ({ seed, steps: taken, violation }: Told): void => {
    ran += 1;
    steps += taken;
    if (violation !== undefined) {
      wrong += 1;
      console.log(`seed ${seed}: ${violation}  (replay: npm run simulate -- --seed ${seed} --trace)`);
    }
    if (ran % 1_000 === 0) console.log(`${ran} schedules, ${wrong} wrong, ${seconds()}`);
    if (wrong >= Number(values.stop)) for (const worker of workers) void worker.terminate();
  };
  const seconds = () => `${Math.round((performance.now() - started) / 1_000)} s`;
  const workers = Array.from({ length: count }, (_, at) => {
    const rest = [...(values.mutant === undefined ? [] : ['--mutant', values.mutant]), '--step', String(count)];
    const argv = ['--from', String(first + at), '--schedules', String(total - at), ...rest];
    return new Worker(new URL(import.meta.url), { argv }).on('message', told);
  });
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  console.log(`${ran} schedules, ${wrong} wrong, ${steps} steps, ${seconds()}`);
  if (wrong > 0 || (ran < total && wrong < Number(values.stop))) process.exitCode = 1;
}

if (!isMainThread) {
  await runSchedules(seeds(), { mutant }, ({ seed, steps, violations: [violation] }) => {
    const told: Told = { seed, steps, violation };
    parentPort?.postMessage(told);
  });
} else if (values.seed !== undefined) await replay(Number(values.seed));
else await runAll();
