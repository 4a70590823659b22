import { parseArgs } from 'node:util';
import { type Benchmark, type Figure, reached } from './bench.ts';
import { clients } from './client.ts';
import { coldstarts } from './coldstart.ts';
import { convergences } from './converge.ts';
import { graphs } from './graph.ts';
import { manifests } from './manifest.ts';
import { page } from './page.ts';
import { passes } from './reconcile.ts';
import { table } from './table.ts';
import { webhook } from './webhook.ts';

/** Which benchmark measures which figures. */
const BENCHMARKS: readonly { readonly figures: readonly string[]; readonly run: Benchmark }[] = [
  { figures: ['client.cpu', 'client.throughput', 'client.dataarts'], run: clients },
  { figures: ['manifest.parse.yaml', 'manifest.parse.json'], run: manifests },
  { figures: ['converge.new', 'converge.unchanged'], run: convergences },
  { figures: ['webhook.ack', 'webhook.p99'], run: webhook },
  { figures: ['reconcile.steady', 'reconcile.growth', 'reconcile.memory'], run: passes },
  { figures: ['graph.query'], run: graphs },
  { figures: ['coldstart', 'bundle'], run: coldstarts },
  { figures: ['page.paint'], run: page },
];

const HELP = `npm run bench -- [--only <name>[,<name>]] [--short] [--json]
  --only   figures by name or by the part before the dot, e.g. client or graph.query
  --short  a fraction of the work: shows that the benchmarks work, their times mean nothing
  --json   { name: { value, unit, floor?, peer?, ratio } } on stdout
  Exit code 0: measured, and every figure reached (with --short: measured); 1: a figure not reached; 2: a benchmark broke.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const only = values.only?.split(',');
const chosen = BENCHMARKS.filter(
  ({ figures }) =>
    only === undefined || figures.some((name) => only.some((each) => name === each || name.startsWith(`${each}.`))),
);
if (chosen.length === 0) {
  process.stderr.write(
    `No benchmark of that name. There are ${BENCHMARKS.flatMap(({ figures }) => figures).join(', ')}.\n`,
  );
  process.exit(2);
}
const started = performance.now();
const progress = (text: string) => {
  process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(0).padStart(4)} s  ${text}\n`);
};
const figures: Figure[] = [];
let broken = 0;
for (const { figures: names, run } of chosen) {
  progress(names.join(', '));
  try {
    figures.push(...(await run({ short: values.short, progress })));
  } catch (thrown) {
    broken += 1;
    process.stderr.write(`broken: ${names.join(', ')}: ${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
  }
}
if (values.json) {
  const told = figures.map(({ name, value, unit, floor, peer, ratio }) => [name, { value, unit, floor, peer, ratio }]);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(told), null, 2)}\n`);
} else {
  process.stdout.write(`${table(figures)}\n`);
}
const missed = figures.filter((figure) => reached(figure) === false);
if (broken > 0) process.exitCode = 2;
else if (missed.length > 0 && !values.short) process.exitCode = 1;
