import type { ColumnName, DatasetRef, Manifest } from './manifest-schema.ts';

/** Every OpenLineage namespace that a manifest speaks of: its job's, its datasets', and those of datasets named in place. */
export function namespacesOf(manifest: Manifest): ReadonlySet<string> {
  const found = new Set<string>();
  const dataset = (ref: DatasetRef) => {
    if (typeof ref !== 'string') found.add(ref.namespace);
  };
  const column = (name: ColumnName) => {
    if (typeof name !== 'string') dataset(name.dataset);
  };
  if (manifest.job) found.add(manifest.job.namespace);
  for (const { namespace, symlinks = [] } of Object.values(manifest.datasets ?? {})) {
    if (namespace !== undefined) found.add(namespace);
    for (const link of symlinks) found.add(link.namespace);
  }
  for (const { from, to, columns } of manifest.lineage) {
    for (const ref of [from, to].flat() as readonly DatasetRef[]) dataset(ref);
    if (columns === undefined) continue;
    const names: readonly unknown[] = Array.isArray(columns)
      ? columns.flatMap((each: { readonly from: unknown; readonly to: unknown }) => [each.from, each.to].flat())
      : Object.values(columns).flat();
    for (const name of names) column(name as ColumnName);
  }
  return found;
}
