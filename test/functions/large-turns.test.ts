import { setTimeout, setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { work } from '../../functions/register/register.ts';
import { inLargeTurn } from '../../shared/intake/large-turn.ts';
import type { IntakeMessage } from '../../shared/queue/queue.ts';
import type { Services } from '../../shared/wiring.ts';
import { intakeWorld, run, table } from './intake-world.ts';

const MB = 1024 * 1024;

/** Works on `megabytes` until told to end; `running` are those that have begun and not ended. */
function works() {
  const of = {};
  const running = new Map<string, () => void>();
  const begin = (name: string, megabytes: number) =>
    inLargeTurn(megabytes * MB, of, () => new Promise<void>((end) => running.set(name, end)));
  const end = async (name: string) => {
    running.get(name)?.();
    running.delete(name);
    await turn();
  };
  const now = async () => {
    await turn();
    return [...running.keys()];
  };
  return { of, begin, end, now };
}

it('lets large events begin as long as there is room for them, in the order they came', async () => {
  const { begin, end, now } = works();
  void begin('a', 10);
  void begin('b', 4);
  void begin('c', 10);
  void begin('d', 1);
  // The last would fit, but not before the one that came earlier: that might never find its room.
  expect(await now()).toEqual(['a', 'b']);
  await end('a');
  expect(await now()).toEqual(['b', 'c', 'd']);
  await end('c');
  await end('b');
  await end('d');
  expect(await now()).toEqual([]);
});

it('lets one alone be larger than there is room for', async () => {
  const { begin, end, now } = works();
  void begin('small', 1);
  void begin('huge', 64);
  void begin('next', 1);
  expect(await now()).toEqual(['small']);
  await end('small');
  expect(await now()).toEqual(['huge']);
  await end('huge');
  expect(await now()).toEqual(['next']);
});

it('gives the room back of what failed', async () => {
  const { of, begin, now } = works();
  const failing = inLargeTurn(16 * MB, of, () => Promise.reject(new Error('no')));
  void begin('next', 16);
  await expect(failing).rejects.toThrow('no');
  expect(await now()).toEqual(['next']);
});

it('is how events are taken in that are too large for a message', async () => {
  const { services, deps } = intakeWorld();
  const facets = { note: { text: 'x'.repeat(10 * MB) } };
  for (const name of ['one', 'two', 'three']) {
    const event = run('02:00', [table('in', facets)], [table('out')], { job: { namespace: 'n', name } });
    await deps.manifests.put(`inbox/${name}`, gzipSync(JSON.stringify([event])), 'application/gzip');
  }
  let open = () => {};
  const opened = new Promise<void>((done) => {
    open = done;
  });
  const begun = new Set<string>();
  const get = async (key: string) => {
    begun.add(key);
    await opened;
    return deps.ledger.get(key);
  };
  const held = { ...services, deps: { ...deps, ledger: { ...deps.ledger, get } } } as Services;
  const all = ['one', 'two', 'three'].map((name) =>
    work({ kind: 'events', ref: `inbox/${name}`, replayed: true } as IntakeMessage, held, Date.now() + 20_000),
  );
  await expect.poll(() => begun.size).toBe(1);
  await setTimeout(100);
  expect(begun.size).toBe(1);
  open();
  await Promise.all(all);
  expect(begun.size).toBeGreaterThan(3);
});
