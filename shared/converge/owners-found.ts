import type { ConvergeDeps } from './deps.ts';
import { ownerKey } from './owner.ts';
import { type OwnerFound, ownerPages } from './owner-pages.ts';

const BATCH = 400;

/** These owners, with what bucket and ledger have of them. */
export async function* ownersFound(
  owners: readonly string[],
  deps: Pick<ConvergeDeps, 'ledger' | 'manifests'>,
): AsyncGenerator<readonly OwnerFound[]> {
  const all = [...new Set(owners)].sort();
  for (let start = 0; start < all.length; start += BATCH) {
    const batch = all.slice(start, start + BATCH);
    const rows = await deps.ledger.getMany(batch.map(ownerKey));
    yield await Promise.all(
      batch.map(async (owner): Promise<OwnerFound> => {
        const head = await deps.manifests.head(owner);
        const row = rows.get(ownerKey(owner));
        return { owner, ...(head ? { etag: head.etag } : {}), ...(row ? { row } : {}) };
      }),
    );
  }
}

/** One owner, once more. */
export async function foundAgain(
  { owner }: OwnerFound,
  deps: Pick<ConvergeDeps, 'ledger' | 'manifests'>,
): Promise<OwnerFound> {
  for await (const [found] of ownersFound([owner], deps)) if (found) return found;
  return { owner };
}

/** Every owner; those without an object looked up once more by name, because one may have come since the listing passed. */
export async function* everyOwner(
  deps: Pick<ConvergeDeps, 'ledger' | 'manifests'>,
): AsyncGenerator<readonly OwnerFound[]> {
  for await (const page of ownerPages(deps)) {
    const gone = page.filter((each) => each.etag === undefined).map((each) => each.owner);
    if (gone.length > 0) yield* ownersFound(gone, deps);
    yield page.filter((each) => each.etag !== undefined);
  }
}

/** An owner without an object that the ledger still knows. */
export const isGone = (found: OwnerFound): boolean => found.etag === undefined && found.row !== undefined;
