import pMap from 'p-map';
import { unitRow } from '../../shared/converge/unit-row.ts';
import { claim, wish } from '../../shared/core/claims.ts';
import type { ColumnEdge } from '../../shared/core/edge.ts';
import { newUnit, type UnitState, type UnitTable } from '../../shared/core/unit-state.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import { memoryLedger } from '../../shared/ledger/memory.ts';
import type { Services } from '../../shared/wiring.ts';

export interface Pair {
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  readonly vendor?: string;
  readonly owner?: string;
  readonly columns?: readonly ColumnEdge[];
  readonly state?: (unit: UnitState) => UnitState;
}

export const table = (name: string, dataset?: string): UnitTable => ({
  name,
  ...(dataset === undefined ? {} : { dataset }),
});

/** One unit, registered unless `state` says otherwise. */
export function unitOf({
  from,
  to,
  vendor = 'dataphin',
  owner = 'manifests/a.yaml',
  columns = [],
  state = (unit) => unit,
}: Pair): UnitState {
  const names = (tables: readonly UnitTable[]) => tables.map((each) => each.name).join(',');
  const origin = {
    id: `${vendor}|${names(from)}|${names(to)}`,
    vendor,
    target: vendor,
    account: vendor,
    from,
    to,
    spec: {},
    quietOptions: [],
  };
  const claimed = claim(newUnit(origin), owner, columns, {});
  return state({
    ...claimed,
    shown: wish(claimed).mask,
    receipt: 'r',
    registeredAt: 1_700_000_000_000,
    changedAt: 1_700_000_100_000,
  });
}

/** Services around a ledger that holds these units; `reads` counts what a store would bill. */
export async function graphLedger(pairs: Iterable<Pair>, ledger: Ledger = memoryLedger()) {
  let count = 0;
  const deps = {
    id: () => `r${count++}`,
    now: () => 1_700_000_200_000,
    settings: { clockSkewMs: 0, ledgerTimeoutMs: 0 },
  };
  await pMap(pairs, (pair) => ledger.write(unitRow(unitOf(pair), deps as never), null), { concurrency: 32 });
  const reads = { finds: 0, rows: 0 };
  const counting: Ledger = {
    ...ledger,
    get: (key) => {
      reads.rows += 1;
      return ledger.get(key);
    },
    getMany: (keys) => {
      reads.rows += keys.length;
      return ledger.getMany(keys);
    },
    find: async (index, options) => {
      const page = await ledger.find(index, options);
      reads.finds += 1;
      reads.rows += page.items.length;
      return page;
    },
    ...(ledger.findRows && {
      findRows: async (indexes, options) => {
        const pages = (await ledger.findRows?.(indexes, options)) ?? [];
        reads.finds += indexes.length;
        // A key in the index is read, and so is the row, where it was.
        for (const { items } of pages) for (const { body } of items) reads.rows += body === undefined ? 1 : 2;
        return pages;
      },
    }),
  };
  const services = {
    deps: { ...deps, ledger: counting, manifests: { get: async () => undefined } },
  } as unknown as Services;
  return { services, ledger, reads };
}
