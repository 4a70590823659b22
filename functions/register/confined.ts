import { Failure } from '../../shared/core/failure.ts';
import type { Manifest } from '../../shared/core/manifest.ts';
import { namespacesOf } from '../../shared/core/manifest-namespaces.ts';
import { NO_NAMING } from '../../shared/core/naming.ts';
import { formatOf } from '../../shared/core/owner-key.ts';
import { resolveManifest } from '../../shared/core/resolve.ts';
import { parse } from '../../shared/parse.ts';
import { type Caller, checkNamespaces, checkOwner } from '../../shared/triggers/access.ts';
import type { Services } from '../../shared/wiring.ts';
import { type Doubtful, doubtfulTables, type NamedTable } from './confined-tables.ts';
import { heldByOthers } from './held-by-others.ts';

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
  const { foreign } = await doubtsOf(parsed.manifest, caller, services);
  refuse(foreign, caller);
}

/**
 * Throws `Failure` `denied` when a caller that is confined to namespaces declares anything outside them: by an OpenLineage identity, or by a
 * vendor's name for a table. A table that a vendor's name alone stands for has to be put into these namespaces by naming.yaml. One that the
 * manifest itself gives an identity there, too, unless the rules do not know it and nobody else has declared it, which the ledger knows: otherwise
 * that word would open every table. `ledger` false: a function that may not read it refuses these.
 */
export async function checkDeclared(
  owner: string,
  manifest: Manifest,
  caller: Caller,
  services: Services,
  { ledger = true }: { readonly ledger?: boolean } = {},
): Promise<void> {
  if (caller.namespaces === undefined) return;
  const { foreign, claimed } = await doubtsOf(manifest, caller, services);
  refuse(foreign, caller);
  refuse(ledger ? await heldByOthers(claimed, owner, caller, services) : claimed, caller);
}

/** Checks the identities, and finds the tables that are not shown to be the caller's. */
async function doubtsOf(manifest: Manifest, caller: Caller, { deps }: Services): Promise<Doubtful> {
  checkNamespaces(caller, namespacesOf(manifest));
  const { naming = NO_NAMING } = await deps.naming();
  return doubtfulTables(resolveManifest(manifest, naming).entries, naming, caller);
}

function refuse([first]: readonly NamedTable[], { name, namespaces = [] }: Caller): void {
  if (first === undefined) return;
  const { edge, table, why } = first;
  const message = `the key of ${name} is confined to namespaces ${namespaces.join(', ')}, and the edge ${edge} cannot be shown to lie within them: ${why} ${table}. A rule in naming.yaml can say that it belongs there`;
  throw new Failure('denied', message, { status: 403 });
}
