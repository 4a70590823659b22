import type { Target } from '../../shared/converge/deps.ts';
import { matchGlob } from '../../shared/core/glob.ts';
import { flinkOwner } from '../../shared/core/owner-key.ts';
import type { FlinkSourceSettings } from '../../shared/settings.ts';
import type { Reader } from './flink-deployment.ts';

export interface Deployment {
  readonly owner: string;
  readonly job: { readonly namespace: string; readonly name: string };
  readonly namespace: string;
  /** Several, should the namespace hold several of one name: they declare together. */
  readonly ids: string[];
}

/** All deployments that the filters let through, by owner. Throws when the list is not whole. */
export async function deployments(
  target: Pick<Target, 'name'>,
  { pipelines }: Pick<Reader, 'pipelines'>,
  namespaces: readonly string[],
  { name, label, status }: FlinkSourceSettings,
  deadlineMs: number,
): Promise<ReadonlyMap<string, Deployment>> {
  const found = new Map<string, Deployment>();
  for (const namespace of namespaces) {
    const exact = name !== undefined && !name.includes('*') ? { name } : {};
    const filter = { namespace, ...exact, ...(label ? { label } : {}), ...(status ? { status } : {}) };
    for await (const pipeline of pipelines({ ...filter, jobs: 'later' }, { deadlineMs })) {
      if (name !== undefined && !matchGlob(name, pipeline.name)) continue;
      const place = placeOf(target.name, namespace);
      const owner = flinkOwner(place, pipeline.name);
      const known = found.get(owner);
      if (known) known.ids.push(pipeline.id);
      else found.set(owner, { owner, job: { namespace: place, name: pipeline.name }, namespace, ids: [pipeline.id] });
    }
  }
  return found;
}

/** Those of the settings, else the secret's. */
export function namespacesOf(target: Pick<Target, 'secret'>, { namespaces }: FlinkSourceSettings): readonly string[] {
  return namespaces.length > 0 ? namespaces : [String(target.secret['namespace'] ?? '')];
}

/** Names of namespaces in different accounts do not collide: those of further accounts begin with the account's name. */
export function placeOf(target: string, namespace: string): string {
  return target === 'flink' ? namespace : `${target.slice('flink/'.length)}/${namespace}`;
}
