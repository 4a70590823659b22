import type { JsonObject } from './json.ts';

/**
 * A table, topic or file set, after aliases, defaults and naming rules have been applied.
 *
 * `vendors` holds, per vendor name, that vendor's own block (`{ guid: … }`, `{ database, table }`), already checked
 * against the vendor's schema. A vendor that is missing here has no name for the dataset: edges to it are `unresolved` there.
 */
export interface Dataset {
  readonly alias?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Other OpenLineage identities of the same dataset, in the order in which naming rules try them. */
  readonly symlinks?: readonly { readonly namespace: string; readonly name: string }[];
  readonly vendors: Readonly<Record<string, JsonObject>>;
  /** Without an identity but with several vendor names: the first of these, `vendor:name`, for which the others stand too. */
  readonly same?: string;
  /** Entry options that a naming rule sets; those of the output dataset count. */
  readonly entryOptions?: Readonly<Record<string, JsonObject>>;
}

/** OpenLineage identity as one string, `namespace/name`; undefined when the dataset is known by vendor names alone. */
export function identity(dataset: Pick<Dataset, 'namespace' | 'name'>): string | undefined {
  return dataset.namespace !== undefined && dataset.name !== undefined
    ? `${dataset.namespace}/${dataset.name}`
    : undefined;
}
