import { describe, expect, it } from 'vitest';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import type { Call } from '../../shared/vendors/vendor.ts';
import { convergence } from './convergence.ts';
import { local, manifest, outcomes } from './local.ts';

const OWNER = 'manifests/wide.json';
const wide = (count: number) =>
  manifest([['a', 'b']], { columns: Array.from({ length: count }, (_, index) => `c${index}`) });

describe('a change of several calls is read back at Dataphin', () => {
  it('once, with explicit flags, and nothing else is read', async () => {
    const here = await local();
    await here.drop(OWNER, wide(250));
    await here.statusWhen(OWNER, (each) => each.state === 'converged');
    const calls = await here.calls('dataphin');
    expect(calls.map((call) => call.operation)).toEqual([
      'GetTableLineages', // was it there before us?
      'AddRegisterLineage',
      'AddRegisterLineage',
      'AddRegisterLineage',
      'GetTableColumnLineages',
    ]);
    expect(JSON.stringify(calls.at(-1)?.request)).toMatch(
      /"NeedUpstream.{1,5}true.*NeedDownstream.{1,5}false.*NeedNotExistObject.{1,5}true/,
    );
    expect((await here.dataphin())[0]?.columns).toHaveLength(250);
    await here.forgetCalls();
    await here.drop(OWNER, wide(251));
    await here.statusWhen(OWNER, (each) => outcomes(each).includes('registered') && each.state === 'converged');
    expect((await here.calls('dataphin')).filter((call) => call.operation.startsWith('Get'))).toEqual([]);
  });

  it('says so when Dataphin keeps only the columns of the last call', async () => {
    const here = await local({ DRIFT_DETECT: '0' });
    await here.sandbox('dataphin', 'PUT', 'modes', { repeatAdd: 'replace' });
    await here.drop(OWNER, wide(250));
    const status = await here.statusWhen(OWNER, (each) => outcomes(each).includes('failed'));
    expect(status.edges[0]?.reason).toMatch(/took all columns, twice, and does not show \d+ of them/);
    const calls = (await here.calls('dataphin')).length;
    expect(calls).toBeLessThan(12);
    await here.runtime.reconcile();
    expect(await here.calls('dataphin')).toHaveLength(calls);
  });

  it('sends again what got lost on the way', async () => {
    const shown = new Map<string, ColumnEdge>();
    let calls = 0;
    const here = convergence({
      async register({ columns }: Call) {
        calls += 1;
        for (const each of columns) if (calls !== 2) shown.set(each.to.column, each);
        return { receipt: `r${calls}`, ambiguous: false };
      },
      async verify(units: readonly Call[]) {
        return units.map(() => ({ readable: true, edge: true, columns: [...shown.values()], others: [] }));
      },
    });
    await here.put(OWNER, wide(250));
    expect(await here.run(OWNER)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect(shown.size).toBe(250);
    expect(calls).toBe(4);
  });

  it('goes on where it was interrupted, and still reads back', async () => {
    let reads = 0;
    let calls = 0;
    const shown = new Map<string, ColumnEdge>();
    const here = convergence({
      async register({ columns }: Call) {
        calls += 1;
        here.state.now += 11_000;
        for (const each of columns) shown.set(each.to.column, each);
        return { receipt: 'r', ambiguous: false };
      },
      async verify(units: readonly Call[]) {
        reads += 1;
        return units.map(() => ({ readable: true, edge: true, columns: [...shown.values()], others: [] }));
      },
    });
    await here.put(OWNER, wide(250));
    expect(await here.run(OWNER, 15_000)).toMatchObject({ kind: 'unfinished' });
    expect(await here.run(OWNER, 15_000)).toMatchObject({ kind: 'unfinished' });
    expect(reads).toBe(0);
    expect(await here.run(OWNER, 90_000)).toMatchObject({ kind: 'done', status: { state: 'converged' } });
    expect({ reads, calls }).toEqual({ reads: 1, calls: 3 });
  });
});
