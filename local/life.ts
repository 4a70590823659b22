import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Somewhere the functions run: one machine, or AWS. */
export interface Place {
  /** Puts an object into the bucket; the functions hear of it. */
  drop(key: string, text: string): Promise<void>;
  /** Takes it out again. */
  remove(key: string): Promise<void>;
  /** A request to whichever function URL serves it. */
  request(method: string, path: string, body?: string): Promise<Response>;
  /** Runs the scheduled pass now. */
  reconcile(): Promise<void>;
  /** Base URLs of the simulated vendors. */
  readonly vendors: Readonly<Record<string, string>>;
}

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
const OWNER = 'manifests/orders.yaml';
const WAIT_MS = 10_000;

/**
 * The life of a manifest, once: dropped, changed, removed, put by URL, asked for, repaired after a vendor failed, deleted. Tells each
 * step, and what the vendors hold after it; throws as soon as something is not as it says.
 */
export async function life(place: Place, tell: (line: string) => void): Promise<void> {
  const sample = await readFile(SAMPLE, 'utf8');
  const vendors = vendorsOf(place);
  const { step, expect, until } = narrator(tell);

  step('1. Drop a manifest into the bucket', `cp ${SAMPLE} bucket/manifests/`);
  await place.drop(OWNER, sample);
  await settled((status) => status.edges.length > 0 && status.edges.every((edge) => edge.outcome === 'registered'));
  const first = await show();
  expect(
    first.dataphin.length === 1 && first.dataphin[0]?.columns.length === 3,
    'Dataphin shows the edge with three columns',
  );
  expect(first.dataarts.length === 1, 'DataArts shows one job node');

  step('2. Change it: one column less', 'only the difference is sent');
  await vendors.forgetCalls();
  await place.drop(OWNER, sample.replace('id: id', '').replace(', }', ' }'));
  await until(async () => (await vendors.held()).dataphin[0]?.columns.length === 2, 'Dataphin shows two columns');
  // A pass may compare what is shown meanwhile; reading changes nothing.
  const calls = (await vendors.calls('dataphin')).filter((operation) => !operation.startsWith('Get'));
  expect(calls.join() === 'DeleteRegisterLineage', `Dataphin got ${calls.join(', ')}`);
  const none = (await vendors.calls('dataarts')).length === 0;
  expect(none, 'DataArts, which cannot take anything back, got no call');
  await show();

  step('3. Remove it', 'rm bucket/manifests/orders.yaml');
  await place.remove(OWNER);
  const gone = await settled((status) => status.state === 'withdrawn');
  expect((await show()).dataphin.length === 0, 'Dataphin no longer shows the edge');
  const left = gone.edges.find((edge) => edge.target === 'dataarts');
  expect(left?.outcome === 'unsupported', `DataArts: ${left?.outcome}: ${left?.reason}`);

  step('4. The same through the function URL', 'PUT /manifests/orders.yaml');
  const put = await place.request('PUT', '/manifests/orders.yaml', sample);
  expect(put.status === 200, `PUT answered ${put.status}`);
  const again = await show();
  expect(again.dataphin.length === 1, 'Dataphin shows it again');
  expect(again.dataarts.length === 1, 'DataArts still has the one node; declaring it again made no second one');

  const dataset = 'dataphin:odps.300000001.project1.orders_clean';
  step('5. Ask what feeds orders_clean', `GET /lineage?dataset=${dataset}&direction=upstream`);
  const asked = await place.request('GET', `/lineage?dataset=${encodeURIComponent(dataset)}&direction=upstream`);
  if (!asked.ok) throw new Error(`GET /lineage answered ${asked.status}: ${await asked.text()}`);
  const graph = (await asked.json()) as { edges: { from: string; to: string; declaredBy: string[] }[] };
  for (const edge of graph.edges) tell(`   ${edge.from} -> ${edge.to}, declared by ${edge.declaredBy.join(', ')}`);
  expect(graph.edges.length === 1, 'the ledger knows one upstream edge');

  step('6. A vendor fails, the schedule repairs', 'Dataphin answers 503 to the next calls, then a reconcile pass');
  await vendors.fault('dataphin', { kind: 'unavailable', times: 12 });
  await place.request('PUT', '/manifests/second.yaml', sample.replaceAll('orders_clean', 'orders_final'));
  const edge = (await statusOf('second.yaml'))?.edges.find((each) => each.target === 'dataphin');
  expect(edge?.outcome === 'pending', `the edge is ${edge?.outcome}: ${edge?.reason}`);
  await until(async () => {
    await place.reconcile();
    return (await vendors.held()).dataphin.length === 2;
  }, 'a pass registered what was pending');
  await show();

  step('7. Delete both', 'DELETE /manifests/orders.yaml, DELETE /manifests/second.yaml');
  for (const path of ['orders.yaml', 'second.yaml']) {
    const answer = await place.request('DELETE', `/manifests/${path}`);
    expect(answer.status === 200 || answer.status === 202, `DELETE ${path} answered ${answer.status}`);
  }
  await until(async () => (await vendors.held()).dataphin.length === 0, 'Dataphin is empty');
  await show();

  async function statusOf(path: string): Promise<Status | undefined> {
    const answer = await place.request('GET', `/status/manifests/${path}`);
    return answer.ok ? ((await answer.json()) as Status) : undefined;
  }

  async function settled(done: (status: Status) => boolean): Promise<Status> {
    let last: Status | undefined;
    await until(async () => {
      last = await statusOf('orders.yaml');
      return last !== undefined && done(last);
    }, 'the status document says so');
    for (const { target, outcome, receipt } of last?.edges ?? [])
      tell(`   ${target}: ${outcome}${receipt ? ` (${receipt})` : ''}`);
    return last as Status;
  }

  async function show(): Promise<Held> {
    const now = await vendors.held();
    if (now.dataphin.length === 0) tell('   Dataphin  (nothing)');
    for (const { source, target, columns } of now.dataphin)
      tell(`   Dataphin  ${source} -> ${target} [${columns.map(([from, to]) => `${from}>${to}`).join(' ')}]`);
    for (const { nodeName, inputs, outputs, columns } of now.dataarts)
      tell(`   DataArts  ${inputs} -> (${nodeName}) -> ${outputs} [${columns.length} columns]`);
    return now;
  }
}

/** What the life asks of the simulators. */
function vendorsOf({ vendors }: Place) {
  const at = (vendor: string, path: string) => `${vendors[vendor]}/_sandbox/${path}`;
  const read = async (vendor: string, path: string): Promise<unknown> => (await fetch(at(vendor, path))).json();
  return {
    async held(): Promise<Held> {
      return { dataphin: await read('dataphin', 'lineage'), dataarts: await read('dataarts', 'lineage') } as Held;
    },
    async calls(vendor: string): Promise<string[]> {
      return ((await read(vendor, 'calls')) as { operation: string }[]).map((call) => call.operation);
    },
    async forgetCalls(): Promise<void> {
      for (const vendor of Object.keys(vendors)) await fetch(at(vendor, 'calls'), { method: 'DELETE' });
    },
    async fault(vendor: string, fault: object): Promise<void> {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(at(vendor, 'faults'), { method: 'POST', headers, body: JSON.stringify(fault) });
      if (!answer.ok) throw new Error(`${vendor} takes no such fault: ${answer.status}`);
    },
  };
}

function narrator(tell: (line: string) => void) {
  return {
    step: (title: string, how: string) => tell(`\n${title}\n   ${how}`),
    expect(truth: boolean, what: string): void {
      if (!truth) throw new Error(`not so: ${what}`);
      tell(`   ok: ${what}`);
    },
    async until(done: () => Promise<boolean>, what: string): Promise<void> {
      const end = Date.now() + WAIT_MS;
      while (Date.now() < end) {
        if (await done()) return tell(`   ok: ${what}`);
        await sleep(50);
      }
      throw new Error(`not within ${WAIT_MS / 1_000} s: ${what}`);
    },
  };
}
