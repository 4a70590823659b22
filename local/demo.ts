import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryLog } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';
import { type Runtime, startRuntime } from './runtime.ts';

/** `npm run demo`: the life of a manifest, once, against the simulators; exits 0 only if every step did what it says. */

interface Held {
  readonly dataphin: readonly { source: string; target: string; columns: readonly [string, string][] }[];
  readonly dataarts: readonly {
    nodeName: string;
    inputs: readonly string[];
    outputs: readonly string[];
    columns: readonly [string, string][];
  }[];
}

interface Status {
  readonly state: string;
  readonly edges: readonly { target: string; outcome: string; reason?: string; receipt?: string }[];
}

const SAMPLE = 'events/manifests/orders.yaml';
const WAIT_MS = 10_000;

const folder = await mkdtemp(join(tmpdir(), 'lineage-demo-'));
const started = performance.now();
let runtime: Runtime | undefined;
try {
  const settings = readSettings({ PORT: '0', DATA_DIR: folder, VANISH_GRACE: '0.5', RECONCILE_EVERY: '3600' });
  runtime = await startRuntime(settings, { log: memoryLog() });
  await life(runtime);
  console.log(`\nEvery step did what it says (${((performance.now() - started) / 1_000).toFixed(1)} s).`);
} catch (thrown) {
  console.error(`\nThe demo failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
} finally {
  await runtime?.close();
  await rm(folder, { recursive: true, force: true });
}

async function life(runtime: Runtime): Promise<void> {
  const file = join(runtime.bucket, 'manifests/orders.yaml');
  const sample = await readFile(SAMPLE, 'utf8');

  step('1. Drop a manifest into the bucket', `cp ${SAMPLE} bucket/manifests/`);
  await cp(SAMPLE, file);
  await settled((status) => all(status, 'registered'));
  const first = await show(runtime);
  expect(
    first.dataphin.length === 1 && first.dataphin[0]?.columns.length === 3,
    'Dataphin shows the edge with three columns',
  );
  expect(first.dataarts.length === 1, 'DataArts shows one job node');

  step('2. Change it: one column less', 'only the difference is sent');
  await forgetCalls(runtime);
  await writeFile(file, sample.replace('id: id', '').replace(', }', ' }'));
  await until(async () => (await held(runtime)).dataphin[0]?.columns.length === 2, 'Dataphin shows two columns');
  const calls = await callsOf(runtime, 'dataphin');
  expect(calls.join() === 'DeleteRegisterLineage', `Dataphin got ${calls.join(', ')}`);
  expect((await callsOf(runtime, 'dataarts')).length === 0, 'DataArts, which cannot take anything back, got no call');
  await show(runtime);

  step('3. Remove it', 'rm bucket/manifests/orders.yaml');
  await rm(file);
  const gone = await settled((status) => status.state === 'withdrawn');
  const after = await show(runtime);
  expect(after.dataphin.length === 0, 'Dataphin no longer shows the edge');
  const left = gone.edges.find((edge) => edge.target === 'dataarts');
  expect(left?.outcome === 'unsupported', `DataArts: ${left?.outcome}: ${left?.reason}`);

  step('4. The same through the function URL', 'PUT /manifests/orders.yaml');
  const put = await fetch(`${runtime.url}/manifests/orders.yaml`, { method: 'PUT', body: sample });
  expect(put.status === 200, `PUT answered ${put.status}`);
  const again = await show(runtime);
  expect(again.dataphin.length === 1, 'Dataphin shows it again');
  expect(again.dataarts.length === 1, 'DataArts still has the one node; declaring it again made no second one');

  step(
    '5. Ask what feeds orders_clean',
    'GET /lineage?dataset=dataphin:odps.300000001.project1.orders_clean&direction=upstream',
  );
  const name = encodeURIComponent('dataphin:odps.300000001.project1.orders_clean');
  const graph = (await (await fetch(`${runtime.url}/lineage?dataset=${name}&direction=upstream`)).json()) as {
    edges: { from: string; to: string; declaredBy: string[] }[];
  };
  for (const edge of graph.edges)
    console.log(`   ${edge.from} -> ${edge.to}, declared by ${edge.declaredBy.join(', ')}`);
  expect(graph.edges.length === 1, 'the ledger knows one upstream edge');

  step('6. A vendor fails, the schedule repairs', 'Dataphin answers 503 to the next calls, then a reconcile pass');
  await post(`${runtime.vendors['dataphin']}/_sandbox/faults`, { kind: 'unavailable', times: 12 });
  await fetch(`${runtime.url}/manifests/second.yaml`, {
    method: 'PUT',
    body: sample.replaceAll('orders_clean', 'orders_final'),
  });
  const pending = await statusOf(runtime, 'second.yaml');
  const edge = pending?.edges.find((each) => each.target === 'dataphin');
  expect(edge?.outcome === 'pending', `the edge is ${edge?.outcome}: ${edge?.reason}`);
  await until(async () => {
    await runtime.reconcile();
    return (await held(runtime)).dataphin.length === 2;
  }, 'a pass registered what was pending');
  await show(runtime);

  step('7. Delete both', 'DELETE /manifests/orders.yaml, DELETE /manifests/second.yaml');
  for (const path of ['orders.yaml', 'second.yaml']) {
    const answer = await fetch(`${runtime.url}/manifests/${path}`, { method: 'DELETE' });
    expect(answer.status === 200 || answer.status === 202, `DELETE ${path} answered ${answer.status}`);
  }
  await until(async () => (await held(runtime)).dataphin.length === 0, 'Dataphin is empty');
  await show(runtime);

  async function settled(done: (status: Status) => boolean): Promise<Status> {
    let last: Status | undefined;
    await until(async () => {
      last = await statusOf(runtime, 'orders.yaml');
      return last !== undefined && done(last);
    }, 'the status document says so');
    for (const edge of last?.edges ?? [])
      console.log(`   ${edge.target}: ${edge.outcome}${edge.receipt ? ` (${edge.receipt})` : ''}`);
    return last as Status;
  }
}

function all(status: Status, outcome: string): boolean {
  return status.edges.length > 0 && status.edges.every((edge) => edge.outcome === outcome);
}

async function statusOf(runtime: Runtime, path: string): Promise<Status | undefined> {
  const answer = await fetch(`${runtime.url}/status/manifests/${path}`);
  return answer.ok ? ((await answer.json()) as Status) : undefined;
}

async function held(runtime: Runtime): Promise<Held> {
  const read = async (vendor: string) => (await fetch(`${runtime.vendors[vendor]}/_sandbox/lineage`)).json();
  return { dataphin: await read('dataphin'), dataarts: await read('dataarts') } as Held;
}

async function show(runtime: Runtime): Promise<Held> {
  const now = await held(runtime);
  const lines = [
    ...now.dataphin.map((each) => `Dataphin  ${each.source} -> ${each.target} [${pairs(each.columns)}]`),
    ...now.dataarts.map(
      (each) => `DataArts  ${each.inputs} -> (${each.nodeName}) -> ${each.outputs} [${each.columns.length} columns]`,
    ),
  ];
  if (now.dataphin.length === 0) lines.unshift('Dataphin  (nothing)');
  for (const line of lines) console.log(`   ${line}`);
  return now;
}

function pairs(columns: readonly [string, string][]): string {
  return columns.map(([from, to]) => `${from}>${to}`).join(' ');
}

async function callsOf(runtime: Runtime, vendor: string): Promise<string[]> {
  const answer = await fetch(`${runtime.vendors[vendor]}/_sandbox/calls`);
  return ((await answer.json()) as { operation: string }[]).map((call) => call.operation);
}

async function forgetCalls(runtime: Runtime): Promise<void> {
  for (const url of Object.values(runtime.vendors)) await fetch(`${url}/_sandbox/calls`, { method: 'DELETE' });
}

async function post(url: string, body: unknown): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.ok, `${url} answered ${answer.status}`);
}

function step(title: string, how: string): void {
  console.log(`\n${title}\n   ${how}`);
}

function expect(truth: boolean, what: string): void {
  if (!truth) throw new Error(`not so: ${what}`);
  console.log(`   ok: ${what}`);
}

async function until(done: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    if (await done()) {
      console.log(`   ok: ${what}`);
      return;
    }
    await sleep(50);
  }
  throw new Error(`not within ${WAIT_MS / 1_000} s: ${what}`);
}
