import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { local, manifest, pairs } from './local.ts';

it('goes on answering while a large manifest is read', { timeout: 60_000 }, async () => {
  const here = await local();
  const problem = `version: 1\nlineage:\n${'  - { from: nobody, to: nobody }\n'.repeat(9_000)}`;
  const parsing = here.request('PUT', '/manifests/large.yaml', `${problem}# ${'x'.repeat(1_000_000)}\n`);
  let done = false;
  void parsing.then(() => {
    done = true;
  });
  let longest = 0;
  let answers = 0;
  while (!done) {
    const started = performance.now();
    await here.request('GET', '/manifests');
    longest = Math.max(longest, performance.now() - started);
    answers += 1;
    await sleep(5);
  }
  expect((await parsing).status).toBe(400);
  // While it is read, others are served; on the same thread there would be one answer at most, after all of it.
  expect(answers).toBeGreaterThan(3);
});

it('converges a manifest of a thousand edges and says so for each', { timeout: 60_000 }, async () => {
  const here = await local();
  await here.drop('manifests/big.json', manifest(pairs('b', 1_500)));
  const status = await here.statusWhen('manifests/big.json', (each) => each.state === 'converged', 50_000);
  expect(status.counts).toEqual({ registered: 1_500 });
  expect(status.edges).toHaveLength(1_000);
  expect(status.parts).toEqual(['status/manifests/big.json.2.json']);
  const second = await here.request('GET', '/status/manifests/big.json?part=2');
  expect(((await second.json()) as { edges: unknown[] }).edges).toHaveLength(500);
  expect(await here.dataphin()).toHaveLength(1_500);
  await here.forgetCalls();
  await here.runtime.reconcile();
  expect(await here.calls('dataphin')).toEqual([]);
});

it('plans and tells of 67,600 edges without a name at either vendor, and hides no other manifest by it', {
  timeout: 120_000,
}, async () => {
  const here = await local();
  const names = (side: string) =>
    Array.from({ length: 260 }, (_, at) => [`${side}${at}`, { namespace: 'hive://m:9083', name: `${side}.t${at}` }]);
  const hundreds = (side: string) =>
    [0, 100, 200].map((from) =>
      names(side)
        .slice(from, from + 100)
        .map(([alias]) => alias),
    );
  const unnamed = {
    version: 1,
    datasets: Object.fromEntries([...names('a'), ...names('b')]),
    lineage: hundreds('a').flatMap((from) => hundreds('b').map((to) => ({ from, to }))),
  };
  const answer = await here.request('PUT', '/manifests/unnamed.json', JSON.stringify(unnamed));
  // 202 where it takes longer than a request may.
  expect([200, 202]).toContain(answer.status);
  await here.request('PUT', '/manifests/other.json', manifest([['a', 'b']]));
  const status = await here.statusWhen('manifests/unnamed.json', ({ state }) => state === 'incomplete', 90_000);
  expect(status.counts).toEqual({ unresolved: 135_200 });
  const plan = await here.request('GET', '/plan');
  const { summary, changes } = (await plan.json()) as {
    summary: Record<string, number>;
    changes: { reason: string }[];
  };
  expect([plan.status, summary['unresolved'], summary['unchanged']]).toEqual([200, 135_200, 1]);
  // It stands at each of thousands of pairs.
  expect(changes[0]?.reason.length).toBeLessThan(300);
});
