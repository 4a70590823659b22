import { describe, expect, it } from 'vitest';
import { Failure } from '../../shared/core/failure.ts';
import { BAD, type Between, owner, pass, settled, shows, world } from './flink-between.ts';
import { many, object, plant, scan, seed } from './flink-world.ts';
import { local } from './local.ts';

const denied = () => {
  throw new Failure('denied', 'the stores refuse us', { status: 403 });
};
/** Fails in every call, or from the third on. */
const SINGLE: Readonly<Record<string, () => Between>> = {
  'the list': () => ({ list: denied }),
  'every lineage': () => ({ lineage: denied }),
  'lineage from the third call on': () => ({ lineage: after(2) }),
  'the bucket': () => ({ put: denied }),
  'the bucket from the third call on': () => ({ put: after(2) }),
  'the ledger from the third write on': () => ({ write: after(2) }),
};

function after(count: number): () => void {
  let calls = 0;
  return () => {
    calls += 1;
    if (calls > count) denied();
  };
}

describe('a pass that fails', () => {
  it.each(Object.entries(SINGLE))('by %s is made up for by the next ones', async (_, between) => {
    const here = await settled();
    await plant(here, world([0, 1, 2, 3, 4]));
    const failed = await pass(here, between()).catch((thrown: Error) => thrown.message);
    if (typeof failed !== 'string') expect(failed).toMatchObject({ complete: false, withdrawn: 0 });
    await plant(here, world([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    // What could not be let go of is let go of in time.
    const later = { ahead: 600_000 };
    for (let turn = 0; turn < 2; turn += 1) await pass(here, later);
    for (let at = 0; at < 10; at += 1) expect(await shows(here, at), `d${at}`).toBe(true);
    expect(await pass(here, later)).toMatchObject({ scanned: 10, complete: true, problems: [] });
  });

  it('by our bucket says so, in its own words, and begins anew', async () => {
    const here = await settled();
    await plant(here, world([4]));
    const failed = await pass(here, { put: denied });
    expect(failed).toMatchObject({ written: 0, withdrawn: 0, complete: false });
    expect(failed.problems).toMatchObject([
      {
        target: 'flink',
        message: expect.stringMatching(/^what Flink shows could not be taken in.*begins anew.*refuse/),
      },
      { owner: BAD, message: expect.stringMatching(/^what Flink shows for it could not be taken in/) },
    ]);
    expect(await pass(here)).toMatchObject({ scanned: 10, written: 1, complete: true, problems: [] });
  });

  it('again and again because of one row of the ledger begins with those that waited longest', async () => {
    const here = await local();
    await plant(here, seed(many(24)));
    await scan(here);
    const stuck: Between = {
      write: (key) => {
        if (key === `flink-source/${BAD}`) denied();
      },
    };
    const read = new Set<string>();
    for (let turn = 0; turn < 9; turn += 1) {
      const { problems } = await pass(here, { ...stuck, lineage: (job) => void read.add(job) });
      expect(problems.map((each) => each.owner)).toContain(BAD);
    }
    expect(read.size).toBe(24);
  });

  it('because one manifest cannot be removed removes the others, and reads on', async () => {
    const here = await settled();
    await plant(here, world([], [4, 8]));
    const stuck: Between = {
      delete: (key) => {
        if (key === BAD) denied();
      },
    };
    await pass(here, stuck);
    const failed = await pass(here, stuck);
    expect(failed).toMatchObject({ withdrawn: 1, complete: false });
    expect(failed.problems.map((each) => each.owner)).toContain(BAD);
    expect(await object(here, owner(8))).toBeUndefined();
    await plant(here, world([5], [4, 8]));
    await pass(here, stuck);
    expect(await shows(here, 5)).toBe(true);
    for (let turn = 0; turn < 2; turn += 1) await pass(here);
    expect(await object(here, BAD)).toBeUndefined();
  });

  it('because the account refuses all lineage asks a few, not all, again and again', async () => {
    const here = await local();
    await plant(here, seed(many(40)));
    await scan(here);
    let asked = 0;
    const refuses: Between = {
      lineage: () => {
        asked += 1;
        denied();
      },
    };
    for (let turn = 0; turn < 12; turn += 1) {
      asked = 0;
      expect(await pass(here, refuses)).toMatchObject({ scanned: 0, withdrawn: 0 });
      expect(asked).toBeLessThanOrEqual(12);
    }
    for (let turn = 0; turn < 2; turn += 1) await pass(here);
    expect(await pass(here)).toMatchObject({ scanned: 40, complete: true, problems: [] });
  });
});
