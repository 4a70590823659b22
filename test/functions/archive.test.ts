import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { putTogether } from '../../shared/intake/archive-batch.ts';
import { tidy } from '../../shared/intake/tidy.ts';
import { archiveMachine, LIMITS, line, NO_DEADLINE, PREFIX, WINDOW } from './archive-machine.ts';

describe('a window of many objects', () => {
  it('is put together a slice at a time over many runs, each object read and removed once, few at a time', async () => {
    const at = archiveMachine(1_000);
    const calls: Record<string, number> = {};
    let reading = 0;
    let most = 0;
    const here = at.process({
      async before(what) {
        calls[what] = (calls[what] ?? 0) + 1;
        if (what !== 'manifests.get') return;
        reading += 1;
        most = Math.max(most, reading);
        await new Promise(setImmediate);
      },
      async after(what) {
        if (what === 'manifests.get') reading -= 1;
      },
    });
    const limits = { ...LIMITS, objects: 50, slices: 4 };
    await putTogether(WINDOW, here, NO_DEADLINE, limits);
    expect([calls['manifests.put'], calls['manifests.get'], at.left().length]).toEqual([4, 200, 800]);
    // The rest waits behind whatever else is in the queue.
    expect(at.sent).toEqual([{ message: { kind: 'archive', window: WINDOW }, delayMs: 0 }]);
    expect(await at.drain(here, NO_DEADLINE, limits)).toBe(4);
    expect([at.left(), at.batches().length, at.archived()]).toEqual([[], 20, [...at.lines].sort()]);
    expect([calls['manifests.get'], calls['manifests.delete'], calls['manifests.put']]).toEqual([1_000, 1_000, 20]);
    expect([most > 1, most <= 8]).toEqual([true, true]);
    expect(await at.ledger.get(`ol/archive/${WINDOW}`)).toBeUndefined();
    // Once more, as a queue may: nothing is written for it.
    const before = { ...calls };
    await putTogether(WINDOW, here, NO_DEADLINE, limits);
    expect([calls['ledger.write'], calls['queue.send']]).toEqual([before['ledger.write'], before['queue.send']]);
  });

  it('is put together in slices of few bytes, larger objects by themselves, and each line once', async () => {
    const at = archiveMachine(0);
    const [one = '', two = '', three = ''] = [1, 2, 3].map((n) => `${line(n)}\n`);
    at.objects.set(`${PREFIX}a`, gzipSync(one + two));
    at.objects.set(`${PREFIX}b`, gzipSync(two));
    at.objects.set(`${PREFIX}c`, gzipSync(Array.from({ length: 100 }, (_, n) => `${line(100 + n)}\n`).join('')));
    at.objects.set(`${PREFIX}d`, gzipSync(three));
    await putTogether(WINDOW, at.process(), NO_DEADLINE, { ...LIMITS, bytes: 1_000 });
    expect([at.batches().length, at.archived().length]).toEqual([3, 103]);
  });

  it.each([1, 40])('ends, however slow the bucket is: %i ms for each of its calls', async (callMs) => {
    const at = archiveMachine(600);
    let now = 1_000_000;
    const here = at.process(
      {
        async before(what) {
          if (what.startsWith('manifests.')) now += callMs;
        },
      },
      { now: () => now },
    );
    const runs: number[] = [];
    at.sent.push({ message: {}, delayMs: 0 });
    while (at.sent.length > 0 && runs.length < 100) {
      at.sent.shift();
      const began = now;
      await putTogether(WINDOW, here, began + 15_000, { objects: 500, bytes: 1_000_000, slices: 20, runMs: 5_000 });
      runs.push(now - began);
    }
    expect([at.left(), at.archived()]).toEqual([[], [...at.lines].sort()]);
    // No run had to be stopped: the reads under way when time was up are a few.
    expect(Math.max(...runs)).toBeLessThan(15_000);
    expect(runs.length).toBeGreaterThan(callMs === 1 ? 0 : 3);
  });
});

/** Stands for the end of the process: nothing that it asks for after that happens. */
class Killed extends Error {}

describe('no event is lost, and none stands in two batches', () => {
  it.each(['before', 'after'] as const)('when the process dies %s any call', async (when) => {
    for (let fatal = 1; ; fatal += 1) {
      const at = archiveMachine(14);
      at.objects.set(`${PREFIX}000005x`, Buffer.from('broken'));
      let calls = 0;
      const die = async () => {
        calls += 1;
        if (calls >= fatal) throw new Killed();
      };
      const mortal = at.process({
        [when]: die,
        ...(when === 'after' ? { before: async () => dead(calls >= fatal) } : {}),
      });
      const died = await putTogether(WINDOW, mortal, NO_DEADLINE).then(
        () => false,
        () => true,
      );
      // What was not acknowledged is delivered again, to another process.
      at.sent.push({ message: {}, delayMs: 0 });
      await at.drain(at.process());
      expect([fatal, at.left()]).toEqual([fatal, [`${PREFIX}000005x`]]);
      expect([fatal, at.archived()]).toEqual([fatal, [...at.lines].sort()]);
      if (!died && calls < fatal) {
        expect(fatal).toBeGreaterThan(30);
        return;
      }
    }
  });

  it('when several work on it at once, each taking it from the others', async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const at = archiveMachine(30);
      let state = seed;
      const random = () => {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
        return state / 2_147_483_648;
      };
      const pause = async () => {
        for (let turns = Math.floor(random() * 6); turns > 0; turns -= 1) await new Promise(setImmediate);
      };
      const worker = () => at.process({ before: pause, after: pause });
      await Promise.all([1, 2, 3].map(() => putTogether(WINDOW, worker(), NO_DEADLINE, { ...LIMITS, slices: 100 })));
      at.sent.push({ message: {}, delayMs: 0 });
      await at.drain(at.process());
      expect([seed, at.left()]).toEqual([seed, []]);
      expect([seed, at.archived()]).toEqual([seed, [...at.lines].sort()]);
    }
  });
});

describe('a slice that another run has begun', () => {
  it('is not put into smaller ones when its batch is there, although there is no time', async () => {
    const at = archiveMachine(4);
    const dying = at.process({
      async before(what) {
        if (what === 'manifests.delete') throw new Killed();
      },
    });
    await expect(putTogether(WINDOW, dying, NO_DEADLINE, LIMITS)).rejects.toThrow(Killed);
    expect([at.left().length, at.batches().length]).toEqual([4, 1]);
    await putTogether(WINDOW, at.process({}, { now: () => 10_000 }), 10_000, LIMITS);
    await at.drain(at.process());
    expect([at.left(), at.archived()]).toEqual([[], [...at.lines].sort()]);
  });

  it('is not put together again from what that run, which still lives, has left of it', async () => {
    const at = archiveMachine(4);
    let resume = () => {};
    const resumed = new Promise<void>((done) => {
      resume = done;
    });
    let paused = () => {};
    const atPut = new Promise<void>((done) => {
      paused = done;
    });
    let removed = 0;
    const slow = at.process({
      async before(what) {
        if (what === 'manifests.put') {
          paused();
          await resumed;
        }
        if (what !== 'manifests.delete') return;
        removed += 1;
        if (removed > 2) throw new Killed();
      },
    });
    const first = putTogether(WINDOW, slow, NO_DEADLINE, LIMITS).catch(() => {});
    await atPut;
    const second = at.process({
      async before(what) {
        if (what !== 'manifests.get') return;
        resume();
        await first;
      },
    });
    await putTogether(WINDOW, second, NO_DEADLINE, LIMITS);
    expect([at.left(), at.batches().length, at.archived()]).toEqual([[], 1, [...at.lines].sort()]);
  });
});

async function dead(yes: boolean): Promise<void> {
  if (yes) throw new Killed();
}

describe('a window', () => {
  it('is left to the run that has it, and looked at again when that must have ended', async () => {
    const at = archiveMachine(10);
    const now = 5_000;
    const lease = { token: 'other', until: 65_000 };
    await at.ledger.write({ key: `ol/archive/${WINDOW}`, rev: '1', body: { lease } }, null);
    const here = at.process({}, { now: () => now, alive: ({ until }) => until > now });
    await putTogether(WINDOW, here, 60_000);
    expect(at.sent).toEqual([{ message: { kind: 'archive', window: WINDOW }, delayMs: 61_000 }]);
    expect(at.left()).toHaveLength(10);
  });

  it('is free at once when a run fails, and goes on where that was', async () => {
    const at = archiveMachine(12);
    let puts = 0;
    const failing = at.process({
      async before(what) {
        if (what !== 'manifests.put') return;
        puts += 1;
        if (puts === 3) throw new Failure('unavailable', 'S3 is down');
      },
    });
    await expect(putTogether(WINDOW, failing, NO_DEADLINE, LIMITS)).rejects.toThrow('S3 is down');
    expect([at.left().length, at.batches().length]).toEqual([4, 2]);
    // The same process: its own lease would count.
    await putTogether(WINDOW, at.process({}, { alive: () => true }), NO_DEADLINE, LIMITS);
    expect([at.left(), at.archived()]).toEqual([[], [...at.lines].sort()]);
  });

  it('is not held up by what cannot be read, which stays where it is', async () => {
    const at = archiveMachine(6);
    at.objects.set(`${PREFIX}000001x`, Buffer.from('no gzip'));
    at.objects.set(`${PREFIX}999999`, gzipSync('no JSON\n'));
    await putTogether(WINDOW, at.process(), NO_DEADLINE, LIMITS);
    expect(at.left()).toEqual([`${PREFIX}000001x`, `${PREFIX}999999`]);
    expect(at.archived()).toEqual([...at.lines].sort());
    expect(at.sent).toEqual([]);
    expect(at.log.lines.filter(({ message }) => message.includes('cannot be read'))).toHaveLength(2);
  });

  it('that was left, because its messages failed too often, is put together the next day', async () => {
    const at = archiveMachine(3);
    for (const key of ['archive/new/2026-11-20/02-20/a', 'archive/new/2026-11-20/04-30/a'])
      at.objects.set(key, gzipSync(`${line(0)}\n`));
    const now = Date.parse('2026-11-20T05:00:00Z');
    await tidy(at.process({}, { now: () => now }), Number.POSITIVE_INFINITY);
    expect(at.sent.map(({ message }) => message)).toEqual([
      { kind: 'archive', window: '2026-11-20/02-10' },
      { kind: 'archive', window: '2026-11-20/02-20' },
    ]);
  });
});
