import { matchGlob } from '../../shared/core/glob.ts';
import type { UnitState, UnitTable } from '../../shared/core/unit-state.ts';
import type { Caller } from '../../shared/triggers/access.ts';
import { blocks } from '../../shared/vendors/blocks.ts';
import type { Services } from '../../shared/wiring.ts';
import { ledgerReader } from '../fetch/units.ts';
import type { NamedTable } from './confined-tables.ts';

/** Units of one table that are looked through. */
const MOST_UNITS = 1_000;
const NAMES_AT_ONCE = 100;

/**
 * Of tables that a caller says are its own those that are not: others declare lineage of them, under no identity or one outside its
 * namespaces, and this owner has none yet.
 */
export async function heldByOthers(
  tables: readonly NamedTable[],
  owner: string,
  caller: Caller,
  services: Services,
): Promise<readonly NamedTable[]> {
  if (tables.length === 0) return [];
  const byName = new Map<string, NamedTable>();
  for (const table of tables) {
    const label = blocks[table.vendor]?.label?.(table.block);
    if (label !== undefined && !byName.has(`${table.vendor}:${label}`)) byName.set(`${table.vendor}:${label}`, table);
  }
  const reader = ledgerReader(services.deps.ledger);
  const names = [...byName.keys()];
  for (let at = 0; at < names.length; at += NAMES_AT_ONCE) {
    const some = names.slice(at, at + NAMES_AT_ONCE);
    const [out, into] = await Promise.all(
      (['downstream', 'upstream'] as const).map((direction) => reader.at(some, direction, MOST_UNITS)),
    );
    const found = some.filter((name) => {
      const units = [...(out?.get(name)?.units ?? []), ...(into?.get(name)?.units ?? [])];
      return !units.some((unit) => owner in unit.claims) && units.some((unit) => isOthers(unit, name, caller));
    });
    if (found.length > 0) return found.flatMap((name) => byName.get(name) ?? []);
  }
  return [];
}

function isOthers({ from, to, vendor, claims }: UnitState, name: string, caller: Caller): boolean {
  const table = [...from, ...to].find((each) => `${vendor}:${each.name}` === name);
  return table !== undefined && Object.keys(claims).length > 0 && !isWithin(table, caller);
}

/** An identity is one text, `namespace/name`. */
function isWithin({ dataset }: UnitTable, { namespaces = [] }: Caller): boolean {
  return dataset !== undefined && namespaces.some((glob) => matchGlob(`${glob}/*`, dataset));
}
