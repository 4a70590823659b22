import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type EventsQuery, eventsBetween } from '../../functions/fetch/marquez/events.ts';
import { marquezRoutes } from '../../functions/fetch/marquez/routes.ts';
import { archive } from '../../shared/intake/archive.ts';
import { TRUSTED } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';
import { archiveMachine, type Between } from './archive-machine.ts';
import { request } from './wire-machine.ts';

const START = Date.parse('2026-11-20T02:00:00Z');
const timeOf = (n: number) => new Date(START + n * 50).toISOString();

/** Objects of one event each, as they are written at twenty a second by a process whose ids tell nothing. */
async function written(count: number, between: Between = {}) {
  const at = archiveMachine(0);
  let now = START;
  const here: Services = at.process(between, { now: () => now, id: randomUUID });
  for (let n = 0; n < count; n += 1) {
    now = START + n * 50;
    await archive([{ at: timeOf(n), event: { eventTime: timeOf(n), n } }], here);
  }
  return { ...at, here };
}

const numbers = async (query: Partial<EventsQuery>, services: Services) => {
  const standard = { limit: 5, offset: 0, sortDirection: 'desc' } as const;
  const found = await eventsBetween({ ...standard, ...query }, TRUSTED, services);
  return { ...found, events: found.events.map((event) => event['n']) };
};

/** A batch of a window, as one that was put together is written. */
const batch = (events: readonly object[]) =>
  gzipSync(events.map((event) => `${JSON.stringify({ at: timeOf(0), event })}\n`).join(''));

test('many small objects of one window are all looked at', async () => {
  const { here } = await written(1_700);
  expect(await numbers({}, here)).toEqual({
    events: [1_699, 1_698, 1_697, 1_696, 1_695],
    totalCount: 1_700,
    cut: false,
  });
  expect((await numbers({ offset: 1_698 }, here)).events).toEqual([1, 0]);
});

test('of very many the oldest are left out, and the answer says that they are', async () => {
  const { here, objects } = await written(5_000);
  objects.set('archive/batches/2026-11-19/10-00-x.jsonl.gz', batch([{ eventTime: '2026-11-19T10:00:00Z', n: -1 }]));
  // 4,096 as small as these.
  const newest = await numbers({}, here);
  expect(newest).toEqual({ events: [4_999, 4_998, 4_997, 4_996, 4_995], totalCount: 4_096, cut: true });
  expect((await numbers({ sortDirection: 'asc', limit: 1 }, here)).events).toEqual([904]);
  const route = marquezRoutes.find(({ path }) => path === '/api/v1/events/lineage');
  const answer = await route?.handle(request({ method: 'GET' }), here);
  expect(answer?.headers?.['x-older-events']).toBe('not-counted');
  expect(Object.keys(JSON.parse(String(answer?.body)) as object)).toEqual(['events', 'totalCount']);
});

test('batches count by what they hold, days and windows go from the newest', async () => {
  const { here, objects } = await written(3);
  const many = (count: number, n: number) => batch(Array.from({ length: count }, () => ({ n, x: randomUUID() })));
  objects.set('archive/batches/2026-11-20/01-50-x.jsonl.gz', many(30_000, -1));
  objects.set('archive/batches/2026-11-19/23-50-x.jsonl.gz', many(30_000, -2));
  objects.set('archive/batches/2026-11-19/23-40-x.jsonl.gz', many(10, -3));
  expect(await numbers({}, here)).toMatchObject({ totalCount: 60_003, cut: true });
  objects.delete('archive/batches/2026-11-19/23-40-x.jsonl.gz');
  expect(await numbers({}, here)).toMatchObject({ totalCount: 60_003, cut: false });
});

test('what is put together while it is looked at is not missed, and counted once', async () => {
  let put = () => {};
  const at = await written(300, { before: async (what) => void (what === 'manifests.get' && put()) });
  put = () => {
    put = () => {};
    const events = Array.from(
      { length: 300 },
      (_, n) => `${JSON.stringify({ at: timeOf(n), event: { eventTime: timeOf(n), n } })}\n`,
    );
    at.objects.set('archive/batches/2026-11-20/02-00-x.jsonl.gz', gzipSync(events.join('')));
    for (const key of at.left().slice(0, -10)) at.objects.delete(key);
  };
  expect(await numbers({}, at.here)).toEqual({ events: [299, 298, 297, 296, 295], totalCount: 300, cut: false });
});
