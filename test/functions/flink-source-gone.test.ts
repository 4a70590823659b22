import { describe, expect, it } from 'vitest';
import { guid, many, NAMING, ORDERS, OWNER, object, type Pair, plant, scan, seed } from './flink-world.ts';
import { local, until } from './local.ts';

describe('what is gone', () => {
  const two = seed({ orders: ORDERS, other: { pairs: [['x', 'y']] } });
  const one = seed({ other: { pairs: [['x', 'y']] } });

  async function settled() {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, two);
    await scan(here);
    await here.statusWhen(OWNER, (status) => status.state === 'converged');
    return here;
  }

  it('is withdrawn after two complete scans, not after one', async () => {
    const here = await settled();
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1, complete: true });
    expect(await object(here, OWNER)).toBeDefined();
    expect(await scan(here)).toMatchObject({ withdrawn: 1, absent: 0, complete: true });
    await here.statusWhen(OWNER, (status) => status.state === 'withdrawn');
    expect((await here.dataphin()).map(({ target }) => target)).toEqual([guid('y')]);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 0, written: 0 });
  });

  it('counts from the start again when it came back in between', async () => {
    const here = await settled();
    await plant(here, one);
    await scan(here);
    await plant(here, two);
    await scan(here);
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1 });
    expect(await object(here, OWNER)).toBeDefined();
  });

  it('is not judged by scans that failed, were denied or did not end, and only consecutive ones count', async () => {
    const here = await settled();
    await plant(here, one);
    expect(await scan(here)).toMatchObject({ absent: 1 });
    const faults = [
      { kind: 'unavailable', operation: 'ListDeployments', times: 3 },
      { kind: 'denied', operation: 'ListJobs', times: 1 },
      { kind: 'bad-json', operation: 'ListDeployments', times: 3 },
    ];
    for (const fault of faults) {
      await here.fault('flink', fault);
      const failed = await scan(here);
      expect(failed).toMatchObject({ withdrawn: 0, complete: false });
      expect(failed.problems[0]?.message).toMatch(/nothing is withdrawn/);
      await here.clearFaults('flink');
    }
    expect(await scan(here)).toMatchObject({ withdrawn: 0, absent: 1, complete: true });
    expect(await scan(here, {}, 1_000)).toMatchObject({ left: 1, withdrawn: 0, complete: false });
    expect(await object(here, OWNER)).toBeDefined();
    expect(await scan(here)).toMatchObject({ withdrawn: 1, complete: true });
  });

  it('is remembered across a restart', async () => {
    const first = await settled();
    await plant(first, one);
    await scan(first);
    await first.close();
    const second = await local({}, first.dataDir);
    expect(await scan(second)).toMatchObject({ withdrawn: 1 });
    await second.statusWhen(OWNER, (status) => status.state === 'withdrawn');
  });

  it('stays while the secret is lost or wrong', async () => {
    const here = await settled();
    await plant(here, one);
    await scan(here);
    const { list } = await here.runtime.services.deps.targets();
    const others = list.filter(({ name }) => name !== 'flink');
    const problems = [{ target: 'flink', message: 'secret lineage/flink: it is gone', registers: false }];
    for (let pass = 0; pass < 2; pass += 1) {
      const result = await scan(here, {}, 30_000, { list: others, problems });
      expect(result).toMatchObject({ scanned: 0, withdrawn: 0, complete: false });
      expect(result.problems[0]?.message).toMatch(/nothing withdrawn.*lineage\/flink/);
    }
    // Another account in its place: what the first one declared is not this one's to withdraw.
    const moved = list.map((target) => (target.name === 'flink' ? { ...target, account: 'elsewhere#w/n' } : target));
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here, {}, 30_000, { list: moved, problems: [] });
      expect(result).toMatchObject({ withdrawn: 0, complete: true });
      expect(result.problems).toMatchObject([{ owner: OWNER, message: expect.stringMatching(/simulated flink/) }]);
    }
    expect(await object(here, OWNER)).toBeDefined();
  });

  it('and what changed are nothing to the vendors while naming.yaml is broken', async () => {
    const here = await settled();
    await here.forgetCalls();
    await here.drop('naming.yaml', 'rules: [');
    await plant(
      here,
      seed({
        orders: {
          pairs: [
            ['raw', 'clean'],
            ['more', 'clean'],
          ],
        },
        other: { pairs: [['x', 'y']] },
      }),
    );
    expect(await scan(here)).toMatchObject({ written: 1, complete: true });
    await here.statusWhen(OWNER, (status) => status.state === 'invalid');
    await here.runtime.reconcile();
    expect(await here.writes('dataphin')).toEqual([]);
    await here.drop('naming.yaml', NAMING);
    await until(async () => (await here.dataphin()).length === 3);
  });

  it('costs no call at Dataphin when it was only renamed', async () => {
    const here = await settled();
    await here.forgetCalls();
    await plant(here, seed({ renamed: { ...ORDERS, id: 'd-orders' }, other: { pairs: [['x', 'y']] } }));
    await scan(here);
    await here.statusWhen('flink/default-namespace/renamed.json', (status) => status.state === 'converged');
    await scan(here);
    await scan(here);
    await here.statusWhen(OWNER, (status) => status.state === 'withdrawn');
    expect(await here.writes('dataphin')).toEqual([]);
    expect(await here.dataphin()).toHaveLength(2);
  });

  it('of its lineage goes after two scans; more comes at once; none at all changes nothing', async () => {
    const here = await local();
    const declared = async () => JSON.stringify((await object(here, OWNER))?.['lineage']);
    const say = (pairs: readonly Pair[]) => plant(here, seed({ orders: { pairs } }));
    await say([
      [
        'a',
        'b',
        [
          ['x', 'x'],
          ['y', 'y'],
        ],
      ],
      ['c', 'b'],
    ]);
    await scan(here);
    const full = await declared();
    await say([
      ['a', 'b', [['x', 'x']]],
      ['d', 'b'],
    ]);
    expect(await scan(here)).toMatchObject({ written: 1 });
    expect(await declared()).toMatch(/"paimon_ods_a","paimon_ods_c","paimon_ods_d"/);
    expect(await declared()).toMatch(/"column":"y"/);
    await here.fault('flink', { kind: 'denied', operation: 'ListDeployments', times: 1 });
    expect(await scan(here)).toMatchObject({ written: 0, complete: false });
    expect(await scan(here)).toMatchObject({ written: 0, complete: true });
    expect(await scan(here)).toMatchObject({ written: 1 });
    expect(await declared()).toMatch(/"paimon_ods_a","paimon_ods_d"/);
    expect(await declared()).not.toMatch(/"column":"y"|paimon_ods_c/);
    await say([]);
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here);
      expect(result).toMatchObject({ written: 0, withdrawn: 0, complete: true });
      expect(result.problems[0]).toMatchObject({ owner: OWNER, message: expect.stringMatching(/no lineage.*stays/) });
    }
    expect(await declared()).not.toBe(full);
  });

  it('cannot be told where lineage names no table, so nothing of it goes', async () => {
    const here = await local();
    await plant(
      here,
      seed({
        orders: {
          pairs: [
            ['a', 'b'],
            ['c', 'b'],
          ],
        },
      }),
    );
    await scan(here);
    await plant(here, seed({ orders: { pairs: [['a', 'b']] } }));
    expect((await scan(here)).problems).toEqual([]);
    const odd = seed({ orders: { pairs: [['a', 'b']] } });
    (odd.lineage['j-orders'] as { edges: { tableLineage: object[] } }).edges.tableLineage.push({
      source: '??',
      destination: 'j-orders-b',
      jobId: 'j-orders',
    });
    await plant(here, odd);
    for (let pass = 0; pass < 3; pass += 1) {
      const result = await scan(here);
      expect(result.problems[0]?.message).toMatch(/name no table.*\?\?/);
    }
    expect(JSON.stringify(await object(here, OWNER))).toContain('paimon_ods_c');
  });

  it('is held when it is most of what a target shows', async () => {
    const here = await local();
    await here.drop('naming.yaml', NAMING);
    await plant(here, seed(many(12)));
    await scan(here);
    await until(async () => (await here.dataphin()).length === 12);
    await plant(here, seed({}));
    await scan(here);
    expect(await scan(here)).toMatchObject({ withdrawn: 12 });
    await here.statusWhen('flink/default-namespace/d0.json', (status) => status.state === 'held');
    expect(await here.dataphin()).toHaveLength(12);
  });
});
