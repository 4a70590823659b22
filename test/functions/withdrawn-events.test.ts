import { describe, expect, it } from 'vitest';
import type { Row } from '../../shared/ledger/ledger.ts';
import { DAY_MS, intakeWorld, jobEvent, run, table, time } from './intake-world.ts';

describe('a complete snapshot with one side empty', () => {
  const jobType = {
    processingType: 'STREAMING',
    emissionPattern: { eventTrigger: 'PERIODIC', eventContentMode: 'COMPLETE_SNAPSHOT' },
  };
  const snapshot = (at: string, inputs: object[], outputs: object[], job = 'load') =>
    run(at, inputs, outputs, { eventType: 'RUNNING', job: { namespace: 'n', name: job, facets: { jobType } } });

  it('withdraws, and its run stays as long as the job lists it', async () => {
    const { deps, clock, take, pass, declared } = intakeWorld();
    await take([snapshot('10:00', [table('a')], [table('b')])]);
    await pass(1_000);
    expect(declared()).toEqual(['a > b']);
    await take([snapshot('10:05', [table('a')], [])]);
    await pass(1_000);
    expect(declared()).toEqual([]);
    clock.now += 30 * DAY_MS;
    await (deps.ledger as unknown as { sweep(seconds: number): Promise<number> }).sweep(clock.now / 1_000);
    await take([run('11:00', [table('a')], [table('c')], { run: { runId: 'r2' } })]);
    await pass(1_000);
    expect(declared()).toEqual(['a > c']);
  });

  it('a run that is listed although its row would expire is kept when it is published', async () => {
    const { deps, clock, take, pass, declared } = intakeWorld();
    await take([snapshot('10:00', [table('a')], [table('b')])]);
    await pass(1_000);
    const { ledger } = deps;
    const [row] = (ledger as unknown as { rows(): Row[] }).rows().filter(({ key }) => key.startsWith('ol/run/'));
    if (!row) throw new Error('no run');
    expect(row.expiresAt).toBeUndefined();
    await ledger.write({ ...row, rev: 'x', expiresAt: (clock.now + DAY_MS) / 1_000 }, row.rev);
    await take([run('11:00', [table('a')], [table('c')], { run: { runId: 'r2' } })]);
    await pass(1_000);
    clock.now += 2 * DAY_MS;
    await take([run('12:00', [table('a')], [table('d')], { run: { runId: 'r3' } })]);
    await pass(1_000);
    expect(declared()).toEqual(['a > b', 'a > c', 'a > d']);
  });
});

describe('the row of a run that a job lists', () => {
  const runRow = (deps: ReturnType<typeof intakeWorld>['deps']) => {
    const rows = (deps.ledger as unknown as { rows(): readonly Row[] }).rows();
    const subject = rows.find(({ key }) => key.startsWith('ol/subject/'));
    const listed = subject?.body['runs'] as unknown as readonly { readonly key: string }[] | undefined;
    return rows.find(({ key }) => key === listed?.[0]?.key);
  };

  it('does not expire for another event, whatever the settings say of it by now', async () => {
    const { services, take, pass } = intakeWorld({ OPENLINEAGE_FAILED_RUNS: 'publish' });
    await take([run('10:00', [table('a')], [table('b')], { eventType: 'FAIL' })]);
    await pass(1_000);
    services.settings = { ...services.settings, openlineage: { ...services.settings.openlineage, failedRuns: false } };
    await take([run('10:01', [table('c')], [], { eventType: 'RUNNING' })]);
    const row = runRow(services.deps);
    expect(row?.expiresAt).toBeUndefined();
    expect(JSON.stringify(row?.body)).toContain('c');
  });

  it('does not expire where a late event brings the run back while it makes room for another', async () => {
    const { deps, take, pass, declared } = intakeWorld({ OPENLINEAGE_RUNS: '1' });
    await take([run('10:00', [table('a')], [table('b')])]);
    await pass(1_000);
    const key = runRow(deps)?.key;
    const { get } = deps.ledger;
    let late: (() => Promise<void>) | undefined = async () => {
      await take([run('12:00', [table('late')], [table('b')])]);
      await pass(1_000);
    };
    Object.assign(deps.ledger, {
      get: async (asked: string) => {
        const now = asked === key ? late : undefined;
        if (now) late = undefined;
        await now?.();
        return get.call(deps.ledger, asked);
      },
    });
    await take([run('11:00', [table('c')], [table('b')], { run: { runId: 'r2' } })]);
    expect(late).toBeUndefined();
    expect([runRow(deps)?.key, runRow(deps)?.expiresAt]).toEqual([key, undefined]);
    expect(declared()).toEqual(['a > b', 'late > b']);
  });
});

describe('a JobEvent', () => {
  it('withdraws with empty outputs as with empty inputs', async () => {
    const { take, pass, declared } = intakeWorld();
    await take([jobEvent(time('10:00'), [table('a')], [table('b')])]);
    await pass(1_000);
    expect(declared()).toEqual(['a > b']);
    await take([jobEvent(time('10:01'), [table('a')], [])]);
    await pass(1_000);
    expect(declared()).toEqual([]);
  });
});
