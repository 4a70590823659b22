import type { JsonObject } from '../../../shared/core/json.ts';
import { matchesName } from '../../../shared/core/name-search.ts';
import { by } from '../../../shared/core/order.ts';
import type { Catalog } from './catalog.ts';

const EPOCH = '1970-01-01T00:00:00.000Z';

/** The namespaces of datasets and jobs, with the times of what is in them. */
export function namespacesIn(catalog: Catalog): readonly JsonObject[] {
  const found = new Map<string, { createdAt: string; updatedAt: string }>();
  for (const { namespace, since = EPOCH, changed = since } of [
    ...catalog.datasets.values(),
    ...catalog.jobs.values(),
  ]) {
    const { createdAt = since, updatedAt = changed } = found.get(namespace) ?? {};
    found.set(namespace, {
      createdAt: since < createdAt ? since : createdAt,
      updatedAt: changed > updatedAt ? changed : updatedAt,
    });
  }
  return [...found]
    .sort(by(([name]) => name))
    .map(([name, times]) => ({ name, ...times, ownerName: 'unknown', description: null, isHidden: false }));
}

export interface Search {
  /** Part of a name. */
  readonly q: string;
  readonly filter?: 'DATASET' | 'JOB' | undefined;
  readonly sort: 'NAME' | 'UPDATE_AT';
  readonly namespace?: string | undefined;
}

interface Result extends JsonObject {
  readonly type: 'DATASET' | 'JOB';
  readonly name: string;
  readonly updatedAt: string;
  readonly namespace: string;
  readonly nodeId: string;
}

/** Datasets, by any of their names, and jobs. */
export function searchIn(catalog: Catalog, { q, filter, sort, namespace }: Search): readonly Result[] {
  const all = [
    ...[...catalog.datasets].map(([id, each]) => ({ id, type: 'DATASET' as const, each, names: each.names })),
    ...[...catalog.jobs].map(([id, each]) => ({ id, type: 'JOB' as const, each, names: [] })),
  ];
  const results = all
    .filter(({ type, each }) => (filter ?? type) === type && (namespace ?? each.namespace) === each.namespace)
    .filter(({ each, names }) => [each.name, ...names].some((name) => matchesName(name, q)))
    .map(({ id, type, each }) => ({
      type,
      name: each.name,
      updatedAt: each.changed ?? EPOCH,
      namespace: each.namespace,
      nodeId: id,
    }))
    .sort(by(({ name, nodeId }) => `${name} ${nodeId}`));
  return sort === 'NAME' ? results : results.sort(by(({ updatedAt }) => updatedAt)).reverse();
}
