import { ownerKey } from '../../shared/converge/owner.ts';
import { flinkOwner, httpOwner, isOwnerKey, openlineageOwner } from '../../shared/core/owner-key.ts';
import type { Services } from '../../shared/wiring.ts';
import { jobEntry } from '../register/turn.ts';

/** Owners of one vendor job at the most: each workspace and node name is one. */
const MOST_OWNERS = 100;

/**
 * The manifests of a job, however it is called: the key of one, `namespace/name`, a name within `namespace`, the name of a Flink
 * deployment, or the job id that calls in DataArts' format gave. None when nobody knows it by its name alone.
 */
export async function ownersOfJob(
  id: string,
  namespace: string | undefined,
  { deps }: Services,
): Promise<readonly string[]> {
  const named: { namespace: string; name: string }[] = namespace === undefined ? [] : [{ namespace, name: id }];
  for (const at of [id.indexOf('/'), id.lastIndexOf('/')]) {
    if (at > 0 && at < id.length - 1) named.push({ namespace: id.slice(0, at), name: id.slice(at + 1) });
  }
  const candidates = [
    ...(isOwnerKey(id) ? [id] : []),
    ...named.flatMap((job) => [flinkOwner(job.namespace, job.name), openlineageOwner(job), httpOwner(job)]),
    ...(await ownersOfVendorJob(id, deps.ledger)),
  ];
  const rows = await deps.ledger.getMany([...new Set(candidates)].map(ownerKey));
  return candidates.filter((owner, at) => rows.has(ownerKey(owner)) && candidates.indexOf(owner) === at);
}

async function ownersOfVendorJob(id: string, ledger: Services['deps']['ledger']): Promise<readonly string[]> {
  const { items } = await ledger.find(jobEntry(id), { limit: MOST_OWNERS });
  return items.map((key) => key.slice(key.indexOf('/') + 1));
}
