import { Failure } from '../../shared/core/failure.ts';
import { namespacesOf } from '../../shared/core/manifest-namespaces.ts';
import { formatOf } from '../../shared/core/owner-key.ts';
import { parse } from '../../shared/parse.ts';
import { type Caller, checkNamespaces, checkOwner } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';

/**
 * Throws `Failure` `denied` unless the caller may replace or remove what is stored for this owner now: it must be one of its owners, and
 * speak of its namespaces only. What cannot be read could be anybody's.
 */
export async function checkStored(owner: string, caller: Caller, services: Services): Promise<void> {
  checkOwner(caller, owner);
  if (caller.namespaces === undefined) return;
  const object = await services.deps.manifests.get(owner);
  if (!object) return;
  const parsed = await (services.deps.parse ?? parse)(object.bytes, formatOf(owner));
  if ('problems' in parsed)
    throw new Failure('denied', `${owner} cannot be read, and the key of ${caller.name} is confined to namespaces`);
  checkNamespaces(caller, namespacesOf(parsed.manifest));
}
