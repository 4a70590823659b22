import type { Dataset } from './dataset.ts';
import type { JsonObject } from './json.ts';

/** One end of a column edge: `table` is an index into the entry's (or unit's) `from` or `to`. */
export interface ColumnRef {
  readonly table: number;
  readonly column: string;
}

/** A column that feeds a column. `direct` is false where the source only filters, joins or sorts. */
export interface ColumnEdge {
  readonly from: ColumnRef;
  readonly to: ColumnRef;
  readonly direct: boolean;
}

export interface Job {
  readonly namespace: string;
  readonly name: string;
}

/** One entry of a manifest's `lineage`, with everything looked up: what a vendor's mapping reads. */
export interface Entry {
  /** Where it stands in the manifest, e.g. `lineage[3]`. */
  readonly path: string;
  readonly from: readonly Dataset[];
  readonly to: readonly Dataset[];
  readonly columns: readonly ColumnEdge[];
  /** Entry options per vendor, defaults and naming rules already merged in. */
  readonly options: Readonly<Record<string, JsonObject>>;
}

/** What one owner declares, ready to be mapped to each target. */
export interface Declaration {
  readonly job?: Job;
  /** Target names (`dataphin`, `dataarts/finance`) or undefined: every configured target that can register. */
  readonly targets?: readonly string[];
  readonly entries: readonly Entry[];
  readonly warnings: readonly Problem[];
}

/** Something wrong with a document: where, what, and in YAML on which line (1-based). */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly line?: number;
}
