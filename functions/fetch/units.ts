import { namesOf } from '../../shared/core/graph.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { type Direction, edgeEntry, identityEntry, ownNameEntry } from '../../shared/core/unit-index.ts';
import { decodeUnit, type UnitState, type UnitTable } from '../../shared/core/unit-state.ts';
import type { Ledger, Page } from '../../shared/ledger/ledger.ts';
import { blocks } from '../../shared/vendors/blocks.ts';

export type { Direction } from '../../shared/core/unit-index.ts';

/** Units at a name, at most as many as asked for; `more` when there are others. */
export interface UnitsAtName {
  readonly units: readonly UnitState[];
  readonly more: boolean;
}

/** Reads units, each at most once a question. */
export interface UnitReader {
  /** Units that each of these names feeds (downstream) or is fed by (upstream), in the order of their keys. */
  at(names: readonly string[], direction: Direction, most: number): Promise<Map<string, UnitsAtName>>;
  /** Units that tell further names of these datasets, as far as no unit read before has told them. */
  alike(names: readonly string[]): Promise<readonly UnitState[]>;
  /** Other names of a dataset, as units that were read so far tell. */
  othersOf(name: string): Iterable<string>;
  byKey(keys: readonly string[]): Promise<UnitState[]>;
  /** A page of all units, or of those with another index entry. */
  page(options: { readonly entry?: string; readonly after?: string; readonly limit: number }): Promise<Page<UnitState>>;
}

const ROWS_AT_ONCE = 100;
/** Vendors that something can be registered with. */
const VENDORS = Object.entries(blocks).flatMap(([vendor, { entry }]) => (entry === undefined ? [] : [vendor]));

/** A unit's row is a tombstone when it has no index entries: nothing of it matters any more. */
export function ledgerReader(ledger: Ledger): UnitReader {
  const known = new Map<string, UnitState | undefined>();
  /** Index entries that tell of names which are known already, or were asked for. */
  const told = new Set<string>();
  const others = new Map<string, Set<string>>();

  async function byKey(keys: readonly string[]): Promise<UnitState[]> {
    const missing = new Set<string>();
    for (const key of keys) if (!known.has(key)) missing.add(key);
    await read([...missing]);
    return unitsOf(keys);
  }

  function unitsOf(keys: readonly string[]): UnitState[] {
    const units: UnitState[] = [];
    for (const key of keys) {
      const unit = known.get(key);
      if (unit !== undefined) units.push(unit);
    }
    return units;
  }

  async function read(missing: readonly string[]): Promise<void> {
    const batches: Promise<void>[] = [];
    for (let at = 0; at < missing.length; at += ROWS_AT_ONCE) {
      batches.push(readBatch(missing.slice(at, at + ROWS_AT_ONCE)));
    }
    await Promise.all(batches);
  }

  async function readBatch(keys: readonly string[]): Promise<void> {
    const rows = await ledger.getMany(keys);
    for (const key of keys) {
      const row = rows.get(key);
      keep(key, row?.index ? row.body : undefined);
    }
  }

  function keep(key: string, body: JsonObject | undefined): void {
    const unit = body === undefined ? undefined : decodeUnit(body);
    known.set(key, unit);
    if (unit === undefined) return;
    for (const table of unit.from) learn(table, unit.vendor);
    for (const table of unit.to) learn(table, unit.vendor);
  }

  function learn(table: UnitTable, vendor: string): void {
    const name = table.dataset ?? table.same;
    if (name === undefined) return;
    const names = namesOf(table, vendor);
    for (const each of names.length < 2 ? [] : names) {
      const known = others.get(each) ?? new Set();
      others.set(each, known);
      for (const other of names) known.add(other);
    }
    told.add(identityEntry(`${vendor}:${table.name}`)).add(ownNameEntry(vendor, name));
  }

  /** The first units of each of these index entries, in their order. */
  async function find(entries: readonly string[], limit: number): Promise<UnitsAtName[]> {
    if (entries.length === 0) return [];
    if (ledger.findRows === undefined) {
      const pages = await Promise.all(entries.map((entry) => ledger.find(entry, { limit })));
      await byKey(pages.flatMap(({ items }) => items));
      return pages.map(({ items, next }) => ({ units: unitsOf(items), more: next !== undefined }));
    }
    const pages = await ledger.findRows(entries, { limit, known: (key) => known.has(key) });
    return pages.map(({ items, next }) => {
      for (const { key, body } of items) if (body !== undefined && !known.has(key)) keep(key, body);
      return { units: unitsOf(items.map(({ key }) => key)), more: next !== undefined };
    });
  }

  /** Entries that may tell more names: what a vendor's name stands for, and how the vendors call it. */
  function untold(name: string): string[] {
    const vendor = VENDORS.find((each) => name.startsWith(`${each}:`));
    const entries = VENDORS.map((each) => (each === vendor ? identityEntry(name) : ownNameEntry(each, name)));
    return entries.filter((entry) => !told.has(entry));
  }

  return {
    byKey,
    othersOf: (name) => others.get(name) ?? [],
    async at(names, direction, most) {
      const found = await find(
        names.map((name) => edgeEntry(name, direction)),
        most,
      );
      return new Map(found.map((units, at) => [names[at] ?? '', units]));
    },
    async alike(names) {
      const entries = [...new Set(names.flatMap(untold))];
      for (const entry of entries) told.add(entry);
      // One unit is enough to tell a name.
      const found = await find(entries, 1);
      return [...new Set(found.flatMap(({ units }) => units))];
    },
    async page({ entry = 'units', ...options }) {
      const page = await ledger.find(entry, options);
      const units = await byKey(page.items);
      return page.next === undefined ? { items: units } : { items: units, next: page.next };
    },
  };
}
