import { claim } from './claims.ts';
import { type Dataset, identity } from './dataset.ts';
import type { ColumnEdge, Entry } from './edge.ts';
import { unitId } from './unit-id.ts';
import { newUnit, type UnitState, type UnitTable } from './unit-state.ts';

/** Account of edges that are declared and have no name at any vendor they are meant for: rows for questions, which no convergence touches. */
export const NAMELESS = 'nameless';

/** One pair of datasets that stands at no vendor. */
export interface NamelessPair {
  readonly from: Dataset;
  readonly to: Dataset;
  readonly columns: readonly ColumnEdge[];
}

interface PlacedUnit {
  readonly from: readonly UnitTable[];
  readonly to: readonly UnitTable[];
  /** Entries that it comes from. */
  readonly paths: readonly string[];
}

/** So many of one declaration are kept; its status names all. */
const MOST = 1_000;

/**
 * Pairs of these entries, both with an OpenLineage identity, of which no unit came. `units`: those that came of the declaration.
 * `paths`: entries of which something came to nothing; no others are looked at.
 */
export function namelessPairs(
  entries: readonly Entry[],
  units: ReadonlyMap<string, { readonly unit: PlacedUnit }>,
  paths: ReadonlySet<string>,
): readonly NamelessPair[] {
  if (paths.size === 0) return [];
  const placed = new Set<string>();
  for (const { unit } of units.values()) {
    if (!unit.paths.some((path) => paths.has(path))) continue;
    for (const { dataset: from } of unit.from) for (const { dataset: to } of unit.to) placed.add(pairOf(from, to));
  }
  const pairs: NamelessPair[] = [];
  for (const entry of entries) {
    if (!paths.has(entry.path)) continue;
    for (const [fromAt, from] of entry.from.entries()) {
      for (const [toAt, to] of entry.to.entries()) {
        if (pairs.length === MOST) return pairs;
        const [source, sink] = [identity(from), identity(to)];
        if (source === undefined || sink === undefined || placed.has(pairOf(source, sink))) continue;
        const columns = entry.columns.flatMap((edge) =>
          edge.from.table === fromAt && edge.to.table === toAt
            ? [{ ...edge, from: { ...edge.from, table: 0 }, to: { ...edge.to, table: 0 } }]
            : [],
        );
        pairs.push({ from, to, columns });
      }
    }
  }
  return pairs;
}

const pairOf = (from: string | undefined, to: string | undefined): string => JSON.stringify([from, to]);

/** The pair as graphs read edges: declared by its owner, at `targets`, where it has no name. Equal pairs give the same id. */
export function namelessUnit(pair: NamelessPair, owner: string, targets: readonly string[], at: number): UnitState {
  const [from, to] = [identity(pair.from) ?? '', identity(pair.to) ?? ''];
  const columns = pair.columns.map((each) => [each.from.column, each.to.column, each.direct]);
  const unit = newUnit({
    id: unitId([NAMELESS, owner, from, to, JSON.stringify([targets, columns])]),
    vendor: '',
    target: targets.join(', '),
    account: NAMELESS,
    from: [{ name: from, dataset: from }],
    to: [{ name: to, dataset: to }],
    spec: {},
    quietOptions: [],
  });
  return { ...claim(unit, owner, pair.columns, {}), registeredAt: at, changedAt: at };
}
