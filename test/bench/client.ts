import { type Benchmark, expectSame, type Figure, sideBySide } from './bench.ts';
import { runChild, startChild } from './child.ts';
import type { ClientCost, ClientRun } from './client-child.ts';

const SECRET = 'bench-secret-of-thirty-characters';

/** `client.cpu`, `client.throughput` and `client.dataarts`: what our clients cost beside raw HTTP and the vendors' own. */
export const clients: Benchmark = async ({ short, progress }) => {
  const calls = short ? 200 : 12_000;
  const warmUp = short ? 50 : 2_000;
  const rounds = short ? 1 : 5;
  const server = await startChild('answerer.ts', { secret: SECRET });
  const url = await server.next<string>();
  const measure = async (vendor: ClientRun['vendor'], contender: ClientRun['contender']): Promise<ClientCost> => {
    progress(`${vendor} ${contender}`);
    const run: ClientRun = { contender, vendor, url, secret: SECRET, warmUp, calls };
    const cost = await runChild<ClientCost>('client-child.ts', run);
    const seen = (await (await fetch(`${url}/_seen`)).json()) as { calls: number; signed: number; distinct: number };
    expectSame(`calls of ${vendor} ${contender}`, seen.calls, warmUp + calls);
    expectSame(`right signatures of ${vendor} ${contender}`, seen.signed, warmUp + calls);
    expectSame(`different registers of ${vendor} ${contender}`, seen.distinct, warmUp + calls);
    return cost;
  };
  const perCall = (cost: ClientCost) => (cost.cpuMs * 1_000) / calls;
  const rate = (cost: ClientCost) => (calls * 1_000) / cost.wallMs;
  try {
    const wall: Record<string, number[]> = { ours: [], peer: [] };
    const cpu = await sideBySide(
      {
        ours: async () => keep('ours', await measure('dataphin', 'ours')),
        raw: async () => perCall(await measure('dataphin', 'raw')),
        peer: async () => keep('peer', await measure('dataphin', 'peer')),
      },
      rounds,
    );
    function keep(name: string, cost: ClientCost): number {
      wall[name]?.push(rate(cost));
      return perCall(cost);
    }
    const best = (name: string) => Math.max(...(wall[name] ?? []));
    const dataarts = await sideBySide(
      {
        ours: async () => rate(await measure('dataarts', 'ours')),
        peer: async () => rate(await measure('dataarts', 'peer')),
      },
      rounds,
    );
    const figures: Figure[] = [
      {
        name: 'client.cpu',
        what: 'CPU per Dataphin register of 10 columns, 50 at a time',
        value: cpu.ours,
        unit: 'µs',
        floor: cpu.raw,
        ratio: cpu.ours / cpu.raw,
        must: { atMost: 3 },
      },
      {
        name: 'client.throughput',
        what: 'Dataphin registers a second',
        value: best('ours'),
        unit: '/s',
        peer: best('peer'),
        ratio: best('ours') / best('peer'),
        must: { atLeast: 2.5 },
      },
      {
        name: 'client.dataarts',
        what: 'DataArts creates a second',
        value: dataarts.ours,
        unit: '/s',
        peer: dataarts.peer,
        ratio: dataarts.ours / dataarts.peer,
        must: { atLeast: 2 },
      },
    ];
    return figures;
  } finally {
    await server.stop();
  }
};
