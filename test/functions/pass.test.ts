import { expect, it } from 'vitest';
import { passAsked } from '../../functions/scheduled-reconcile/pass.ts';
import { reconcile } from '../../functions/scheduled-reconcile/reconcile.ts';
import { Failure } from '../../shared/core/failure.ts';
import { Place } from './passes.ts';

const names = (count: number) => Array.from({ length: count }, (_, at) => `odps.300000001.p.t${at}`).sort();

it('sends what needs work to the queue, once, and nothing when nothing does', async () => {
  const place = new Place();
  const owners = await place.fill(25);
  await place.pass();
  expect(place.called).toEqual([]);
  expect(place.waiting()).toEqual(owners);
  expect(await place.report()).toMatchObject({ complete: true, counts: { owners: 25, sent: 25 } });

  // Before a worker came to it.
  place.now += 60_000;
  await place.pass();
  expect(place.waiting()).toEqual(owners);
  expect((await place.report()).counts).toEqual({ owners: 25, queued: 25 });

  expect(await place.drain()).toEqual(owners);
  expect([...place.shown].sort()).toEqual(names(25));
  const touched: string[] = [];
  await place.pass(place.services({ touch: (what) => touched.push(what) }));
  expect(place.waiting()).toEqual([]);
  expect(touched.filter((what) => what === 'manifests.get' || what.startsWith('vendor'))).toEqual([]);
  expect(await place.report()).toMatchObject({
    complete: true,
    counts: { owners: 25, unchanged: 25 },
    edges: { registered: 25 },
    verdicts: { converged: 25 },
  });

  await place.put(owners[3] as string, [['s3', 'other']]);
  await place.pass();
  expect(place.waiting()).toEqual([owners[3]]);
});

it('sends a message again that was lost, later and later, and at once for new content', async () => {
  const place = new Place();
  const [owner = ''] = await place.fill(1);
  const sentAt: number[] = [];
  const start = place.now;
  for (let minutes = 0; minutes < 24 * 60; minutes += 15) {
    await place.pass();
    if (place.queue.splice(0).length > 0) sentAt.push((place.now - start) / 60_000);
    place.now += 15 * 60_000;
  }
  expect(sentAt).toEqual([0, 15, 45, 105, 225, 465, 945]);
  await place.put(owner, [['s0', 'other']]);
  await place.pass();
  expect(place.waiting()).toEqual([owner]);
});

it('lets two passes that overlap send each owner once', async () => {
  const place = new Place();
  const owners = await place.fill(60);
  await Promise.all([place.pass(), place.pass(), place.pass()]);
  expect(place.waiting()).toEqual(owners);

  // Even when neither knows of the other: what counts is the mark.
  const other = new Place({ ledger: place.ledger, manifests: place.manifests });
  other.ids = 1_000_000;
  await place.fill(20, 100);
  place.queue.splice(0);
  const blind = (services: ReturnType<Place['services']>) => ({
    ...services,
    deps: { ...services.deps, alive: () => false },
  });
  await Promise.all([place.pass(blind(place.services())), other.pass(blind(other.services()))]);
  expect([...place.waiting(), ...other.waiting()]).toHaveLength(20);
});

it('goes on where it ran out of time, and reports the whole', async () => {
  const place = new Place();
  const owners = await place.fill(1_300);
  // Every ledger call takes a second: a page of 400 owners is over 400 of them.
  place.ledgerMs = 1_000;
  await place.pass(place.services(), 200_000);
  place.ledgerMs = 0;
  const first = await place.report();
  expect(first).toMatchObject({ complete: false, left: { reason: expect.stringContaining('time was up') } });
  const sent = place.waiting();
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.length).toBeLessThan(1_300);
  expect(place.queue.filter(({ message }) => message.kind === 'pass')).toHaveLength(1);
  const later = await place.drain();
  expect(later.sort()).toEqual(owners);
  expect(await place.report()).toMatchObject({
    complete: true,
    startedAt: first.startedAt,
    counts: { owners: 1_300, sent: 1_300 },
  });
});

it('begins again for whoever asks while it is going on', async () => {
  const place = new Place();
  const [first = ''] = await place.fill(3);
  await place.pass();
  await place.drain();
  let asked: Promise<unknown> | undefined;
  await place.pass(
    place.services({
      touch: (what) => {
        if (what !== 'ledger.getMany answered' || asked) return;
        // Behind the place that the pass has come to.
        asked = place.put(first, [['s0', 'other']]).then(() => reconcile(place.services(), place.now + 60_000, {}));
      },
    }),
  );
  expect(await asked).toMatchObject({ left: 1 });
  expect(place.waiting()).toEqual([]);
  expect(place.queue).toMatchObject([{ message: { kind: 'pass' } }]);
  expect(await place.drain()).toEqual([first]);
  expect(place.queue).toEqual([]);
});

it('tries what was refused again for whoever asks, before a pass, during one, and not for the schedule', async () => {
  const place = new Place();
  const owners = await place.fill(3);
  const [tables, table] = [names(3), 'odps.300000001.p.t0'];
  place.refused.add(table);
  await place.pass();
  await place.drain();
  expect([...place.shown].sort()).toEqual(tables.slice(1));
  const refusedAt = place.called.length;
  place.now += 60_000;
  await place.pass();
  expect(place.waiting()).toEqual([]);

  const ask = (services = place.services()) => passAsked(services, place.now + 60_000, place.now);
  expect(await ask()).toMatchObject({ left: 1 });
  expect(await place.drain()).toEqual([owners[0]]);
  expect(place.called.length).toBe(refusedAt + 1);
  // The same message once more, or an ordinary pass, asks for nothing new.
  await place.pass();
  expect(place.waiting()).toEqual([]);

  place.refused.clear();
  place.now += 60_000;
  let asked: Promise<unknown> | undefined;
  const during = place.services({
    touch: (what) => {
      if (what === 'ledger.getMany answered') asked ??= ask();
    },
  });
  await place.pass(during);
  expect(await asked).toMatchObject({ left: 1 });
  expect(await place.drain()).toEqual([owners[0]]);
  expect([...place.shown].sort()).toEqual(tables);
});

it('loses nothing, wherever it is interrupted', { timeout: 60_000 }, async () => {
  let reached = 0;
  for (let dieAt = 1; ; dieAt += 1) {
    const place = new Place();
    await place.fill(5);
    await place.pass();
    await place.drain();
    // One changed, one gone, two new.
    await place.put('manifests/00001.json', [['s1', 'other']]);
    await place.manifests.delete('manifests/00002.json');
    await place.fill(2, 10);
    let calls = 0;
    let died = false;
    const dying = place.services({
      touch: () => {
        calls += 1;
        died ||= calls >= dieAt;
        if (died) throw new Failure('unavailable', 'the process is gone');
      },
    });
    await place.pass(dying).catch(() => {});
    // The next pass comes when the lease of the dead one has ended, and sends what was only marked.
    place.now += 70_000;
    await place.pass();
    await place.drain();
    const expected = ['t0', 't3', 't4', 't10', 't11', 'other'].map((table) => `odps.300000001.p.${table}`).sort();
    expect([dieAt, [...place.shown].sort()]).toEqual([dieAt, expected]);
    if (!died) break;
    reached = dieAt;
  }
  expect(reached).toBeGreaterThan(20);
});

it('withdraws nothing when a listing fails, and says so', async () => {
  for (const spread of [true, false]) {
    const place = new Place();
    await place.fill(30);
    await place.pass(place.services({ spread }));
    await place.drain();
    await place.manifests.delete('manifests/00003.json');
    const failing = place.services({
      spread,
      touch: (what) => {
        if (what === 'manifests.list') throw new Failure('denied', 'no right to list');
      },
    });
    await expect(place.pass(failing)).rejects.toThrow('no right to list');
    expect(place.waiting()).toEqual([]);
    expect(place.shown.size).toBe(30);
    expect(await place.report()).toMatchObject({ complete: false, failed: 'no right to list' });
  }
});
