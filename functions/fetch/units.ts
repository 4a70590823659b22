import { decodeUnit, type UnitState } from '../../shared/core/unit-state.ts';
import type { Ledger, Page } from '../../shared/ledger/ledger.ts';

/** Units that carry a name, at most as many as asked for and a page more; `more` when there are others. */
export interface UnitsAtName {
  readonly units: readonly UnitState[];
  readonly more: boolean;
}

/** Reads units, each at most once a question. */
export interface UnitReader {
  /** Units at each of these names, in the order of their keys. */
  at(names: readonly string[], most: number): Promise<Map<string, UnitsAtName>>;
  byKey(keys: readonly string[]): Promise<UnitState[]>;
  /** A page of all units. */
  page(options: { readonly after?: string; readonly limit: number }): Promise<Page<UnitState>>;
  /** Datasets one of whose names carries this index entry. */
  find(index: string, options: { readonly after?: string; readonly limit: number }): Promise<Page<string>>;
}

const ROWS_AT_ONCE = 100;

/** A unit's row is a tombstone when it has no index entries: nothing of it matters any more. */
export function ledgerReader(ledger: Ledger): UnitReader {
  const known = new Map<string, UnitState | undefined>();

  async function byKey(keys: readonly string[]): Promise<UnitState[]> {
    const missing = [...new Set(keys.filter((key) => !known.has(key)))];
    const batches: string[][] = [];
    for (let at = 0; at < missing.length; at += ROWS_AT_ONCE) batches.push(missing.slice(at, at + ROWS_AT_ONCE));
    await Promise.all(
      batches.map(async (batch) => {
        const rows = await ledger.getMany(batch);
        for (const key of batch) {
          const row = rows.get(key);
          known.set(key, row?.index ? decodeUnit(row.body) : undefined);
        }
      }),
    );
    return keys.flatMap((key) => known.get(key) ?? []);
  }

  async function keysAt(name: string, most: number): Promise<{ keys: string[]; more: boolean }> {
    const page = await ledger.find(`dataset:${name}`, { limit: most });
    return { keys: [...page.items], more: page.next !== undefined };
  }

  return {
    byKey,
    async at(names, most) {
      const found = await Promise.all(names.map((name) => keysAt(name, most)));
      await byKey(found.flatMap(({ keys }) => keys));
      const pages = new Map<string, UnitsAtName>();
      for (const [at, name] of names.entries()) {
        const { keys = [], more = false } = found[at] ?? {};
        pages.set(name, { units: keys.flatMap((key) => known.get(key) ?? []), more });
      }
      return pages;
    },
    async page(options) {
      const page = await ledger.find('units', options);
      const units = await byKey(page.items);
      return page.next === undefined ? { items: units } : { items: units, next: page.next };
    },
    find: (index, options) => ledger.find(index, options),
  };
}
