import { expect, it } from 'vitest';
import { isEmpty, type PlanDocument } from '../../shared/core/plan-document.ts';
import { manifest, pairs } from './local.ts';
import { planWorld } from './plan-world.ts';

/** Modes per target: what is not done is visible, and nothing is lost when the mode is sync again. */

const A = 'manifests/a.json';
const B = 'manifests/b.json';
const X = 'odps.300000001.p.x -> odps.300000001.p.y';

type World = ReturnType<typeof planWorld>;

async function statusOf(world: World, owner: string) {
  const object = await world.manifests.get(`status/${owner}.json`);
  return JSON.parse(Buffer.from(object?.bytes ?? new Uint8Array()).toString('utf8')) as {
    state: string;
    counts: Record<string, number>;
    edges: { outcome: string; reason?: string }[];
  };
}

const held = (plan: PlanDocument) => plan.changes.filter((each) => each.verdict === 'held').map((each) => each.reason);

it('upsert-only adds and updates, withdraws nothing, and says so; back in sync everything is made up for', async () => {
  const world = planWorld();
  await world.put(A, manifest([...pairs('a', 3), ['x', 'y']], { columns: ['id', 'sum'] }));
  await world.settle([A]);
  world.modes['dataphin'] = 'upsert-only';
  await world.put(
    A,
    manifest(
      [
        ['x', 'y'],
        ['new', 'one'],
      ],
      { columns: ['id'] },
    ),
  );
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ create: 1, withdraw: 0, update: 0, held: 4 });
  expect(held(plan)).toContain('1 column edge(s) would be withdrawn, but dataphin is upsert-only');
  world.calls.length = 0;
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], outcomes: { done: 1 } });
  expect(world.calls.filter((call) => call.includes('withdraw'))).toEqual([]);
  expect(world.at()).toHaveLength(5);
  expect(world.columnsAt(X)).toEqual(['id>id', 'sum>sum']);
  const status = await statusOf(world, A);
  expect(status.state).toBe('held');
  expect(status.counts).toEqual({ held: 4, registered: 1 });
  // It stays in every plan, and every pass leaves it.
  await world.settle([A]);
  expect(held(await world.plan())).toHaveLength(4);

  world.modes['dataphin'] = 'sync';
  const back = await world.plan();
  expect(back.summary).toMatchObject({ withdraw: 3, update: 1, held: 0 });
  await world.settle([A]);
  expect(world.at()).toEqual(['odps.300000001.p.new -> odps.300000001.p.one', X]);
  expect(world.columnsAt(X)).toEqual(['id>id']);
  expect(isEmpty(await world.plan())).toBe(true);
});

it('upsert-only keeps what a vanished or deleted manifest declared, until the mode is sync again', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 3)));
  await world.settle([A]);
  world.modes['dataphin'] = 'upsert-only';
  await world.remove(A);
  expect(held(await world.plan())).toHaveLength(3);
  await world.settle([A]);
  expect(world.at()).toHaveLength(3);
  expect(held(await world.plan())).toEqual(
    Array.from(
      { length: 3 },
      () =>
        'withdraw: no longer declared, but dataphin is upsert-only, so it stays; it is withdrawn once MODES says dataphin=sync',
    ),
  );
  world.modes['dataphin'] = 'sync';
  await world.settle([A]);
  expect(world.at()).toEqual([]);
  expect(world.ledger.rows().filter((row) => row.key.startsWith('owner/'))).toEqual([]);
});

it('a mass removal under upsert-only is judged when the mode is sync again', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 20)));
  await world.put(B, manifest(pairs('b', 20)));
  await world.settle([A, B]);
  world.modes['dataphin'] = 'upsert-only';
  await world.remove(A);
  await world.remove(B);
  await world.settle([A, B]);
  world.modes['dataphin'] = 'sync';
  await world.settle([A, B]);
  expect(world.at()).toHaveLength(40);
  expect(held(await world.plan())[0]).toMatch(/2 manifests with 40 of the target's 40 edges vanished together/);
});

it('report-only calls nothing and keeps the ledger as it is; back in sync it registers without being held', async () => {
  const world = planWorld({ targets: ['dataphin', 'dataarts'], modes: { dataphin: 'report-only' } });
  const both = { targets: ['dataphin', 'dataarts'] };
  await world.put(A, manifest(pairs('a', 2), both));
  await world.settle([A]);
  expect(world.at('dataphin')).toEqual([]);
  expect(world.at('dataarts')).toHaveLength(2);
  expect(world.calls.filter((call) => call.startsWith('dataphin'))).toEqual([]);
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ held: 2, unchanged: 2 });
  expect(plan.calls).toEqual({});
  expect(held(plan)[0]).toBe(
    'create: dataphin is report-only, so nothing is sent; it is brought up to date once MODES says dataphin=sync',
  );
  expect((await statusOf(world, A)).counts).toEqual({ held: 2, registered: 2 });

  world.modes['dataphin'] = 'sync';
  await world.settle([A]);
  expect(world.at('dataphin')).toHaveLength(2);

  world.modes['dataphin'] = 'report-only';
  await world.put(A, manifest([...pairs('a', 1), ['x', 'y']], both));
  world.calls.length = 0;
  await world.settle([A]);
  expect(world.calls.filter((call) => call.startsWith('dataphin'))).toEqual([]);
  expect((await world.plan()).summary).toMatchObject({ held: 2, unchanged: 3 });
  world.modes['dataphin'] = 'sync';
  await world.settle([A]);
  expect(world.at('dataphin')).toEqual(['odps.300000001.p.a0 -> odps.300000001.p.at0', X]);
});

it('a target that was only reported on is still new to the owners of before', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 2), { targets: ['dataphin', 'dataarts'] }));
  await world.settle([A]);
  world.modes['dataarts'] = 'report-only';
  world.addTarget('dataarts');
  await world.settle([A]);
  world.modes['dataarts'] = 'sync';
  await world.settle([A]);
  expect(world.at('dataarts')).toEqual([]);
  const plan = await world.plan();
  expect(held(plan)).toEqual(['create: first contact with dataarts', 'create: first contact with dataarts']);
  const release = plan.changes[0]?.release;
  expect(release?.body).toEqual({ release: release?.id });
  expect(await world.release(release?.id ?? '')).toEqual([A]);
  await world.settle([A]);
  expect(world.at('dataarts')).toHaveLength(2);
});
