import { unitIndex } from '../core/unit-index.ts';
import { decodeUnit, encodeUnit, UNIT_VERSION } from '../core/unit-state.ts';
import type { Row } from '../ledger/ledger.ts';
import { commit } from './commit.ts';
import type { ConvergeDeps } from './deps.ts';

type Deps = Pick<ConvergeDeps, 'ledger' | 'id' | 'now' | 'log'>;

const KEY = 'meta/format';
const AT_ONCE = 100;
/** Ledgers that are known to be in the newest form, for the life of this process. */
const upgraded = new WeakSet<object>();

/**
 * Rewrites rows of older forms, so that they are found where this version looks. Forms of units: 1 had one index entry per table,
 * `dataset:<name>`; 2 has those of `unitIndex`. Goes on where time ran out the next time; harmless at any time beside anything else,
 * because a row that changed meanwhile was written in the newest form. Gives how many rows were rewritten.
 */
export async function upgradeLedger(deps: Deps, deadlineMs: number): Promise<number> {
  const { ledger, log } = deps;
  if (upgraded.has(ledger)) return 0;
  const noted = await ledger.get(KEY);
  if (Number(noted?.body['units'] ?? 1) >= UNIT_VERSION) {
    upgraded.add(ledger);
    return 0;
  }
  let count = 0;
  for (let after: string | undefined, more = true; more; ) {
    if (deps.now() >= deadlineMs) {
      log.info('the ledger is being brought up to date; the next pass goes on', { rows: count });
      return count;
    }
    const page = await ledger.find('units', { limit: AT_ONCE, ...(after === undefined ? {} : { after }) });
    for (const row of (await ledger.getMany(page.items)).values()) {
      const next = unitUpgraded(row, deps);
      if (next !== undefined && (await commit(ledger, next, row.rev))) count += 1;
    }
    after = page.next;
    more = after !== undefined;
  }
  const body = { kind: 'format', version: 1, units: UNIT_VERSION };
  await ledger.write({ key: KEY, rev: deps.id(), body }, noted?.rev ?? null);
  upgraded.add(ledger);
  if (count > 0) log.info('the ledger was brought up to date', { rows: count });
  return count;
}

/** The row in the newest form; undefined when it is, or is none of ours. */
export function unitUpgraded(row: Row, { id }: Pick<Deps, 'id'>): Row | undefined {
  if (row.body['kind'] !== 'unit' || Number(row.body['version'] ?? 1) >= UNIT_VERSION) return undefined;
  const state = decodeUnit(row.body);
  const { index, ...rest } = row;
  return { ...rest, rev: id(), body: encodeUnit(state), ...(index === undefined ? {} : { index: unitIndex(state) }) };
}
