import fc from 'fast-check';
import { expect, it } from 'vitest';
import { writeProgress } from '../../shared/converge/plan-store.ts';
import { Failure } from '../../shared/core/failure.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { isEmpty, type PlanChange, type PlanDocument } from '../../shared/core/plan-document.ts';
import { planMarkdown } from '../../shared/formats/plan-markdown.ts';
import { manifest, pairs } from './local.ts';
import { planWorld } from './plan-world.ts';

/** Plan, apply, plan again: empty. What came later is not applied. */

const A = 'manifests/a.json';
const B = 'manifests/b.json';

it('writes nothing but the plan itself, and calls no vendor', async () => {
  const world = planWorld({ targets: ['dataphin', 'dataarts'] });
  const both = { targets: ['dataphin', 'dataarts'] };
  await world.put(A, manifest(pairs('a', 3), both));
  await world.settle([A]);
  await world.put(A, manifest(pairs('a', 4), both));
  await world.put(B, manifest(pairs('b', 2), both));
  await world.remove('manifests/none.json');
  const before = JSON.stringify(world.ledger.rows());
  world.calls.length = 0;
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ create: 6, unchanged: 6 });
  expect(JSON.stringify(world.ledger.rows())).toBe(before);
  expect(world.calls).toEqual([]);
  expect(world.messages).toEqual([]);
  expect((await world.plan()).checksum).toBe(plan.checksum);
});

it('applies what it showed, in as many calls as it said; then there is nothing to do', async () => {
  const world = planWorld({ targets: ['dataphin', 'dataarts'] });
  const both = { targets: ['dataphin', 'dataarts'] };
  await world.put(A, manifest(pairs('a', 12), both));
  await world.settle([A]);
  await world.put(A, manifest(pairs('a', 10), { ...both, columns: ['id', 'sum'] }));
  await world.put(B, manifest(pairs('b', 2), both));
  world.calls.length = 0;
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ create: 4, withdraw: 2, update: 20, 'left-behind': 2 });
  const applied = await world.apply(plan.checksum);
  expect(applied).toMatchObject({ owners: 2, outcomes: { done: 2 }, left: 0, failures: [], differs: [] });
  const said = Object.values(plan.calls).reduce((sum, count) => sum + count, 0);
  expect(world.calls.length).toBe(said);
  expect(plan.etaSeconds).toBe(Math.ceil(Math.max(...Object.values(plan.calls)) / 5));
  const again = await world.plan();
  expect(isEmpty(again)).toBe(true);
  expect(again.digests).toEqual({});
  // Two lone edges that DataArts cannot delete are still told of.
  expect(again.changes.map((each) => each.verdict)).toEqual(['left-behind', 'left-behind']);
});

it('refuses with the owners that differ, and then does nothing at all', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 2)));
  await world.put(B, manifest(pairs('b', 2)));
  const plan = await world.plan();
  await world.put(B, manifest(pairs('b', 3)));
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [B], outcomes: {} });
  expect(world.calls).toEqual([]);
  // Another owner that came later is no difference, and is not applied.
  await world.put(B, manifest(pairs('b', 2)));
  await world.put('manifests/c.json', manifest(pairs('c', 2)));
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], outcomes: { done: 2 } });
  expect(world.at()).toHaveLength(4);
});

it('refuses when an owner changed that the plan found as it should be, whether it was converged or not', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 2)));
  await world.put(B, manifest(pairs('b', 12)));
  await world.settle([A, B]);
  const plan = await world.plan();
  expect(plan.digests).toEqual({});
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], owners: 0 });
  await world.put(A, manifest(pairs('a', 3)));
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [A] });
  await world.settle([A]);
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [A] });
  const scoped = await world.plan([B]);
  await world.put(A, manifest(pairs('a', 4)));
  expect(await world.apply(scoped.checksum)).toMatchObject({ differs: [] });
  await world.put(B, manifest(pairs('b', 2)));
  await world.settle([B]);
  const held = await world.plan([B]);
  expect(held.summary).toMatchObject({ held: 10 });
  await world.release(held.changes[0]?.release?.id ?? '');
  await world.settle([B]);
  expect(await world.apply(held.checksum)).toMatchObject({ differs: [B] });
  await world.remove(A);
  await world.settle([A]);
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [A, B] });
});

it('does all of a plan that is made again, although an equal one was applied in two steps before', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 2)));
  const plan = await world.plan();
  await writeProgress(plan.checksum, [A], world.manifests);
  expect((await world.plan()).checksum).toBe(plan.checksum);
  expect(await world.apply(plan.checksum)).toMatchObject({ outcomes: { done: 1 } });
  expect(world.at()).toHaveLength(2);
});

it('leaves out an owner that changes while the plan is applied', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 2)));
  await world.put(B, manifest(pairs('b', 2)));
  const plan = await world.plan();
  const { get } = world.manifests;
  const reads = new Map<string, number>();
  // The first read is the check before anything is applied; the second is convergence's own.
  world.deps.manifests.get = async (key, options) => {
    reads.set(key, (reads.get(key) ?? 0) + 1);
    if (key === B && reads.get(key) === 1) {
      const found = await get(key, options);
      await world.put(B, manifest(pairs('later', 5)));
      return found;
    }
    return get(key, options);
  };
  const applied = await world.apply(plan.checksum);
  expect(applied.differs).toEqual([B]);
  expect(applied.outcomes).toEqual({ done: 1, differs: 1 });
  expect(world.at().every((pair) => pair.includes('.a'))).toBe(true);
});

it('refuses when somebody outside the plan lets go of an edge that it showed as staying', async () => {
  const world = planWorld();
  await world.put(A, manifest([...pairs('a', 3), ['x', 'y']]));
  await world.put(B, manifest([['x', 'y']]));
  await world.settle([A, B]);
  await world.put(A, manifest(pairs('a', 3)));
  const plan = await world.plan();
  expect(plan.changes).toEqual([]);
  await world.put(B, manifest([['other', 'z']]));
  await world.converge(B);
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [A, B] });
  expect(world.at()).toContain('odps.300000001.p.x -> odps.300000001.p.y');
});

it('shows an edge that moves to another manifest, and a rename, as no change', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 12)));
  await world.settle([A]);
  world.calls.length = 0;
  await world.remove(A);
  await world.put(B, manifest(pairs('a', 12)));
  const plan = await world.plan();
  expect(plan.changes).toEqual([]);
  expect(plan.calls).toEqual({});
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], outcomes: { done: 2 } });
  expect(world.calls).toEqual([]);
  expect(isEmpty(await world.plan())).toBe(true);
});

it('deletes no edge that moves to another manifest, also when both take something away', async () => {
  const world = planWorld();
  await world.put(A, manifest([['t', 'tt']]));
  await world.put(B, manifest([['p', 'pt']]));
  await world.settle([A, B]);
  world.calls.length = 0;
  await world.put(A, manifest([]));
  await world.put(B, manifest([['t', 'tt']]));
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ create: 0, withdraw: 1 });
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], outcomes: { done: 2 } });
  expect(world.calls).toEqual(['dataphin withdraw odps.300000001.p.p -> odps.300000001.p.pt']);
});

it('tells an edge that two new manifests declare once', async () => {
  const world = planWorld();
  await world.put(A, manifest([['x', 'y']]));
  await world.put(B, manifest([['x', 'y']], { columns: ['id', 'more'] }));
  const plan = await world.plan();
  expect(plan.changes.map((each) => `${each.owner} ${each.verdict}`)).toEqual([`${A} create`, `${B} update`]);
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [], outcomes: { done: 2 } });
  expect(world.columnsAt('odps.300000001.p.x -> odps.300000001.p.y')).toEqual(['id>id', 'more>more']);
  expect(isEmpty(await world.plan())).toBe(true);
});

const small = fc
  .uniqueArray(fc.constantFrom('p', 'q', 'r', 's', 't'), { maxLength: 4 })
  .map((names) => names.map((name): [string, string] => [name, `${name}t`]));
const content = fc.option(fc.tuple(small, fc.subarray(['id', 'sum', 'day'], { minLength: 1 })), { nil: undefined });
const edits = fc.array(fc.tuple(content, content, content), { minLength: 1, maxLength: 3 });

/** Edges at Dataphin with their columns. */
function shownNow(world: ReturnType<typeof planWorld>): Record<string, string[]> {
  return Object.fromEntries(world.at().map((pair) => [pair, world.columnsAt(pair)]));
}

/**
 * What Dataphin shows once all that a plan says of it is done. Only what nobody claims is taken away, so what one manifest adds outlives
 * what another one takes.
 */
function foretold({ changes }: PlanDocument, before: Readonly<Record<string, readonly string[]>>) {
  const shown = new Map(Object.entries(before).map(([pair, columns]) => [pair, new Set(columns)]));
  const here = changes.filter((each) => each.target === 'dataphin');
  const pairOf = ({ from, to }: PlanChange) => `${from} -> ${to}`.replaceAll('dataphin:', '');
  for (const each of here) {
    for (const column of each.columns?.remove ?? []) shown.get(pairOf(each))?.delete(column.join('>'));
    if (each.verdict === 'withdraw') shown.delete(pairOf(each));
  }
  for (const each of here) if (each.verdict === 'create') shown.set(pairOf(each), shown.get(pairOf(each)) ?? new Set());
  for (const each of here) for (const column of each.columns?.add ?? []) shown.get(pairOf(each))?.add(column.join('>'));
  return Object.fromEntries([...shown].map(([pair, columns]) => [pair, [...columns].sort()]));
}

it('leads to an empty plan whatever is applied, with the calls and to the very edges that it said', async () => {
  await fc.assert(
    fc.asyncProperty(edits, async (rounds) => {
      const world = planWorld({ targets: ['dataphin', 'dataarts'] });
      for (const round of rounds) {
        for (const [at, each] of round.entries()) {
          const key = `manifests/${at}.json`;
          const text = each && manifest(each[0], { targets: ['dataphin', 'dataarts'], columns: each[1] });
          await (text === undefined ? world.remove(key) : world.put(key, text));
        }
        world.calls.length = 0;
        const plan = await world.plan();
        expect((await world.plan()).checksum).toBe(plan.checksum);
        const promised = foretold(plan, shownNow(world));
        const applied = await world.apply(plan.checksum);
        expect(applied).toMatchObject({ differs: [], failures: [], left: 0 });
        expect(Object.keys(applied.outcomes).filter((kind) => kind !== 'done')).toEqual([]);
        expect(world.calls.length).toBe(Object.values(plan.calls).reduce((sum, count) => sum + count, 0));
        expect(shownNow(world)).toEqual(promised);
        const again = await world.plan();
        expect(again.changes.filter((each) => each.verdict !== 'left-behind')).toEqual([]);
        expect(isEmpty(again)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

it('holds rm -r of 40 manifests of 10 edges, says so loudly, and keeps saying it with age and request', async () => {
  const world = planWorld();
  const keys = Array.from({ length: 40 }, (_, at) => `manifests/m/${at}.json`);
  for (const [at, key] of keys.entries()) await world.put(key, manifest(pairs(`m${at}_`, 10)));
  await world.put('manifests/later.json', manifest(pairs('later', 12)));
  await world.settle([...keys, 'manifests/later.json']);
  world.calls.length = 0;
  for (const key of keys) await world.remove(key);
  const before = await world.plan();
  expect(before.summary).toMatchObject({ held: 400, withdraw: 0, unchanged: 12 });
  expect(before.changes[0]?.reason).toMatch(/40 manifests with 400 of the target's 412 edges vanished together/);
  // One of them planned alone is judged with the others all the same.
  expect((await world.plan([keys[0] ?? ''])).summary).toMatchObject({ held: 10, withdraw: 0 });
  await world.settle(keys);
  expect(world.calls).toEqual([]);
  world.pass(3 * 86_400_000);
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ held: 400, withdraw: 0 });
  const ids = new Set(plan.changes.map((each) => each.release?.id));
  expect(ids.size).toBe(1);
  const text = planMarkdown(plan);
  const [id = ''] = ids;
  expect(text).toContain('## Lineage plan: 400 held');
  expect(text).toContain(`400 edges in 40 manifests, held for 3 days`);
  expect(text).toContain(`POST /reconcile {"release":"${id}"}`);

  // What comes later is not let go with it.
  await world.remove('manifests/later.json');
  await world.put('manifests/more.json', manifest(pairs('more', 12)));
  expect(await world.release(id)).toHaveLength(40);
  await world.settle(keys);
  expect(world.at()).toEqual(
    pairs('later', 12)
      .map(([from, to]) => `odps.300000001.p.${from} -> odps.300000001.p.${to}`)
      .sort(),
  );
});

it('sends one message for each of many manifests that vanish at the same moment', async () => {
  const world = planWorld();
  const keys = Array.from({ length: 60 }, (_, at) => `manifests/${at}.json`);
  for (const [at, key] of keys.entries()) await world.put(key, manifest(pairs(`m${at}_`, 1)));
  await world.settle(keys);
  for (const key of keys) await world.remove(key);
  await Promise.all(keys.map((key) => world.converge(key)));
  expect(world.messages.filter(({ kind }) => kind === 'judge')).toHaveLength(60);
  await world.settle([]);
  expect((await world.plan()).summary).toMatchObject({ held: 60 });
  expect(new Set((await world.plan()).changes.map((each) => each.release?.id)).size).toBe(1);
});

it('lets one lone removed manifest of twelve edges go', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 12)));
  await world.settle([A]);
  await world.remove(A);
  const plan = await world.plan();
  expect(plan.summary).toMatchObject({ withdraw: 12, held: 0 });
  expect(await world.apply(plan.checksum)).toMatchObject({ outcomes: { done: 1 }, differs: [] });
  expect(world.at()).toEqual([]);
  expect(isEmpty(await world.plan())).toBe(true);
});

it('holds the first contact with a newly added target until somebody releases it', async () => {
  const world = planWorld();
  const both = { targets: ['dataphin', 'dataphin/second'] };
  await world.put(A, manifest(pairs('a', 2), both));
  await world.settle([A]);
  world.addTarget('dataphin/second');
  await world.put(B, manifest(pairs('b', 1), both));
  const plan = await world.plan();
  expect(plan.changes.map((each) => `${each.owner} ${each.target} ${each.verdict}`)).toEqual([
    `${A} dataphin/second held`,
    `${A} dataphin/second held`,
    `${B} dataphin create`,
    `${B} dataphin/second create`,
  ]);
  await world.apply(plan.checksum);
  expect(world.at('dataphin/second')).toHaveLength(1);
  const again = await world.plan();
  expect(again.summary).toMatchObject({ held: 2, create: 0 });
  await world.release(again.changes[0]?.release?.id ?? '');
  expect((await world.plan()).summary).toMatchObject({ held: 0, create: 2 });
  await world.settle([A]);
  expect(world.at('dataphin/second')).toHaveLength(3);
});

it('goes on where it stopped when there is no time for all of a plan', async () => {
  const world = planWorld();
  const keys = Array.from({ length: 9 }, (_, at) => `manifests/${at}.json`);
  for (const [at, key] of keys.entries()) await world.put(key, manifest(pairs(`m${at}_`, 2)));
  const plan = await world.plan();
  const { now } = world.deps;
  const started = now();
  // Every ledger write takes a second: after some owners there is no time for another.
  const { write } = world.ledger;
  world.ledger.write = (row, expected) => {
    world.pass(1_000);
    return write(row, expected);
  };
  const first = await world.apply(plan.checksum, started + 20_000);
  expect(first.left).toBeGreaterThan(0);
  expect(first.left).toBeLessThan(9);
  world.pass(100_000);
  await world.settle([]);
  const second = await world.apply(plan.checksum);
  expect(second).toMatchObject({ left: 0, differs: [] });
  expect(world.at()).toHaveLength(18);
});

it('leaves out an owner whose edge somebody outside the plan lets go of while it is applied', async () => {
  const world = planWorld();
  await world.put(A, manifest([...pairs('a', 3), ['x', 'y']]));
  await world.put(B, manifest([['x', 'y']]));
  await world.settle([A, B]);
  await world.put(A, manifest(pairs('a', 3)));
  const plan = await world.plan([A]);
  const { get } = world.manifests;
  let reads = 0;
  world.deps.manifests.get = async (key, options) => {
    if (key === A) reads += 1;
    // Checked already, and about to be applied.
    if (key === A && reads === 2) {
      await world.put(B, manifest([['other', 'z']]));
      await world.converge(B);
    }
    return get(key, options);
  };
  expect(await world.apply(plan.checksum)).toMatchObject({ differs: [A], outcomes: { differs: 1 } });
  expect(world.at()).toContain('odps.300000001.p.x -> odps.300000001.p.y');
});

it('goes on telling what is wrong with a manifest after its convergence has said so', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 3)));
  await world.settle([A]);
  await world.put(A, '{ "version": 1, "lineage": [');
  await world.settle([A]);
  const plan = await world.plan();
  expect(plan.problems).toMatchObject([{ owner: A }]);
  expect(plan.summary).toMatchObject({ withdraw: 0, unchanged: 3 });
  expect(plan.digests).toEqual({});
});

it('takes nothing that cannot be read or named for gone', async () => {
  const world = planWorld();
  await world.put(A, manifest(pairs('a', 3)));
  await world.put(B, manifest(pairs('b', 3)));
  await world.settle([A, B]);
  await world.put(A, '{ "version": 1, "lineage": [');
  const broken = await world.plan();
  expect(broken.summary).toMatchObject({ withdraw: 0, unchanged: 6 });
  expect(broken.problems).toMatchObject([{ owner: A }]);
  expect(broken.changes).toEqual([]);

  const naming = async () => ({ etag: 'other', problems: [{ path: 'rules', message: 'no list' }] });
  world.deps.naming = naming;
  const unnamed = await world.plan();
  expect(unnamed.summary).toMatchObject({ withdraw: 0, unchanged: 6 });
  expect(unnamed.problems).toMatchObject([{ owner: 'naming.yaml', path: 'rules' }]);

  world.deps.naming = async () => ({ etag: 'none', naming: NO_NAMING });
  const message = 'secret lineage/dataphin: it is gone';
  world.deps.targets = async () => ({ list: [], problems: [{ target: 'dataphin', message, registers: true }] });
  await world.remove(B);
  const lost = await world.plan();
  expect(lost.summary).toMatchObject({ withdraw: 0, held: 3 });
  expect(lost.changes[0]?.reason).toBe('withdraw: dataphin cannot be used now, so nothing is withdrawn there');

  world.deps.manifests.list = async () => {
    throw new Failure('unavailable', 'the bucket cannot be listed');
  };
  await expect(world.plan()).rejects.toThrow('the bucket cannot be listed');
});
