import { describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { BUDGET_SPENT, BUDGET_UNREAD } from '../../shared/http/budget.ts';
import { CIRCUIT_OPEN } from '../../shared/http/circuit.ts';
import { lineage } from '../../shared/vendors/flink/lineage.ts';
import type { Envelope } from '../../shared/vendors/flink/wire.ts';
import type { LineageQuery } from '../../shared/vendors/vendor.ts';
import { BAD, type Between, HEALTHY, owner, pass, settled, shows, world } from './flink-between.ts';
import { many, object, type Pair, plant, scan, seed } from './flink-world.ts';
import { local } from './local.ts';

const QUERY: LineageQuery = {
  ...{ start: { jobId: 'j-d4' }, direction: 'both', depth: 1, level: 'column', temporary: false },
};
describe('a deployment that cannot be read', () => {
  it('because of one odd answer holds up no other, in pass after pass', async () => {
    const here = await local();
    await plant(here, seed(many(20)));
    await scan(here);
    const answer = { data: { edges: { tableLineage: [{ source: 'a4', destination: null }] } } } as unknown as Envelope;
    const odd: Between = {
      lineage: async (job) => {
        if (job === 'j-d4')
          await lineage(async () => answer, QUERY, { namespace: '', workspace: '' }, { deadlineMs: 0 });
      },
    };
    for (let turn = 0; turn < 8; turn += 1) {
      await plant(here, seed({ ...many(20), d11: { pairs: [[`turn${turn}`, 'b11']] } }));
      const result = await pass(here, odd);
      expect(result).toMatchObject({ scanned: 19, left: 0, withdrawn: 0, complete: true });
      expect(result.problems[0]).toMatchObject({
        owner: BAD,
        message: expect.stringMatching(/cannot be read.*destin/),
      });
      expect(JSON.stringify(await object(here, owner(11)))).toContain(`turn${turn}`);
    }
    expect(JSON.stringify(await object(here, BAD))).toContain('"a4"');
  });

  it('because of odd jobs holds up no other', async () => {
    const here = await local();
    const made = seed(many(6));
    for (const job of made.jobs as { jobId: string; status: unknown }[]) {
      if (job.jobId === 'j-d4') job.status = { currentJobStatus: 4 };
    }
    await plant(here, made);
    for (let turn = 0; turn < 2; turn += 1) {
      const result = await scan(here);
      expect(result).toMatchObject({ scanned: 5, complete: true });
      expect(result.problems).toMatchObject([{ owner: BAD, message: expect.stringMatching(/ListJobs/) }]);
    }
  });

  it('because Flink has an error of its own there is told, and what is gone goes meanwhile', async () => {
    const here = await settled();
    await plant(here, world([], [9]));
    await here.fault('flink', { kind: 'unavailable', operation: 'GetLineageInfo', times: 1_000 });
    const failed = await pass(here);
    expect(failed).toMatchObject({ scanned: 0, absent: 1, withdrawn: 0, complete: true });
    expect(failed.problems.map((each) => each.owner).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map(owner));
    await here.clearFaults('flink');
    expect(await pass(here)).toMatchObject({ scanned: 9, withdrawn: 1, complete: true, problems: [] });
  });

  it('believes nothing less by it: two scans that read it have to agree', async () => {
    const here = await local();
    const say = (pairs: Pair[]) => plant(here, seed({ ...many(3), d1: { pairs } }));
    await say([
      ['a1', 'b1'],
      ['c1', 'b1'],
    ]);
    await pass(here);
    await say([['a1', 'b1']]);
    await pass(here);
    const fails = {
      lineage: (job: string) => {
        if (job === 'j-d1') throw new Failure('unavailable', 'odd');
      },
    };
    expect(await pass(here, fails)).toMatchObject({ complete: true, written: 0 });
    expect(await pass(here)).toMatchObject({ complete: true, written: 0 });
    expect(await pass(here)).toMatchObject({ complete: true, written: 1 });
  });
});

const clock: Between = {};
const LASTING: Readonly<Record<string, Between>> = {
  'data that cannot be read': fails(() => new Failure('unavailable', 'cannot be read')),
  'an answer that was cut off': fails(
    () => new Failure('unavailable', 'too large', { cause: new Failure('unknown-outcome', 'cut') }),
  ),
  'a lasting 5xx': fails(() => new Failure('unavailable', '503', { status: 503 })),
  'a refusal of rights': fails(() => new Failure('denied', 'no right', { status: 403 })),
  'an open circuit': fails(() => new Failure('denied', 'open', { code: CIRCUIT_OPEN, maybeApplied: false })),
  throttling: fails(() => new Failure('throttled', 'slowly', { status: 429 })),
  'no way there': fails(() => new Failure('unavailable', 'nothing was sent', { cause: new Error('ECONNREFUSED') })),
  'a budget that cannot be read': fails(
    () => new Failure('unavailable', 'unread', { code: BUDGET_UNREAD, cause: new Failure('unavailable', 'store') }),
  ),
  'a mistake in reading': fails(() => new TypeError('undefined is no function')),
  'more than the time of a pass': Object.assign(clock, {
    ahead: 0,
    lineage: (job: string) => {
      if (job !== 'j-d4') return;
      clock.ahead = (clock.ahead ?? 0) + 60_000;
      throw new Failure('throttled', 'no call left', { code: BUDGET_SPENT, retryAfterMs: 1 });
    },
  }),
  'a bucket that does not give its manifest': {
    head: (key) => {
      if (key === BAD) throw new Failure('denied', 'no right to it', { status: 403 });
    },
  },
  'a ledger that does not take its row': {
    write: (key) => {
      if (key === `flink-source/${BAD}`) throw new Failure('unavailable', 'the row is too large');
    },
  },
};

function fails(failure: () => Error): Between {
  return {
    lineage: (job) => {
      if (job === 'j-d4') throw failure();
    },
  };
}

/** What says nothing of the account: not even the first pass ends by it. */
const ITS_OWN = ['data that cannot be read', 'an answer that was cut off', 'a lasting 5xx', 'a mistake in reading'];

describe('whatever lasts at one deployment', () => {
  it.each(Object.entries(LASTING))(
    '%s: the others are read, it stays, and is told each time',
    async (what, between) => {
      const here = await settled();
      for (let turn = 0; turn < 3; turn += 1) {
        const told = await pass(here, between);
        if (turn === 0) expect(told.complete).toBe(ITS_OWN.includes(what));
        if (turn > 0 || between !== clock) expect(told.problems.map((each) => each.owner)).toContain(BAD);
      }
      await plant(here, world([...HEALTHY, 4]));
      for (let turn = 0; turn < 4; turn += 1) {
        const { problems } = await pass(here, between);
        expect(problems.map((each) => each.owner)).toContain(BAD);
      }
      for (const at of HEALTHY) expect(await shows(here, at), `d${at}`).toBe(true);
      expect(await object(here, BAD)).toBeDefined();
      await plant(here, world([...HEALTHY, 4], [8]));
      for (let turn = 0; turn < 4; turn += 1) await pass(here, between);
      const cannotEnd = 'write' in between;
      if (!cannotEnd) expect(await object(here, owner(8))).toBeUndefined();
      const { ahead = 0 } = between;
      for (let turn = 0; turn < 2; turn += 1) await pass(here, { ahead });
      expect(await shows(here, 4)).toBe(true);
      expect((await pass(here, { ahead })).problems).toEqual([]);
    },
  );
});
