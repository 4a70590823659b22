import { type Dataset, identity } from '../../shared/core/dataset.ts';
import type { Entry } from '../../shared/core/edge.ts';
import { canonicalJson, type JsonObject } from '../../shared/core/json.ts';
import { targetVendors } from '../../shared/core/manifest-schema.ts';
import { type Naming, nameDataset } from '../../shared/core/naming.ts';
import { namespacesOfTable } from '../../shared/core/table-namespaces.ts';
import { type Caller, mayName } from '../../shared/triggers/access.ts';
import { blocks } from '../../shared/vendors/blocks.ts';

/** A vendor's name for a table, in an edge. */
export interface NamedTable {
  /** `from -> to`, as people know them. */
  readonly edge: string;
  readonly vendor: string;
  readonly block: JsonObject;
  /** As people know it. */
  readonly table: string;
  readonly why: string;
}

export interface Doubtful {
  /** Not the caller's, as far as anybody can say. */
  readonly foreign: readonly NamedTable[];
  /** The caller's by its own word alone. */
  readonly claimed: readonly NamedTable[];
}

/** Tables of these entries that are not shown by naming rules to lie within the caller's namespaces. Pure. */
export function doubtfulTables(entries: readonly Entry[], naming: Naming, caller: Caller): Doubtful {
  const foreign: NamedTable[] = [];
  const claimed: NamedTable[] = [];
  const judged = new Map<Dataset, readonly Judged[]>();
  for (const entry of entries) {
    const edge = `${sideOf(entry.from)} -> ${sideOf(entry.to)}`;
    const own = new Set<string>();
    for (const dataset of [...entry.from, ...entry.to]) {
      const known = judged.get(dataset) ?? judgeDataset(dataset, naming, caller);
      judged.set(dataset, known);
      for (const { verdict, ...table } of known) {
        own.add(keyOf(table.vendor, table.block));
        if (verdict === 'foreign') foreign.push({ ...table, edge });
        else if (verdict === 'claimed') claimed.push({ ...table, edge });
      }
    }
    for (const { vendor, block } of mentionedBy(entry)) {
      if (own.has(keyOf(vendor, block)) || isShown(vendor, block, naming, caller)) continue;
      foreign.push({ edge, vendor, block, table: textOf(block), why: 'it refers to' });
    }
  }
  return { foreign, claimed };
}

type Judged = Omit<NamedTable, 'edge'> & { readonly verdict: 'shown' | 'claimed' | 'foreign' };

function judgeDataset(dataset: Dataset, naming: Naming, caller: Caller): Judged[] {
  const { namespace, name, symlinks } = dataset;
  const known = namespace !== undefined && name !== undefined;
  const mine = known && mayName(caller, namespace);
  const ruled = known
    ? nameDataset({ namespace, name, ...(symlinks ? { symlinks } : {}), vendors: {} }, naming)
    : undefined;
  return targetVendors(blocks).flatMap((vendor) => {
    const given = dataset.vendors[vendor];
    if (given === undefined) return [];
    const byRules = new Set(tablesOf(vendor, ruled?.vendors[vendor]).map(canonicalJson));
    return tablesOf(vendor, given).map((block): Judged => {
      const table = { vendor, block, table: textOf(block) };
      if (mine && byRules.has(canonicalJson(block))) return { ...table, verdict: 'shown', why: '' };
      const namespaces = namespacesOfTable(vendor, block, naming, (each) => tablesOf(vendor, each));
      if (namespaces.some((each) => mayName(caller, each))) return { ...table, verdict: 'shown', why: '' };
      if (namespaces.length > 0)
        return {
          ...table,
          verdict: 'foreign',
          why: `naming.yaml puts into ${namespaces.slice(0, 3).join(', ')} what it calls`,
        };
      return mine
        ? { ...table, verdict: 'claimed', why: 'only its manifest says so, and others may declare lineage, of' }
        : { ...table, verdict: 'foreign', why: `naming.yaml says of no namespace what ${vendor} calls` };
    });
  });
}

function isShown(vendor: string, block: JsonObject, naming: Naming, caller: Caller): boolean {
  return namespacesOfTable(vendor, block, naming, (each) => tablesOf(vendor, each)).some((each) =>
    mayName(caller, each),
  );
}

function mentionedBy({ options }: Entry): { readonly vendor: string; readonly block: JsonObject }[] {
  return Object.entries(options).flatMap(([vendor, given]) =>
    (blocks[vendor]?.mentions?.(given) ?? []).map((block) => ({ vendor, block })),
  );
}

function tablesOf(vendor: string, block: JsonObject | undefined): readonly JsonObject[] {
  if (block === undefined) return [];
  // A vendor that does not say what tells its tables apart: all of the block does.
  return blocks[vendor]?.tables?.(block) ?? [block];
}

function keyOf(vendor: string, block: JsonObject): string {
  return `${vendor} ${canonicalJson(block)}`;
}

function textOf(block: JsonObject): string {
  return Object.values(block).join('.');
}

function sideOf(datasets: readonly Dataset[]): string {
  const [first] = datasets;
  if (first === undefined) return '';
  const [[vendor, block] = []] = Object.entries(first.vendors);
  const name =
    identity(first) ??
    (vendor === undefined ? undefined : `${vendor}:${textOf(tablesOf(vendor, block)[0] ?? {})}`) ??
    first.alias ??
    '(unnamed)';
  return datasets.length > 1 ? `${name} and ${datasets.length - 1} more` : name;
}
