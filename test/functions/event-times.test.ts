import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { replay } from '../../functions/register/replay.ts';
import type { IntakeMessage } from '../../shared/queue/queue.ts';
import { alter, DAY_MS, dropped, GRACE_MS, intakeWorld, jobEvent, run, table } from './intake-world.ts';

const FUTURE = '2106-01-01T00:00:00Z';
const iso = (ms: number) => new Date(ms).toISOString();

it('a JobEvent from the far future is replaced by what is said after it, also when it is taken in again', async () => {
  const { clock, take, pass, declared } = intakeWorld();
  const future = jobEvent(FUTURE, [table('a')], [table('b')]);
  const accepted = iso(clock.now);
  await take([future], accepted);
  await pass(60_000);
  await take([jobEvent(iso(clock.now), [table('a')], [table('c')])]);
  await pass(1_000);
  expect(declared()).toEqual(['a > c']);
  await take([future], accepted);
  await pass(1_000);
  expect(declared()).toEqual(['a > c']);
});

it('neither do a run and a drop from the far future outlast what comes after them', async () => {
  const { clock, take, pass, declared } = intakeWorld({ OPENLINEAGE_RUNS: '1' });
  await take([run('10:00', [table('a')], [table('b')], { eventTime: FUTURE })]);
  await take([{ ...alter('10:00', dropped('b')), eventTime: FUTURE }]);
  await pass(2 * GRACE_MS);
  expect(declared()).toEqual([]);
  await take([run('', [table('c')], [table('b')], { run: { runId: 'r2' }, eventTime: iso(clock.now) })]);
  await pass(2 * GRACE_MS);
  expect(declared()).toEqual(['c > b']);
});

it('an event that is replayed keeps the time that it was taken in with', async () => {
  const { services, clock, objects } = intakeWorld();
  const at = iso(clock.now);
  const archived = [
    { at, event: jobEvent(FUTURE, [table('a')], [table('b')]) },
    { at, event: jobEvent('2026-11-21 11:00:00', [table('a')], [table('b')]) },
    { at, ref: 'archive/large/2026-11-20/x.json.gz' },
  ];
  const key = 'archive/new/2026-11-20/12-00/x.jsonl.gz';
  objects.set(key, gzipSync(archived.map((line) => `${JSON.stringify(line)}\n`).join('')));
  objects.set('archive/large/2026-11-20/x.json.gz', gzipSync(JSON.stringify([jobEvent(FUTURE, [], [])])));
  const sent: IntakeMessage[] = [];
  clock.now += 5 * DAY_MS;
  const deps = {
    ...services.deps,
    manifests: {
      ...services.deps.manifests,
      list: async (prefix: string) => ({ items: prefix.startsWith('archive/new/') ? [{ key }] : [] }),
    },
    queue: { send: async (message: IntakeMessage) => void sent.push(message) },
  } as unknown as typeof services.deps;
  await replay({ since: '2026-11-20T00:00:00Z', dryRun: false }, { ...services, deps }, clock.now + 60_000);
  const events = sent.flatMap((message) => ('events' in message ? message.events : []));
  expect(events.map(({ eventTime }) => eventTime)).toEqual(['2026-11-20T12:00:00.000000000Z', '2026-11-21 11:00:00']);
  expect(sent.filter((message) => 'ref' in message)).toMatchObject([{ at, replayed: true }]);
});
