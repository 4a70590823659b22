import { Failure } from '../core/failure.ts';
import { UNIT_VERSION } from '../core/unit-state.ts';
import type { Ledger, Row } from './ledger.ts';

/** The newest form of each kind of row that this program knows; a kind that is not named here is at 1. */
const NEWEST: Readonly<Record<string, number>> = { unit: UNIT_VERSION, vanish: 2, 'ol-life': 2 };

/**
 * Throws `Failure` `conflict` for a row of a newer form than this program knows: what it would not understand it must not overwrite.
 * Older forms are read as they are, and rewritten by `upgradeLedger`.
 */
export function checkRowVersion(row: Row): Row {
  const { kind, version } = row.body;
  if (typeof kind !== 'string' || typeof version !== 'number') return row;
  const newest = NEWEST[kind] ?? 1;
  if (version <= newest) return row;
  throw new Failure(
    'conflict',
    `The ledger's row ${row.key} has form ${version} of ${kind}, and this program knows ${newest}: a newer version has run on this ledger. Run that version again, or restore a backup from before it.`,
    { code: 'newer-ledger' },
  );
}

/** The same ledger, which refuses rows of newer forms. */
export function versioned(ledger: Ledger): Ledger {
  return {
    ...ledger,
    async get(key) {
      const row = await ledger.get(key);
      return row && checkRowVersion(row);
    },
    async getMany(keys) {
      const rows = await ledger.getMany(keys);
      for (const row of rows.values()) checkRowVersion(row);
      return rows;
    },
  };
}
