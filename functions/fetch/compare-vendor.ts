import pMap from 'p-map';
import type { Target } from '../../shared/converge/deps.ts';
import { asFailure } from '../../shared/core/failure.ts';
import type { ColumnPair } from '../../shared/core/graph.ts';
import type { VendorLineage } from '../../shared/vendors/vendor.ts';
import { unreadable } from './live-dataset.ts';
import type { Direction } from './units.ts';

/** An edge as a vendor tells it, by the vendor's names with the vendor in front. */
export interface VendorEdge {
  readonly from: string;
  readonly to: string;
  readonly jobs: readonly string[];
  readonly columns?: readonly ColumnPair[];
}

/** A target that is asked, now. */
export interface Asked {
  readonly target: Target;
  /** Why it could not be asked, or not to the end. */
  reason?: string;
  /** Its edges at these tables, on one side; undefined for a table that was not asked, because it cannot be or has been too much. */
  edgesAt(names: readonly string[], direction: Direction): Promise<readonly (readonly VendorEdge[] | undefined)[]>;
}

/** Tables asked for one by one, per target and question. */
const MOST_TABLES = 100;
const AT_ONCE = 4;

/** Asks a target: from its whole list, read once, where it has one, else table by table. */
export function ask(target: Target, level: 'table' | 'column', deadlineMs: number): Asked {
  const { lineage, everything } = target.client;
  const vendor = target.vendor.name;
  let whole: Promise<readonly VendorEdge[]> | undefined;
  let tables = 0;
  const asked: Asked = {
    target,
    async edgesAt(names, direction) {
      if (everything === undefined && lineage === undefined) {
        asked.reason = unreadable(target).message;
        return names.map(() => undefined);
      }
      return pMap(names, (name) => edgesOf(name, direction), { concurrency: AT_ONCE });
    },
  };
  return asked;

  async function edgesOf(name: string, direction: Direction): Promise<readonly VendorEdge[] | undefined> {
    if (asked.reason !== undefined) return undefined;
    try {
      if (everything !== undefined) {
        whole ??= everything({ deadlineMs }).then((found) => edgesIn(found, vendor, false));
        const side = direction === 'upstream' ? 'to' : 'from';
        return (await whole).filter((edge) => means(name, edge[side].slice(vendor.length + 1)));
      }
      if (tables >= MOST_TABLES) {
        asked.reason = `only the nearest ${MOST_TABLES} tables were asked for; ask with a smaller depth`;
        return undefined;
      }
      tables += 1;
      const question = { start: { table: name }, direction, depth: 1, level, temporary: false };
      const found = await lineage?.(question, { deadlineMs });
      return found && edgesIn(found, vendor, level === 'column');
    } catch (thrown) {
      asked.reason = asFailure(thrown).message;
      return undefined;
    }
  }
}

/** A list that leaves catalogs out means the same table. */
const means = (name: string, listed: string): boolean => listed === name || name.endsWith(`.${listed}`);

function edgesIn({ tables, edges }: VendorLineage, vendor: string, columns: boolean): VendorEdge[] {
  const nameAt = (index: number): string => `${vendor}:${tables[index]?.name ?? ''}`;
  return edges.map((edge) => ({
    from: nameAt(edge.from),
    to: nameAt(edge.to),
    jobs: edge.jobs,
    ...(columns ? { columns: edge.columns.map(({ from, to }): ColumnPair => [from, to]) } : {}),
  }));
}
